"""Resume support: a marker file records the request that produced each pair's results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mien.cli.background import is_file_name
from mien.cli.batch.pairs import Pair
from mien.cli.options.arguments import Options
from mien.engine.utils.versions import installed_version

FORMAT = 2
HIDDEN = ".mien"
"""Folder, in the results' folder, for each pair's section of the report."""

SETTINGS = (
    *(
        "model",
        "tracker",
        "runtime",
        "precision",
        "reference",
        "profile",
        "crop",
        "size",
        "lossless",
        "mouth",
        "background",
    ),
    *("head", "turn", "expression", "micro", "gains", "only"),
)
"""Options that decide how a result moves and looks, as ``metrics.csv`` names them."""

_NO_MATTER = {"threads", "mirror", "output", "output_text", "demo", "doctor", "list_cameras"}


def mien_version() -> str:
    """The installed version of Mien."""
    return installed_version("mien") or "(not installed)"


def with_settings(pair: Pair, options: Options) -> Options:
    """The batch's options with what the list says of this pair."""
    return replace(
        options, mouth=pair.mouth or options.mouth, background=pair.background or options.background
    )


def request_of(pair: Pair, options: Options, metrics: bool) -> dict[str, Any]:
    """Everything that a pair's results depend on; pairs with an equal request are not made again."""
    options = with_settings(pair, options)
    wanted = {key: _plain(value) for key, value in asdict(options).items() if key not in _NO_MATTER}
    frames = {key: getattr(pair, key) for key in ("reference", "onset", "apex", "offset", "fps")}
    # Listed where there is one, so that what was made before lists could name one is not made again.
    behind = Path(options.background) if is_file_name(options.background) else None
    return {
        "format": FORMAT,
        "mien": mien_version(),
        "driving": {"path": str(pair.driving), **_fingerprint(pair.driving)},
        "avatar": {"path": str(pair.avatar), **_fingerprint(pair.avatar)},
        **({} if behind is None else {"background": {"path": str(behind), **_fingerprint(behind)}}),
        "columns": frames,
        "options": wanted,
        "metrics": metrics,
    }


def settings_of(request: Mapping[str, Any]) -> str:
    """The settings that made a pair, ``name=value`` by ``name=value``; what is not set is left out."""
    options = request["options"]
    return " ".join(f"{name}={options[name]}" for name in SETTINGS if options.get(name) not in (None, [], ()))


def results_of(folder: Path, name: str, lossless: bool) -> dict[str, Path]:
    """Where a pair's results go, by kind."""
    return {
        "video": folder / f"{name}.{'mkv' if lossless else 'mp4'}",
        "motion": folder / f"{name}.npz",
        "report": folder / HIDDEN / f"{name}.html",
        "marker": folder / f"{name}.json",
    }


def finished(folder: Path, pair: Pair, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The marker of a pair made by an equal request whose results exist; otherwise None."""
    places = results_of(folder, pair.name, bool(request["options"]["lossless"]))
    try:
        marker: dict[str, Any] = json.loads(places["marker"].read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(marker, dict) or marker.get("request") != json.loads(json.dumps(request)):
        return None
    return marker if all(place.is_file() for place in places.values()) else None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _fingerprint(path: Path) -> dict[str, int]:
    """Size and time of a file, or of a folder's files together."""
    files = [path] if path.is_file() else [p for p in path.iterdir() if p.is_file()]
    stats = [file.stat() for file in files]
    return {
        "files": len(stats),
        "size": sum(stat.st_size for stat in stats),
        "changed": max((stat.st_mtime_ns for stat in stats), default=0),
    }
