"""Contact sheets: rows of images for visual inspection."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from mien.engine.types import Image

HEADER = 18


def to_image(tensor: Tensor) -> Image:
    """``(3, H, W)`` in 0..1 -> ``(H, W, 3) uint8``."""
    values = tensor.detach().float().clamp(0, 1).mul(255).add(0.5)
    return np.asarray(values.permute(1, 2, 0).cpu().numpy(), dtype=np.uint8)


def contact_sheet(rows: Sequence[Sequence[Image]], titles: Sequence[str], side: int = 192) -> Image:
    """Arrange rows of images under their titles.

    Args:
        rows: images ``(H, W, 3) uint8`` RGB, as many in each row as there are titles.
        side: of an image in the sheet, pixels.
    """
    width = side * len(titles)
    head = np.full((HEADER, width, 3), 255, np.uint8)
    for column, title in enumerate(titles):
        place = (column * side + 4, HEADER - 5)
        cv2.putText(head, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    lines = [head]
    for row in rows:
        cells = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in row]
        lines.append(np.concatenate(cells, axis=1))
    return np.ascontiguousarray(np.concatenate(lines, axis=0))


def write_sheet(path: str, sheet: Image) -> None:
    """Write a sheet as PNG."""
    cv2.imwrite(path, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
