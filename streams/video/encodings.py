"""Muxer, codec and options by file extension."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from mien.engine.types import SinkError, UsageError

# 90 kHz holds 24, 25, 30, 50, 60 and the NTSC rates exactly.
FINE = Fraction(1, 90_000)

QUALITY = 10
"""Default constant rate factor.  At x264's usual 18 the codec eats half-pixel motion: on a driver of 0.16 px
mean facial motion (128 px face) fidelity fell from 0.70 to 0.64 and jitter rose from 0.83 to 1.11; at 10 they
are 0.70 and 0.87, for three times the bytes (2 kB a frame of 256 x 256)."""

LIVE_LOOKAHEAD, LIVE_FINER = 10, 2
"""x264 in a live run: frames that it looks ahead (40 otherwise, each kept in several sizes), and by how much
its factor is finer for that.  At 512 x 512 it takes 26 MB in place of 57, at 1024 x 1024 87 in place of 186;
half-pixel motion is kept as well, and files are 12 to 20 % larger."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How frames and sound go into one kind of file.

    Attributes:
        muxer: FFmpeg's name of the container format.
        codec, pixel_format, options: of the video track.
        time_base: tick of the frame times in seconds; None means one frame (AVI knows only fixed rates).
        muxer_options: options of the container.
        copied_sound: sound codecs that are carried over as they are.
        sound_codec: encoder for all others; None where the container has no sound.
    """

    muxer: str
    codec: str
    pixel_format: str
    options: dict[str, str]
    time_base: Fraction | None = FINE
    muxer_options: dict[str, str] = field(default_factory=dict)
    copied_sound: frozenset[str] = frozenset()
    sound_codec: str | None = None

    @property
    def least_ticks(self) -> int | None:
        """Ticks that a frame must stand at least; None where a frame may be as short as it likes.

        AVI knows one duration for all frames. Browsers show a GIF's delays of 10 ms as 100 ms.
        """
        return {"avi": 1, "gif": 2}.get(self.muxer)

    @property
    def trims_priming(self) -> bool:
        """Whether players of this container cut off an encoder's lead-in (edit lists do that)."""
        return self.muxer in ("mp4", "mov")

    @property
    def subsampled(self) -> bool:
        """Whether the pixel format needs even sizes."""
        return self.pixel_format in ("yuv420p", "yuvj420p", "yuva420p")

    @property
    def full_range(self) -> bool:
        """Whether YUV runs from 0 to 255 (JPEG) instead of 16 to 235."""
        return self.pixel_format == "yuvj420p"

    @property
    def rgb(self) -> bool:
        """Whether frames are stored as RGB, so that nothing is rounded."""
        return self.pixel_format in ("rgb24", "bgr0", "bgra", "gbrp")


def encoding_for(
    path: Path, *, lossless: bool, quality: int, opacity: bool = False, live: bool = False
) -> Encoding:
    """The encoding for ``path``'s extension.

    Args:
        path: the target file.
        lossless: bit-exact RGB.
        quality: constant rate factor, 0 (best) to 51; VP9 gets its own scale's equal.
        opacity: with a plane of opacity.
        live: beside a live run, in less memory.

    Raises:
        MienError: unknown extension, or one that cannot be lossless or hold opacity.
    """
    make = {
        ".mp4": _mp4,
        ".m4v": _mp4,
        ".mov": _mov,
        ".mkv": _mkv,
        ".webm": _webm,
        ".avi": _avi,
        ".gif": _gif,
    }.get(path.suffix.lower())
    if make is None:
        raise SinkError(
            f"{path.name}: Mien does not write '{path.suffix}' files. "
            "Use .mp4, .mov, .mkv, .webm, .avi, .gif, or a folder name for PNG images."
        )
    if not 0 <= quality <= 51:
        raise UsageError(f"Quality {quality} is outside 0 (best) to 51 (smallest); {QUALITY} is the default.")
    found = make(lossless, quality)
    if live and found.codec == "libx264":
        crf = max(1, quality - LIVE_FINER)
        found = replace(
            found, options={**found.options, "crf": str(crf), "rc-lookahead": str(LIVE_LOOKAHEAD)}
        )
    return _with_opacity(path, found, lossless) if opacity else found


