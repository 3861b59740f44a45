"""The two ways in which an avatar's opened mouth gets its inside."""

from __future__ import annotations

from typing import Literal, TypeAlias

MouthMode: TypeAlias = Literal["own", "painted"]
"""``own``: the driver's, where it is seen well enough; ``painted``: what portrait and network have alone."""

OWN: MouthMode = "own"
PAINTED: MouthMode = "painted"
MODES: tuple[MouthMode, ...] = (OWN, PAINTED)
