"""Content credentials (C2PA): a file says, signed, that Mien made it and that it is synthetic.

Needs the package ``c2pa-python`` (extra ``provenance``).  Nothing is asked of the network: no time stamp
authority, no manifest elsewhere, no revocation list.
"""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from mien.engine.types import SinkError
from mien.engine.utils.files import replacing
from mien.engine.utils.folders import NO_HOME
from mien.engine.utils.versions import installed_version
from mien.streams.provenance.signing_key import identity_path, load_identity

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
"""IPTC: a composite of several elements of which at least one is synthetic.  The portrait is a photo, what
it does is not; ``trainedAlgorithmicMedia`` would say that a trained model made up the whole frame."""

KINDS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/avi",
    ".gif": "image/gif",
    ".png": "image/png",
}
"""Media types by ending: what both Mien writes and C2PA knows.  Matroska and WebM have no place for it."""

MOST_BYTES, MOST_WHOLE_BYTES = 2 << 30, 512 << 20
"""Larger files are not signed.  c2pa-python takes 0.5 GB of memory for an MP4 of 0.6 GB, and reads AVI, GIF
and PNG whole."""

_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False},
    "builder": {"thumbnail": {"enabled": False}},
}


def available() -> bool:
    """Whether ``c2pa-python`` is installed."""
    return find_spec("c2pa") is not None


def add_credentials(path: Path) -> str | None:
    """Sign a finished file, in place; whatever goes wrong, the file stays as it was.

    Returns:
        why there are no credentials in it, in one line; None when there are.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        return f"{path.name} carries no content credentials: its format has no place for them, .mp4 has."
    try:
        most = MOST_BYTES if kind in ("video/mp4", "video/quicktime") else MOST_WHOLE_BYTES
        if path.stat().st_size > most:
            raise SinkError(f"it is larger than {most >> 20} MB")
        with replacing(path) as part, path.open("rb") as read, part.open("w+b") as written:
            _sign(read, written, kind)
    # Whatever a library makes of it: what was recorded is worth more than its label.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"{path.name} carries no content credentials ({reason})."
    return None


def describe() -> str:
    """For ``--doctor``."""
    if not available():
        return 'content credentials: none; python -m pip install "mien[provenance]" adds them to recordings'
    path = identity_path()
    if path is None:
        return f"content credentials: none, {NO_HOME}"
    key = "key" if path.exists() else "key to be made"
    return f"content credentials: c2pa-python {_version('c2pa-python')}, {key} in {path}"


def manifest() -> dict[str, Any]:
    """What the credentials say: who made the file, and that it is synthetic."""
    maker = {"name": "mien", "version": _version("mien")}
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE, "softwareAgent": maker}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created]}}
    return {"claim_generator_info": [maker], "assertions": [actions]}


def signed(data: bytes, kind: str) -> bytes:
    """A file's bytes with credentials in them, made in memory alone.

    Args:
        data: the file.
        kind: its media type, one of :data:`KINDS`.

    Raises:
        SinkError: it cannot be signed.
    """
    result = BytesIO()
    try:
        _sign(BytesIO(data), result, kind, len(data) >> 20)
    except Exception as error:
        raise SinkError(" ".join(str(error).split()) or type(error).__name__) from error
    return result.getvalue()


def _sign(read: BinaryIO, written: BinaryIO, kind: str, memory_mb: int = 0) -> None:
    import c2pa

    identity = load_identity(identity_path())
    info = c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None)
    # Beyond so much it works in a temporary file without a name; bytes never touch the disk.
    store = {"backing_store_memory_threshold_in_mb": 16 + 2 * memory_mb}
    context = c2pa.Context(c2pa.Settings.from_dict({**_SETTINGS, "core": store}), c2pa.Signer.from_info(info))
    with context, c2pa.Builder(manifest(), context=context) as builder:
        builder.sign(kind, read, written)


def _version(package: str) -> str:
    return installed_version(package) or "0"
