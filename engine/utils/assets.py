"""Files that ship inside the package."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
PORTRAIT = ASSETS / "portrait.jpg"
GALLERY = ASSETS / "gallery"
SEGMENTATION = ASSETS / "selfie_segmentation.tflite"
DEMO_MOTION = ASSETS / "demo-motion.npz"
FOLLOWING = ASSETS / "head-following.npz"
