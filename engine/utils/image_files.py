"""Image files of a user's: upright, in sRGB, 8 bits, and one clear line for each that cannot be read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.types import Image, MienError, SourceError
from mien.engine.utils.bit_depth import deep_values, to_eight, white_in
from mien.engine.utils.files import read_user_file
from mien.engine.utils.images import WHITE, over_white

MAX_PIXELS = 100_000_000
HEIC_SUFFIXES = frozenset({".heic", ".heif"})
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def load_image(path: str | Path, *, white: float | None = None, opacity: bool = False) -> Image:
    """Read an image file.

    EXIF orientation is applied, an embedded colour profile converted to sRGB, transparency laid over white,
    more than 8 bits scaled (not clipped) to 8; of an animation the first image is taken.

    Args:
        path: the file.
        white, opacity: see :func:`decode_image`.

    Returns:
        ``(H, W, 3) uint8`` RGB, at the file's full size.

    Raises:
        SourceError: missing, damaged, too large (over 100 megapixels) or not an image.
    """
    path = Path(path)
    data = _read(path)
    if path.suffix.lower() in HEIC_SUFFIXES or (data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS):
        raise SourceError(f"{path.name} is a HEIC photo, which Mien does not read. Export it as JPEG or PNG.")
    return decode_image(path.name, data, white=white, opacity=opacity)


def white_of_file(path: Path) -> float | None:
    """The value that is white in an image file with more than 8 bits; None for the others."""
    from PIL import Image as Pil
    from PIL import UnidentifiedImageError

    data = _read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pil.open(io.BytesIO(data)) as opened:
                _check_size(path.name, opened.size, MAX_PIXELS)
                values = deep_values(data, opened)
    except UnidentifiedImageError:
        values = deep_values(data, None)
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, Pil.DecompressionBombError):
        return None  # what is wrong with it is said where it is read
    return None if values is None else white_in(values)


def decode_image(
    name: str,
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    limit: Callable[[Any], Any] | None = None,
    white: float | None = None,
    opacity: bool = False,
) -> Image:
    """Decode an image file in memory, with the same conversions as :func:`load_image`.

    Args:
        name: what messages call it.
        data: the file's bytes.
        max_pixels: larger images are refused before anything is decoded.
        formats: Pillow's names of the formats to try; None tries all that it knows.
        limit: takes Pillow's image before its pixels are decoded and returns the one to go on with; it may
            refuse (``MienError``) or reduce it.
        white: of images with more than 8 bits the value that becomes 255; None takes the smallest usual depth
            that holds the image's values.
        opacity: give an image that is transparent somewhere as ``(H, W, 4)``: colours over white, opacity.

    Raises:
        MienError: as :func:`load_image`.
    """
    from PIL import Image as Pil
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow's own size check only warns below 2x its limit; ours comes before decoding. And it warns
            # of damaged EXIF, which costs nothing.
            warnings.simplefilter("ignore")
            with Pil.open(io.BytesIO(data), formats=formats) as picture:
                _check_size(name, picture.size, max_pixels)
                bounded = picture if limit is None else limit(picture)
                bounded.load()
                return _to_rgb(_upright(_eight_bits(data, bounded, white)), opacity=opacity)
    except MienError:
        raise
    except Pil.DecompressionBombError as error:
        raise SourceError(
            f"{name} is too large to read. Scale it down to at most {max_pixels // 1_000_000} megapixels."
        ) from error
    except UnidentifiedImageError as error:
        values = deep_values(data, None) if formats is None else None
        if values is not None:
            _check_size(name, (values.shape[1], values.shape[0]), max_pixels)
            return _to_rgb(Pil.fromarray(to_eight(values, white or white_in(values))))
        raise SourceError(f"{name} is not an image file. Give a PNG, JPEG, WebP or TIFF image.") from error
    except MemoryError as error:
        raise SourceError(f"{name} takes too much memory to read. Scale it down.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise SourceError(f"{name} is damaged or cut off ({error}). Copy or export it again.") from error


def _read(path: Path) -> bytes:
    data = read_user_file(path, "Give one image file (PNG, JPEG, WebP, TIFF).")
    if not data:
        raise SourceError(f"{path.name} is empty (0 bytes). Copy or export it again.")
    return data


def _check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise SourceError(
            f"{name} is {width} x {height} pixels, over the limit of "
            f"{max_pixels // 1_000_000} megapixels. Scale it down."
        )


def _to_rgb(picture: Any, *, opacity: bool = False) -> Image:
    if picture.mode == "PA" or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "LA") else None
    colour = _to_srgb(picture)
    if alpha is None:
        return np.array(colour, np.uint8)
    colour.putalpha(alpha)
    rgba = np.array(colour, np.uint8)
    shown = over_white(rgba)
    return np.dstack([shown, rgba[..., 3]]) if opacity and rgba[..., 3].min() < WHITE else shown


def _eight_bits(data: bytes, picture: Any, white: float | None) -> Any:
    """An image of more than 8 bits, scaled to 8 (Pillow's conversion clips at 255); others as they are."""
    from PIL import Image as Pil

    values = deep_values(data, picture)
    if values is None or values.shape[:2] != (picture.size[1], picture.size[0]):
        return picture
    shallow = Pil.fromarray(to_eight(values, white or white_in(values)))
    shallow.info = dict(picture.info)
    return shallow


def _upright(picture: Any) -> Any:
    """The image turned as its EXIF data say; as it is where those are damaged."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # Pillow raises what its parsers meet: struct.error, KeyError, TypeError, ...
        return picture


def _to_srgb(picture: Any) -> Any:
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    base = picture.convert(picture.mode.rstrip("A")) if picture.mode in ("RGBA", "LA") else picture
    if profile and base.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(base, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            pass  # broken profiles are common; other programs show the image without them, too
    return base.convert("RGB")
