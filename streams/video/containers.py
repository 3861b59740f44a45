"""Opening media containers with FFmpeg (PyAV): errors in plain words, and the zero of media time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from mien.engine.types import SourceError
from mien.engine.utils.files import no_such_file
from mien.streams.video.ffmpeg import Disposition, FFmpegError, av


def open_input(path: Path) -> Any:
    """Open ``path`` for reading.

    Returns:
        a PyAV ``InputContainer``.

    Raises:
        SourceError: missing, empty, unreadable or not a media file.
    """
    _check_file(path)
    try:
        return av.open(media_path(path), mode="r", metadata_errors="replace")
    except PermissionError as error:
        raise SourceError(f"No permission to read {path}.") from error
    except (FFmpegError, ValueError, OSError) as error:
        raise SourceError(
            f"{path.name} cannot be read as a video ({_reason(error)}). It may be damaged, cut off or "
            "another kind of file; try to play it, or export it again."
        ) from error


def media_path(path: Path) -> str:
    """``path`` as FFmpeg takes it: absolute, or it would take ``12:30:45.mp4`` for an address."""
    return str(path.absolute())


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Give a video file.")
    if not path.exists():
        raise SourceError(no_such_file(path))
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path.name} is empty (0 bytes). Copy or record it again.")


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def video_stream(container: Any) -> Any | None:
    """The default video track, else the first, or None. Cover art of a song does not count."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return _default([stream for stream in container.streams.video if not stream.disposition & still])


def sound_stream(container: Any) -> Any | None:
    """The default sound track among those that FFmpeg can decode, else the first of them, or None."""
    return _default([stream for stream in container.streams.audio if stream.codec_context is not None])


def _default(streams: list[Any]) -> Any | None:
    """The track that the file marks as its default; where none or several are, the first of them."""
    marked = [stream for stream in streams if stream.disposition & Disposition.default]
    return next(iter(marked or streams), None)


def media_origin(container: Any) -> Fraction:
    """The time stamp, in seconds, that counts as zero in this file.

    MPEG transport streams and captures start anywhere (often at 1.4 s); the earlier of the first frame
    and the first sound is taken as zero, so that both keep their distance.  Sound before zero is encoder
    priming (AAC: 1024 samples), which players cut off: it must not shift the frames.
    """
    video = _start(video_stream(container))
    sound = _start(sound_stream(container))
    if video is None:
        return max(sound, Fraction(0)) if sound is not None else Fraction(0)
    return video if sound is None else min(video, max(sound, Fraction(0)))


def _start(stream: Any | None) -> Fraction | None:
    if stream is None or stream.start_time is None or not stream.time_base:
        return None
    return Fraction(stream.start_time) * Fraction(stream.time_base)
