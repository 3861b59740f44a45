"""Exact implementation of the published network; see :mod:`mien.train.model.paper.model`."""

from mien.train.model.paper.config import FOMM, PAPER_NAME, PAPER_VERSION, PaperConfig
from mien.train.model.paper.discriminator import Discriminator, DiscriminatorConfig
from mien.train.model.paper.geometry import KeyPoints
from mien.train.model.paper.model import PaperModel, PaperOutput, relative

__all__ = [
    "FOMM",
    "PAPER_NAME",
    "PAPER_VERSION",
    "Discriminator",
    "DiscriminatorConfig",
    "KeyPoints",
    "PaperConfig",
    "PaperModel",
    "PaperOutput",
    "relative",
]
