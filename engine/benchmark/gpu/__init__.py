"""``--gpu``: both presets, every method, compared with the GPU's roofline."""
