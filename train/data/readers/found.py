"""Results of a reader."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.train.data.clips import Clip


@dataclass(frozen=True)
class Found:
    """Clips, stills, and missing files.

    Attributes:
        clips: usable as far as their file names tell.
        stills: single portraits.
        missing: a line for each clip that is listed but not present, or present but not listed.
        notes: further information for the user (unused columns).
    """

    clips: list[Clip]
    stills: list[Clip] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
