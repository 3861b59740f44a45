"""Portraits: one still picture from a file, upright, in sRGB, 8 bits."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from mien.engine.types import Image, MienError, SourceError

MAX_PIXELS = 100_000_000
IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".ppm",
        ".pgm",
        ".avif",
        ".jp2",
        ".tga",
    }
)
HEIC_SUFFIXES = frozenset({".heic", ".heif"})
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts ``img2`` before ``img10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), p) if p.isdigit() else (1, 0, p) for p in parts if p]


def list_images(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, hidden ones left out, in natural order."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted((p for p in found if p.is_file()), key=natural_key)


def list_portraits(folder: str | Path) -> list[Path]:
    """The portraits in ``folder`` in natural order.

    Raises:
        MienError: when the folder is missing or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. Give a folder of portraits (PNG, JPEG, WebP, TIFF).")
    portraits = list_images(folder)
    if not portraits:
        raise SourceError(f"{folder} holds no pictures. Put PNG, JPEG, WebP or TIFF portraits there.")
    return portraits


def load_image(path: str | Path) -> Image:
    """Read a picture file.

    EXIF orientation is applied, an embedded colour profile converted to sRGB, transparency laid over white,
    16 bits scaled (not clipped) to 8; of an animation the first picture is taken.

    Returns:
        ``(H, W, 3) uint8`` RGB, at the file's full size.

    Raises:
        MienError: missing, damaged, too large (over 100 megapixels) or not a picture.
    """
    path = Path(path)
    data = _read(path)
    if path.suffix.lower() in HEIC_SUFFIXES or (data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS):
        raise SourceError(f"{path.name} is a HEIC photo, which Mien does not read. Export it as JPEG or PNG.")
    return decode_image(path.name, data)


def decode_image(
    name: str,
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    formats: tuple[str, ...] | None = None,
    limit: Callable[[Any], Any] | None = None,
) -> Image:
    """Decode a picture that is in memory, with :func:`load_image`'s care.

    Args:
        name: what messages call it.
        data: the file's bytes.
        max_pixels: larger pictures are refused before anything is decoded.
        formats: Pillow's names of the formats to try; None tries all that it knows.
        limit: takes Pillow's image before its pixels are decoded and returns the one to go on with; it may
            refuse (``MienError``) or reduce it.

    Raises:
        MienError: as :func:`load_image`.
    """
    from PIL import Image as Pil
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow's own size check only warns below 2x its limit; ours comes before decoding.
            warnings.simplefilter("ignore", Pil.DecompressionBombWarning)
            with Pil.open(io.BytesIO(data), formats=formats) as picture:
                _check_size(name, picture.size, max_pixels)
                bounded = picture if limit is None else limit(picture)
                bounded.load()
                return _to_rgb(ImageOps.exif_transpose(bounded))
    except MienError:
        raise
    except Pil.DecompressionBombError as error:
        raise SourceError(
            f"{name} is too large to read. Scale it down to at most {max_pixels // 1_000_000} megapixels."
        ) from error
    except UnidentifiedImageError as error:
        raise SourceError(
            f"{name} is not a picture file. Give a PNG, JPEG, WebP or TIFF portrait."
        ) from error
    except MemoryError as error:
        raise SourceError(f"{name} takes too much memory to read. Scale it down.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise SourceError(f"{name} is damaged or cut off ({error}). Copy or export it again.") from error


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Give one picture file (PNG, JPEG, WebP, TIFF).")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(
            f"{path} does not exist. Check the spelling; relative paths start at {Path.cwd()}."
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
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


def _to_rgb(picture: Any) -> Image:
    from mien.streams.images import over_white

    picture = _eight_bits(picture)
    if picture.mode == "PA" or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "LA") else None
    colour = _to_srgb(picture)
    if alpha is None:
        return np.array(colour, np.uint8)
    colour.putalpha(alpha)
    return over_white(np.array(colour, np.uint8))


def _eight_bits(picture: Any) -> Any:
    """16- and 32-bit grey to 8 by scaling: Pillow's own conversion clips at 255."""
    from PIL import Image as Pil

    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.array(picture, np.float64)
    top = 65535.0 if picture.mode.startswith("I") else max(1.0, float(values.max(initial=0)))
    return Pil.fromarray(np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8))


def _to_srgb(picture: Any) -> Any:
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    base = picture.convert(picture.mode.rstrip("A")) if picture.mode in ("RGBA", "LA") else picture
    if profile and base.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(base, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            pass  # a broken profile is common; the picture without it is what other programs show
    return base.convert("RGB")


def fit_within(image: Image, max_side: int) -> Image:
    """Reduce ``(H, W, 3)`` by area averaging so that no side exceeds ``max_side`` pixels; never enlarge.

    Returns:
        ``(H', W', 3) uint8``; ``image`` itself where it already fits.
    """
    import cv2

    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def fit_into(image: Image, size: tuple[int, int], out: Image | None = None) -> Image:
    """The whole picture within ``(width, height)``, black where it does not fill it.

    Args:
        image: ``(H, W, 3) uint8``; given back as it is where it fits exactly.
        out: ``(height, width, 3) uint8`` to draw into; a new array when left out.
    """
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    if out is None:
        out = np.zeros((height, width, 3), np.uint8)
    else:
        out[:] = 0
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=how)
    return out


WHITE = 255


def over_white(rgba: Image) -> Image:
    """Composite ``(H, W, 4) uint8`` over white, the paper that a cut-out portrait is thought on."""
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + WHITE * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)
