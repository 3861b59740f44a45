"""What a reader finds in a data set's folder."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.train.data.clips import Clip


@dataclass(frozen=True)
class Found:
    """Clips, stills, and what is not there.

    Attributes:
        clips: usable as far as their files' names say.
        stills: single portraits.
        missing: a line for each clip that is listed but not there, or there but not listed.
        notes: what else the user should know (columns without use).
    """

    clips: list[Clip]
    stills: list[Clip] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
