"""Access to OpenCV's devices and windows, with its failures in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from mien.engine.types import ModelError


def load_cv2() -> Any:
    """The ``cv2`` module.

    Raises:
        ModelError: OpenCV is missing, or a system library that it needs is.
    """
    try:
        import cv2
    except ImportError as error:
        raise ModelError(
            f"OpenCV cannot be loaded ({error}). On a bare Debian or Ubuntu run "
            "`apt-get install libgl1 libglib2.0-0`, or install opencv-contrib-python-headless in its place."
        ) from error
    return cv2


def windows_would_hang(loaded: Iterable[str] | None = None, system: str = sys.platform) -> bool:
    """Whether PyAV came before OpenCV into this process, after which a window never opens.

    Args:
        loaded: module names in the order of their import (``sys.modules``).
        system: ``sys.platform``.
    """
    order = list(sys.modules if loaded is None else loaded)
    if not system.startswith("linux") or "av" not in order:
        return False
    return "cv2" not in order or order.index("av") < order.index("cv2")
