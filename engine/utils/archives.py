"""NumPy archives (``.npz``) of a user's, read without pickles, whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class DamagedArchiveError(ValueError):
    """A file that is no archive, or of which a part cannot be read."""


def read_archive(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of an archive by name.

    Raises:
        OSError: the file cannot be opened.
        DamagedArchiveError: it is something else, or damaged.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: np.asarray(archive[name]) for name in archive.files}
        # zipfile, zlib, struct, tokenize and NumPy's own reader raise what they meet: a dozen kinds.
        except Exception as error:
            raise DamagedArchiveError(f"{path}: {error}") from error