def _with_opacity(path: Path, encoding: Encoding, lossless: bool) -> Encoding:
    """The same file with opacity in it."""
    if encoding.muxer == "webm" and not lossless:
        # With alternate reference frames libvpx drops the plane of opacity.
        options = {**encoding.options, "auto-alt-ref": "0"}
        return replace(encoding, pixel_format="yuva420p", options=options)
    if encoding.muxer == "mov" and not lossless:
        options = {"profile": "4444", "alpha_bits": "8", "vendor": "apl0"}
        return replace(encoding, codec="prores_ks", pixel_format="yuva444p10le", options=options)
    if encoding.muxer == "matroska" and lossless:
        return replace(encoding, pixel_format="bgra")
    kinds = "A folder name (PNG) and .mkv" if lossless else "A folder name (PNG), .webm and .mov"
    with_it = " with --lossless" if lossless else ""
    raise UsageError(
        f"{path.name}{with_it} cannot be transparent. {kinds} can; or give a colour: --background green."
    )


def _h264(lossless: bool, quality: int) -> tuple[str, str, dict[str, str]]:
    if lossless:
        # RGB H.264 with a quantizer of 0 is bit-exact; yuv444p is not, its matrix rounds.
        return "libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast", "bf": "0"}
    # No B frames: MP4 counts durations in decoding order, so with uneven times and reordered frames the file
    # says that it ends before its last frame (1.2 s for frames up to 2.0 s), and players cut it there.
    return "libx264", "yuv420p", {"crf": str(quality), "preset": "medium", "bf": "0"}


def _mp4(lossless: bool, quality: int) -> Encoding:
    # Only what browsers and players take in MP4; FFmpeg would also mux PCM and Vorbis.
    sound = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"})
    return Encoding(
        "mp4",
        *_h264(lossless, quality),
        muxer_options={"movflags": "+faststart"},
        copied_sound=sound,
        sound_codec="aac",
    )


def _mov(lossless: bool, quality: int) -> Encoding:
    sound = frozenset({"aac", "mp3", "ac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"})
    return Encoding(
        "mov",
        *_h264(lossless, quality),
        muxer_options={"movflags": "+faststart"},
        copied_sound=sound,
        sound_codec="aac",
    )


def _mkv(lossless: bool, quality: int) -> Encoding:
    sound = frozenset(
        {"aac", "mp3", "mp2", "ac3", "eac3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le"}
    )
    video = _ffv1() if lossless else _h264(False, quality)
    return Encoding("matroska", *video, copied_sound=sound, sound_codec="aac")


def _webm(lossless: bool, quality: int) -> Encoding:
    sound = frozenset({"opus", "vorbis"})
    speed = {"deadline": "good", "cpu-used": "4", "row-mt": "1"}
    # VP9's scale runs to 63; x264's 18 looks like 24 here, its 10 like 13.
    crf = {"crf": str(min(63, round(quality * 4 / 3))), "b": "0"}
    video = (
        ("libvpx-vp9", "gbrp", {"lossless": "1", **speed})
        if lossless
        else ("libvpx-vp9", "yuv420p", crf | speed)
    )
    return Encoding("webm", *video, copied_sound=sound, sound_codec="libopus")


def _avi(lossless: bool, quality: int) -> Encoding:
    # Motion JPEG is what every AVI reader (MATLAB, ImageJ, OpenFace) takes. H.264 in AVI has no presentation
    # times: FFmpeg itself reads it back one frame late.
    scale = min(31, max(2, round(2 + (quality - 18) / 3)))
    # The constant quantizer of Motion JPEG is read from every frame, where PyAV cannot set it; limits work.
    motion_jpeg = ("mjpeg", "yuvj420p", {"qmin": str(scale), "qmax": str(scale)})
    video = _ffv1() if lossless else motion_jpeg
    sound = frozenset({"mp3", "mp2", "ac3", "pcm_s16le"})
    return Encoding("avi", *video, time_base=None, copied_sound=sound, sound_codec="libmp3lame")


def _gif(lossless: bool, quality: int) -> Encoding:
    if lossless:
        raise UsageError("A GIF has 256 colours and cannot be lossless. Use .mkv, .mp4 or a folder name.")
    return Encoding("gif", "gif", "pal8", {}, time_base=Fraction(1, 100))


def _ffv1() -> tuple[str, str, dict[str, str]]:
    return "ffv1", "bgr0", {"level": "3", "slicecrc": "1", "g": "1"}
