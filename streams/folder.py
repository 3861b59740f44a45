"""Folders of numbered images as source and sink."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from mien.engine.types import Frame, Image, SinkError, SourceError, UsageError
from mien.engine.utils.bit_depth import depth_of, white_of
from mien.engine.utils.files import beside, clear_unfinished
from mien.engine.utils.image_files import white_of_file
from mien.streams.images import list_images, load_image
from mien.streams.sink import Sink, check_writable_parent, write_failure
from mien.streams.source import Source, SourceInfo

LOSSLESS_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"})


MOST_LOOKED_AT = 200
"""Files of a folder that are looked at for the depth of its values."""


class FrameFolderSource(Source):
    """The images of a folder in natural order (``img2`` before ``img10``), all of one size.

    Files that are not images are ignored. Frames are ``(H, W, 3) uint8`` RGB; times are ``index / fps``.

    Args:
        path: the folder.
        fps: images per second at which they were taken.
        bits: depth of the values in files of more than 8 bits; None tells it from them.

    Raises:
        MienError: no folder, no image in it, or images of different sizes.
    """

    def __init__(self, path: str | Path, fps: Fraction | float = 25, bits: int | None = None) -> None:
        self.notes = []
        self._path = Path(path)
        if not self._path.is_dir():
            raise UsageError(f"{self._path} is not a folder. Give a folder of images or a video file.")
        self._rate = Fraction(fps).limit_denominator(1001)
        if self._rate <= 0:
            raise UsageError(f"{fps} frames per second make no sequence. Give a rate above 0, such as 25.")
        self._files = frame_files(self._path, self.notes)
        if not self._files:
            raise SourceError(f"{self._path} holds no images. Put PNG, JPEG, WebP, BMP or TIFF files there.")
        self._white = white_of(bits) if bits else self._common_white()
        height, width = load_image(self._files[0], white=self._white).shape[:2]
        self._info = SourceInfo(width, height, self._rate, len(self._files), False, False, self._path.name)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            image = load_image(file, white=self._white)
            self._check_size(file, image)
            yield Frame(image, index, time.monotonic_ns(), float(index / self._rate))

    def _common_white(self) -> float | None:
        """The value that is white in all the frames; None where they have 8 bits."""
        if white_of_file(self._files[0]) is None:
            return None
        looked_at = self._files[:: max(1, len(self._files) // MOST_LOOKED_AT)]
        white = max(found for file in looked_at if (found := white_of_file(file)) is not None)
        if 255 < white < white_of(16):
            self.notes.append(
                f"The 16-bit files in {self._path.name} hold {depth_of(white)}-bit values and were read so; "
                "--bits overrules it."
            )
        return white

    def _check_size(self, file: Path, image: Image) -> None:
        height, width = image.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            first = f"{self._files[0].name} is {self._info.width} x {self._info.height} pixels"
            raise SourceError(
                f"{first} but {file.name} is {width} x {height}. Give a folder of images of one size."
            )

    def close(self) -> None:
        """Nothing is held open."""


def frame_files(folder: Path, notes: list[str] | None = None) -> list[Path]:
    """The frames of a folder in order; ``notes`` takes what is remarkable about them."""
    return _one_per_name(list_images(folder), folder.name, [] if notes is None else notes)


def _one_per_name(files: list[Path], folder: str, notes: list[str]) -> list[Path]:
    """Of frames that are there in several formats (``img1.jpg``, ``img1.png``) the one in the usual format.

    The format of most files counts as usual; of equally many the one that loses nothing.
    """
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(file.stem, []).append(file)
    if len(by_name) == len(files):
        return files
    count = Counter(file.suffix.lower() for file in files)

    def usual(file: Path) -> tuple[int, bool]:
        ending = file.suffix.lower()
        return count[ending], ending in LOSSLESS_SUFFIXES

    kept = [max(same, key=usual) for same in by_name.values()]
    notes.append(
        f"{folder} holds {len(files) - len(kept)} frames twice, in several formats; one file of each "
        f"name was used ({kept[0].name}, ...)."
    )
    return kept


class FrameFolderSink(Sink):
    """Writes ``000000.png``, ``000001.png``, ... bit-exact into a new folder.

    The folder is built under a hidden name and moved to its place by :meth:`close`. Times are not kept.

    Raises:
        MienError: the place cannot be written, or the folder exists and is not empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.notes = []
        self._path = Path(path)
        check_writable_parent(self._path)
        if self._path.exists() and (not self._path.is_dir() or any(self._path.iterdir())):
            kind = "is not empty" if self._path.is_dir() else "is a file"
            raise SinkError(f"{self._path} {kind}. Give the name of a new folder, or a file such as out.mp4.")
        clear_unfinished(self._path)
        self._part = beside(self._path)
        self._count = 0
        self._done = False
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir()

    def write(self, image: Image, time: float) -> None:
        """Add an ``(H, W, 3) uint8`` RGB or ``(H, W, 4)`` RGBA image; ``time`` is not kept.

        Raises:
            MienError: when it cannot be written; nothing is left behind then.
        """
        from PIL import Image as Pil

        if self._done:
            raise ValueError("write() after close()")
        target = self._part / f"{self._count:06d}.png"
        try:
            # Level 1: half the time of the default for files a few per cent larger.
            Pil.fromarray(image).save(target, compress_level=1)
        except OSError as error:
            self.abort()
            raise write_failure(self._path, error) from error
        self._count += 1

    def close(self) -> None:
        """Move the folder to its place.

        Raises:
            MienError: no image was written, or the place was taken meanwhile.
        """
        if self._done:
            return
        if self._count == 0:
            self.abort()
            raise SinkError(f"No image was written, so {self._path} was not made.")
        try:
            if self._path.is_dir():
                self._path.rmdir()
            self._part.rename(self._path)
        except OSError as error:
            self.abort()
            raise write_failure(self._path, error) from error
        self._done = True

    def abort(self) -> None:
        """Remove the images written so far."""
        if not self._done:
            self._done = True
            shutil.rmtree(self._part, ignore_errors=True)
