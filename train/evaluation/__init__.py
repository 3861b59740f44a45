"""Evaluation of trained weights on people never seen in training."""
