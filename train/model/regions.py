"""Assignment of MediaPipe's 478 face mesh points to facial regions.

The numbers are the contours of the public face mesh topology (right and left are the subject's own),
the two irises are 468..477.
"""

from __future__ import annotations

import torch

from mien.engine.landmarks import canonical_mesh

RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)

#: The first soft maps that the network gets; those of the apertures and one of the whole face follow.
REGIONS: tuple[tuple[int, ...], ...] = (
    RIGHT_EYE,
    LEFT_EYE,
    RIGHT_BROW + LEFT_BROW,
    LIPS_OUTER + LIPS_INNER,
)

#: Parts that open and shut: upper and lower border, both from the image's left corner to the right one.
APERTURES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)),
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)

#: Points over bone that expressions hardly move: forehead, temples, nose, eye corners.
_FOREHEAD = (10, 151, 9, 8, 108, 337, 67, 297, 109, 338, 69, 299, 104, 333, 103, 332, 54, 284, 21, 251)
_TEMPLES = (162, 389, 127, 356)
_NOSE = (6, 168, 197, 195, 5, 4, 1)
_EYE_CORNERS = (33, 133, 362, 263)
RIGID = _FOREHEAD + _TEMPLES + _NOSE + _EYE_CORNERS

#: Distance of the outer eye corners in a crop, normalised units: the mean over the shared clips.
EYES_APART = 0.58

#: Weight of every other point in the head's similarity.
SOFT_WEIGHT = 0.02


def region_members(landmarks: int) -> torch.Tensor:
    """``(len(REGIONS) + 1, landmarks)`` of 0 and 1; the last row is the whole face."""
    members = torch.zeros(len(REGIONS) + 1, landmarks)
    for row, region in enumerate(REGIONS):
        members[row, list(region)] = 1.0
    members[-1] = 1.0
    return members


def aperture_borders() -> torch.Tensor:
    """``(len(APERTURES), 2, P)`` landmark numbers; shorter borders repeat their last point."""
    longest = max(len(border) for pair in APERTURES for border in pair)
    padded = [[border + border[-1:] * (longest - len(border)) for border in pair] for pair in APERTURES]
    return torch.tensor(padded)


def landmark_spacing(landmarks: int) -> torch.Tensor:
    """``(landmarks,)`` mean distance to the four nearest neighbours on a frontal face in a crop.

    Measured on MediaPipe's canonical face at the mean size of faces in crops.  The irises, which it lacks,
    are dense: 0.
    """
    mesh = torch.from_numpy(canonical_mesh()[:, :2]).double()
    mesh = mesh * (EYES_APART / (mesh[263, 0] - mesh[33, 0]))
    nearest = torch.cdist(mesh, mesh).topk(5, dim=1, largest=False).values
    spacing = torch.zeros(landmarks)
    spacing[: len(mesh)] = nearest[:, 1:].mean(dim=1).float()
    return spacing


def landmark_depth(landmarks: int) -> torch.Tensor:
    """``(landmarks,)`` depth on MediaPipe's canonical face, zero mean and unit norm; irises: 0."""
    depth = torch.from_numpy(canonical_mesh()[:, 2]).double()
    depth = depth - depth.mean()
    padded = torch.zeros(landmarks)
    padded[: len(depth)] = (depth / depth.norm()).float()
    return padded


def rigid_weights(landmarks: int) -> torch.Tensor:
    """``(landmarks,)`` weights for the head's similarity, summing to 1."""
    weights = torch.full((landmarks,), SOFT_WEIGHT)
    weights[list(RIGID)] = 1.0
    return weights / weights.sum()
