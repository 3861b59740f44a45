"""Export of trained models to files that the engine runs."""

if __name__ == "export":
    # ``python -m export...`` in a checkout: all code below imports Mien by its installed name.
    from mien.installation import require_installation

    require_installation()
