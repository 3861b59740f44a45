"""Run, frame by frame: track -> motion -> render."""

if __name__ == "engine":
    # ``python -m engine...`` in a checkout: all code below imports Mien by its installed name.
    from mien.installation import require_installation

    require_installation()
