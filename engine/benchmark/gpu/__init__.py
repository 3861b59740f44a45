"""``--gpu``: both presets, every method, against the GPU's roofline."""
