"""Reader of MEGC's generation task (2021, 2022): source clips and normalised target faces.

``MEGC2021_generation/source_samples/casme2_challenge/Negative_EP19_06f/*.jpg`` (likewise SAMM and SMIC;
folders of images or videos) and ``target_template_face/normalized_asianFemale.jpg``.
"""

from __future__ import annotations

import re
from pathlib import Path

from mien.engine.types import SourceError
from mien.train.data.clips import Clip
from mien.train.data.readers.folders import IMAGES, VIDEOS
from mien.train.data.readers.found import Found
from mien.train.data.readers.micro import LICENCE

SOURCES, TARGETS = "source_samples", "target_template_face"


def megc_root(folder: Path) -> Path | None:
    """The folder of a MEGC generation release that is, or lies in, ``folder``; None for another layout."""
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (place / SOURCES).is_dir() or (place / TARGETS).is_dir():
            return place
    return None


def read_megc(root: Path) -> Found:
    """Source clips and, as stills, the target faces.

    Clips of SAMM (``022_3_3``) and SMIC (``s3_po_05``) name the person; CASME II's do not and count as one.

    Raises:
        SourceError: there is neither.
    """
    clips = [
        _clip(path)
        for path in sorted(root.glob(f"{SOURCES}/*/*"))
        if path.is_dir() or path.suffix.lower() in VIDEOS
    ]
    faces = [p for p in sorted(root.glob(f"{TARGETS}/**/*")) if p.suffix.lower() in IMAGES]
    stills = [
        Clip(f"megc-{path.stem}", path, f"megc-{path.stem}", f"megc-{path.stem}", "MEGC targets", LICENCE)
        for path in faces
    ]
    if not clips and not stills:
        raise SourceError(f"{root}: no clips in {SOURCES} and no faces in {TARGETS}. Restore the layout.")
    return Found(clips, stills)


def _clip(path: Path) -> Clip:
    emotion, _, name = path.stem.partition("_")
    if emotion.lower() not in ("negative", "positive", "surprise", "others"):
        emotion, name = "", path.stem
    person = re.match(r"(s?\d+)_", name)
    subject = f"megc-{path.parent.name}" + (f"-{person[1]}" if person else "")
    return Clip(
        id=f"megc-{path.parent.name}-{path.stem}",
        path=path,
        subject=subject,
        group=subject,
        collection=f"MEGC {path.parent.name}",
        licence=LICENCE,
        emotion=emotion.lower(),
    )
