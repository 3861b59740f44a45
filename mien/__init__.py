"""Mien: a live avatar that keeps micro-expressions."""
