"""Training of the PyTorch models."""

if __name__ == "train":
    # ``python -m train...`` in a checkout: all code below imports Mien by its installed name.
    from mien.installation import require_installation

    require_installation()
