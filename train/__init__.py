"""A PyTorch model is trained."""
