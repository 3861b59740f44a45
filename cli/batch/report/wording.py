"""Wording of the report: regions, directions and numbers for readers who are not engineers."""

from __future__ import annotations

from math import atan2, degrees, hypot, isfinite

_PLAIN = {
    "forehead": "forehead",
    "brow_inner": "inner brow",
    "brow_outer": "outer brow",
    "upper_lid": "upper eyelid",
    "lower_lid": "lower eyelid",
    "nose_bridge": "bridge of the nose",
    "nose_wing": "wing of the nose",
    "nose_tip": "tip of the nose",
    "cheek": "cheek",
    "upper_lip": "upper lip",
    "lower_lip": "lower lip",
    "mouth_corner": "mouth corner",
    "chin": "chin",
    "jaw": "jaw",
}

_ARROWS = "→↘↓↙←↖↑↗"


def region_words(name: str) -> str:
    """``brow_inner_right`` -> ``right inner brow`` (the person's own right)."""
    for side in ("right", "left"):
        if name.endswith(f"_{side}"):
            return f"{side} {_PLAIN[name.removesuffix(f'_{side}')]}"
    return _PLAIN[name]


def direction_words(name: str, x: float, y: float) -> str:
    """Where a region moves, for a displacement in the image (x right, y down)."""
    if hypot(x, y) == 0:
        return "nowhere"
    parts = []
    if abs(y) > 0.38 * hypot(x, y):
        parts.append("down" if y > 0 else "up")
    if abs(x) > 0.38 * hypot(x, y):
        parts.append(_sideways(name, x))
    return " and ".join(parts)


def _sideways(name: str, x: float) -> str:
    if name.endswith("_right"):
        return "inwards" if x > 0 else "outwards"
    if name.endswith("_left"):
        return "inwards" if x < 0 else "outwards"
    return "to their left" if x > 0 else "to their right"


def arrow(x: float, y: float) -> str:
    """An arrow that points where ``(x, y)`` does on the screen."""
    return _ARROWS[round(degrees(atan2(y, x)) / 45) % 8]


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None or not isfinite(value) else f"{value:.{digits}f}"


METRIC_WORDS = {
    "correlation": (
        "fidelity",
        "Pearson correlation of the two faces' movements, over all places of the face and all frames. "
        "1: the same movement in the same places at the same times; 0: unrelated.",
    ),
    "ceiling": (
        "fidelity of a copy",
        "What a noiseless copy of the driver would get: the driver's own movement is measured with noise. "
        "Read the fidelity against it.",
    ),
    "gain": (
        "strength",
        "How large the result's movement is against the driver's, where they agree. "
        "1: equally strong; 0.7: seven tenths of it.",
    ),
    "jitter": (
        "jitter",
        "Unrest from frame to frame (second difference in time), against the driver's own, which "
        "includes the camera's noise. 1: equally calm; more: it trembles.",
    ),
    "torn": (
        "torn",
        "Share of the looked-at frames whose face comes to pieces: texture that the photograph does not "
        "have, outlines seen twice. 0: none.",
    ),
}
"""Name and meaning of each metric in the report."""
