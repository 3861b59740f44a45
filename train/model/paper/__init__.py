"""The published network, exactly; see :mod:`train.model.paper.model`."""

from train.model.paper.config import FOMM, PAPER_NAME, PAPER_VERSION, PaperConfig
from train.model.paper.discriminator import Discriminator, DiscriminatorConfig
from train.model.paper.geometry import KeyPoints
from train.model.paper.model import PaperModel, PaperOutput, relative

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
