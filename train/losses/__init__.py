"""Losses on images and motion, differentiable."""
