"""``python -m engine.benchmark --gpu``: both presets, every method, against the card's roofline."""

from mien.engine.benchmark.gpu.run import run

__all__ = ["run"]
