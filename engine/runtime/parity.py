"""Parity check of GPU runtimes against the FP32 reference on a real moving face, before they are used.

The reference is OpenVINO in FP32, which the export compares with torch FP32 and which does not need torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.canvas.composition import compose
from mien.engine.avatar.model_io import IMAGE_SIZE, AvatarCode
from mien.engine.runtime.base import Runtime
from mien.engine.runtime.batch_runtime import BatchRuntime, Drawing
from mien.engine.types import Image, ModelError
from mien.engine.utils.assets import ASSETS, DEMO_MOTION, PORTRAIT

FRAMES = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest accepted differences.

    Attributes:
        flow_px, mean_flow_px: of the flow, in pixels of the 256-pixel crop (a micro-expression is half one).
        occlusion: largest, of 1.
        paint, mean_paint, mean_image: in grey levels of 255.
        shift_px: of whole images against each other, in their own pixels.
        code: of an avatar's code, relative to its largest value.
    """

    flow_px: float = 0.1
    mean_flow_px: float = 0.02
    occlusion: float = 0.05
    paint: float = 12.0
    mean_paint: float = 0.5
    mean_image: float = 0.5
    shift_px: float = 0.02
    code: float = 0.02


@dataclass(frozen=True, slots=True)
class ParityReport:
    """Differences measured on ``frames`` frames; the attributes are those of :class:`Limits`.

    Attributes:
        finite: whether all values were finite.
        failure: the exceeded limit, in words; None if the check passed.
    """

    frames: int
    flow_px: float
    mean_flow_px: float
    occlusion: float
    paint: float
    mean_paint: float
    mean_image: float
    shift_px: float
    finite: bool
    failure: str | None

    def __str__(self) -> str:
        return (
            f"{self.frames} frames: flow {self.flow_px:.4f} px at most, "
            f"image {self.mean_image:.3f}/255 on average, shift {self.shift_px:.4f} px"
        )


def sub_pixel_shift(reference: Image, candidate: Image) -> float:
    """Shift of ``candidate`` against ``reference``, in pixels: least squares on brightness constancy.

    Both ``(H, W, 3) uint8``.  Differences that no shift explains do not count; 0 for flat images.
    """
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (reference, candidate))
    dy, dx = np.gradient(a)
    normal = np.array([[(dx * dx).sum(), (dx * dy).sum()], [(dx * dy).sum(), (dy * dy).sum()]])
    if np.linalg.cond(normal) > 1e8:
        return 0.0
    difference = b - a
    return float(np.hypot(*np.linalg.solve(normal, [(dx * difference).sum(), (dy * difference).sum()])))


def check(
    reference: Runtime, candidate: BatchRuntime, drawings: Sequence[Drawing], limits: Limits | None = None
) -> ParityReport:
    """Compare fields and finished images of the same drawings, drawn one by one and in whole batches."""
    limits = limits or Limits()
    pixels = (IMAGE_SIZE - 1) / 2
    rows = []
    finite = True
    images = candidate.draw(drawings)
    together = candidate.draw(_apart(drawings, candidate.batch)) if candidate.batch > 1 else images
    for drawing, *drawn in zip(drawings, images, together, strict=True):
        arguments = (drawing.code, drawing.source_points, drawing.driving_points, drawing.dense)
        expected, found = reference.render(*arguments), candidate.render(*arguments)
        finite = finite and all(np.isfinite(v).all() for v in (found.flow, found.occlusion, found.paint))
        flow = np.linalg.norm(found.flow - expected.flow, axis=2) * pixels
        paint = np.abs(found.paint - expected.paint) * 255
        # Outlines are softened afterwards, on the CPU, whatever has drawn them.
        whole = compose(drawing.canvas, expected, replace(drawing.warp, outline=None))
        rows.append(
            (
                flow.max(),
                flow.mean(),
                np.abs(found.occlusion - expected.occlusion).max(),
                paint.max(),
                paint.mean(),
                max(np.abs(whole.astype(np.int16) - image).mean() for image in drawn),
                max(sub_pixel_shift(whole, image) for image in drawn),
            )
        )
    worst, failure = judge(_WORDS, rows, finite, limits)
    return ParityReport(frames=len(drawings), finite=finite, failure=failure, **worst)


