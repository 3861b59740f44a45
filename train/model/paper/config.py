"""Hyperparameters of the ``paper`` preset and of the first order motion model from which it derives."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PAPER_NAME = "mien-paper"
PAPER_VERSION = 1


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Hyperparameters of :class:`~mien.train.model.paper.PaperModel`; the defaults are the paper's.

    Attributes:
        image_size: side of the images, pixels.
        points: number of key points; with the background there are ``points + 1`` candidate motions.
        given_points: points come from a landmark tracker, and the detector sees a mask of the regions around
            them (the paper).  False: the detector finds the points itself (FOMM).
        align_corners: of every ``grid_sample``.  True is correct: the grids' -1 and 1 are the centres of the
            outermost pixels.  False is the behaviour of the published code since torch 1.3 (which does not
            pass it), so imported checkpoints have it.
        reduction: detector and dense motion work at ``image_size / reduction``.
        temperature: of the heat maps' softmax.
        variance: of the Gaussians that represent key points, normalised units squared.
        mask_sigma: width of the region mask, grid nodes.
        single_jacobian: one map of Jacobians for all points instead of one each.
        jacobians: whether Jacobians are used.
        occlusion: whether the warp is weighted by an occlusion map.
        detector_width, detector_most, detector_blocks: hourglass of the detector: channels at its finest
            level (twice that after the first block), at most, and levels.
        motion_width, motion_most, motion_blocks: the same of the dense motion network.
        generator_width, generator_most, generator_downs, generator_blocks: channels, most channels, halvings
            and residual blocks of the generator.
    """

    image_size: int = 256
    points: int = 18
    given_points: bool = True
    align_corners: bool = True
    reduction: int = 4
    temperature: float = 0.1
    variance: float = 0.01
    mask_sigma: float = 0.75
    single_jacobian: bool = False
    jacobians: bool = True
    occlusion: bool = True
    detector_width: int = 32
    detector_most: int = 1024
    detector_blocks: int = 5
    motion_width: int = 64
    motion_most: int = 1024
    motion_blocks: int = 5
    generator_width: int = 64
    generator_most: int = 512
    generator_downs: int = 2
    generator_blocks: int = 6

    @property
    def field_size(self) -> int:
        """Side of the motion grid."""
        return self.image_size // self.reduction

    def to_json(self) -> str:
        """One line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PaperConfig:
        """The inverse of :meth:`to_json`; unknown keys raise ``TypeError``."""
        return cls(**json.loads(text))


FOMM = PaperConfig(points=10, given_points=False)
"""The original first order motion model in its ``vox-256`` and ``vox-adv-256`` configurations."""
