"""Tone mapping of high dynamic range (HLG, PQ) to BT.709: faces as bright as in ordinary video.

ITU-R BT.2100 defines both transfer functions, BT.2408 the level of a white surface (203 cd/m2) and BT.2390
(5.4) the roll-off of what is brighter. Mid tones are carried over as they are.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from mien.engine.types import Floats, Image

HLG, PQ = 18, 16
"""AVCOL_TRC_ARIB_STD_B67 and AVCOL_TRC_SMPTE2084."""

BT2020 = 9
"""AVCOL_PRI_BT2020."""

NAMES = {HLG: "HLG", PQ: "PQ"}

WHITE = 203.0
"""Luminance of a white surface, cd/m2 (BT.2408); it becomes the white of the result."""

PEAK = 1000.0
"""Luminance of the mastering display, cd/m2: HLG's nominal one, and that of nearly all PQ material."""

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
_STEPS = 4096


def tone_mapped(values: np.ndarray, transfer: int, *, wide: bool) -> Image:
    """An HDR image in sRGB.

    Args:
        values: ``(H, W, 3) uint16`` RGB signal, full range.
        transfer: :data:`HLG` or :data:`PQ`.
        wide: the primaries are BT.2020's (else BT.709's).

    Returns:
        ``(H, W, 3) uint8``.
    """
    light = _light(transfer)[values >> 4]
    if transfer == HLG:
        # The system gamma acts on the luminance (BT.2100, table 5), so that hues stay.
        scene = light @ _LUMA
        light *= (PEAK / WHITE) * np.power(np.maximum(scene, 1e-6), 0.2)[..., None]
    brightest = light.max(axis=2)
    light *= _looked_up(_rolled_off(), brightest / (PEAK / WHITE))[..., None]
    if wide:
        light = cv2.transform(light, _TO_709)
    return np.asarray(_codes()[np.clip(light * (_STEPS - 1) + 0.5, 0, _STEPS - 1).astype(np.uint16)])


def _looked_up(table: Floats, position: Floats) -> Floats:
    return np.asarray(table[np.clip(position * (_STEPS - 1) + 0.5, 0, _STEPS - 1).astype(np.uint16)])


@lru_cache(maxsize=2)
def _light(transfer: int) -> Floats:
    """Light by signal, ``(4096,)``: of the scene, 0 to 1, for HLG; of the display, 1 for white, for PQ."""
    signal = np.linspace(0, 1, _STEPS)
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.asarray(
            np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12), np.float32
        )
    return np.asarray(_pq_light(signal) / WHITE, np.float32)


def _pq_light(signal: np.ndarray) -> np.ndarray:
    root = np.power(signal, 1 / _M2)
    return np.asarray(10_000 * np.power(np.maximum(root - _C1, 0) / (_C2 - _C3 * root), 1 / _M1))


def _pq_signal(light: np.ndarray) -> np.ndarray:
    power = np.power(np.maximum(light, 0) / 10_000, _M1)
    return np.asarray(np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2))


@lru_cache(maxsize=1)
def _rolled_off() -> Floats:
    """By how much light is reduced, ``(4096,)`` from 0 to :data:`PEAK`: a Hermite spline above a knee."""
    light = np.linspace(0, PEAK, _STEPS)
    top = _pq_signal(np.array(PEAK))
    signal = _pq_signal(light) / top
    most = float(_pq_signal(np.array(WHITE)) / top)
    knee = 1.5 * most - 0.5
    t = np.clip((signal - knee) / (1 - knee), 0, 1)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    mapped = _pq_light(np.where(signal < knee, signal, curve) * top)
    return np.asarray(np.where(light > 0, mapped / np.maximum(light, 1e-6), 1.0), np.float32)


@lru_cache(maxsize=1)
def _codes() -> Image:
    """Codes of sRGB by light, ``(4096,) uint8``."""
    light = np.linspace(0, 1, _STEPS)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return np.asarray(code * 255 + 0.5, np.uint8)
