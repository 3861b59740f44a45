"""The ``paper`` preset: the published network (Zhang et al., MM '21; doi 10.1145/3474085.3479211).

It derives from the first order motion model (Siarohin et al., "First order motion model for image
animation", NeurIPS 2019), which is covered as well.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mien.train.model.paper.config import PaperConfig
from mien.train.model.paper.detector import KeyPointDetector
from mien.train.model.paper.generator import Generator
from mien.train.model.paper.geometry import KeyPoints, inverse
from mien.train.model.paper.motion import Warp


class PaperOutput(NamedTuple):
    """One generated image.

    Attributes:
        prediction: ``(B, 3, H, W)`` in 0..1.
        warp: the dense motion used.
    """

    prediction: Tensor
    warp: Warp


class PaperModel(nn.Module):
    """Detector and generator.

    Example:
        >>> model = PaperModel().eval()
        >>> source_keys = model.detect(source, source_points)     # (1,3,256,256), (1,18,2) pixels
        >>> code = model.encode(source)                           # once per portrait
        >>> first = model.detect(driving[0], driving_points[0])
        >>> keys = model.detect(driving[k], driving_points[k])
        >>> image = model.animate(source, code, source_keys, relative(source_keys, keys, first)).prediction
    """

    def __init__(self, config: PaperConfig | None = None) -> None:
        super().__init__()
        self.config = config or PaperConfig()
        self.kp_detector = KeyPointDetector(self.config)
        self.generator = Generator(self.config)

    def detect(self, image: Tensor, points: Tensor | None = None) -> KeyPoints:
        """Key points of an image; see :class:`~mien.train.model.paper.detector.KeyPointDetector`."""
        return self.kp_detector(image, points)  # type: ignore[no-any-return]

    @staticmethod
    def keys(points: Tensor, jacobians: Tensor) -> KeyPoints:
        """Wrap known key points, ``(B, K, 2)`` and ``(B, K, 2, 2)``."""
        return KeyPoints(points, jacobians, points)

    def encode(self, source: Tensor) -> Tensor:
        """Encode the source: ``(B, C, H / 4, W / 4)``."""
        return self.generator.encode(source)

    def animate(
        self, source: Tensor, code: Tensor, source_keys: KeyPoints, driving_keys: KeyPoints
    ) -> PaperOutput:
        """Move the source to the driving key points."""
        warp: Warp = self.generator.dense_motion_network(source, source_keys, driving_keys)
        return PaperOutput(self.generator.decode(self.generator.warp(code, warp)), warp)

    def forward(self, source: Tensor, source_keys: KeyPoints, driving_keys: KeyPoints) -> PaperOutput:
        """Encode and animate in one call (training)."""
        return self.animate(source, self.encode(source), source_keys, driving_keys)


def relative(source: KeyPoints, driving: KeyPoints, initial: KeyPoints, scale: float = 1.0) -> KeyPoints:
    """Driving key points for the source: their change since the driver's ``initial`` image.

    FOMM, section 3.3 (relative motion transfer).

    Args:
        scale: ratio of the faces' sizes, source to driver.
    """
    points = source.points + (driving.points - initial.points) * scale
    jacobians = driving.jacobians @ inverse(initial.jacobians) @ source.jacobians
    return KeyPoints(points, jacobians, points)