def _apart(drawings: Sequence[Drawing], batch: int) -> list[Drawing]:
    """The drawings, ``batch`` in turn on separate canvases: only then do they share a call."""
    own: dict[tuple[int, int], Canvas] = {}
    return [
        replace(d, canvas=own.setdefault((id(d.canvas), i % batch), replace(d.canvas)))
        for i, d in enumerate(drawings)
    ]


_WORDS = {
    "flow_px": "the motion field is off by {:.3f} px",
    "mean_flow_px": "the motion field is off by {:.3f} px on average",
    "occlusion": "the occlusion map is off by {:.3f}",
    "paint": "painted pixels are off by {:.1f}/255",
    "mean_paint": "the paint is off by {:.2f}/255 on average",
    "mean_image": "images are off by {:.2f}/255 on average",
    "shift_px": "images are shifted by {:.3f} px",
}


def judge(
    words: Mapping[str, str], rows: Sequence[Sequence[float]], finite: bool, limits: object
) -> tuple[dict[str, float], str | None]:
    """The largest differences, and the first that exceeds its limit.

    Args:
        words: description of each difference, by its limit's name.
        rows: the differences of each frame, in the order of ``words``.
        finite: whether all results are finite.
        limits: has the limits as attributes.

    Returns:
        The differences by name; the first exceeded limit, in words, or None if there is none.
    """
    worst = {name: float(value) for name, value in zip(words, np.max(rows, axis=0), strict=True)}
    if not finite:
        return worst, "some results are not finite"
    for name, value in worst.items():
        if not value <= getattr(limits, name):
            return worst, words[name].format(value)
    return worst, None


def code_difference(expected: AvatarCode, found: AvatarCode) -> float:
    """Largest difference of an avatar's features, relative to their largest value; NaN if one is."""
    return float(np.abs(found.features - expected.features).max() / np.abs(expected.features).max())


def check_codes(
    expected: AvatarCode, found: AvatarCode, report: ParityReport, limits: Limits | None = None
) -> ParityReport:
    """``report``, failed if the two runtimes' codes of an avatar differ."""
    limits = limits or Limits()
    apart = code_difference(expected, found)
    if apart <= limits.code:
        return report
    return replace(report, failure=f"the encoder's features are off by {100 * apart:.1f}%")


def _portrait() -> Image:
    image = cv2.imread(str(PORTRAIT))
    if image is None:
        raise ModelError(f"{ASSETS / 'portrait.jpg'} is missing or damaged: reinstall mien")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def real_drawings(runtime: Runtime, count: int = FRAMES, crop: int | None = None) -> list[Drawing]:
    """The built-in portrait at ``count`` moments of the built-in recording of a person's face.

    Args:
        runtime: encodes the portrait.
        crop: side of a face crop; None draws the whole portrait.
    """
    from mien.engine.avatar.transfer import carry_over
    from mien.engine.landmarks import make_landmarker
    from mien.engine.motion.recording import load_recording

    with make_landmarker() as landmarker:
        avatar = Avatar.of(_portrait(), landmarker, runtime)
    canvas = make_canvas(avatar, crop)
    motions = [motion for motion in load_recording(DEMO_MOTION) if motion is not None]
    chosen = [motions[i] for i in np.linspace(0, len(motions) - 1, count).round().astype(int)]
    points = avatar.source_points
    driven = [carry_over(motion, avatar) for motion in chosen]
    warps = (canvas.mesh.warp(d.mesh).kept() for d in driven)
    return [
        Drawing(avatar.code, points, d.points, d.dense, canvas, warp)
        for d, warp in zip(driven, warps, strict=True)
    ]
