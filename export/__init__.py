"""Trained models become files that the engine runs."""
