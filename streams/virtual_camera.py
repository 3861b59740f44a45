"""The virtual camera that video calls can choose."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

LOOPBACK_NAMES = ("v4l2 loopback", "v4l2loopback", "dummy video device", "virtual", "obs")


def virtual_camera_status(
    *,
    system: str = sys.platform,
    sys_root: Path = Path("/sys"),
    has_package: bool | None = None,
) -> tuple[bool, str]:
    """Whether a virtual camera can be used here, and a line for the user.

    Args:
        system: ``sys.platform``.
        sys_root: where Linux lists its devices; another place in tests.
        has_package: whether pyvirtualcam is there; looked up when None.

    Returns:
        ``(present, text)``; the text names the device, or the command that installs what is missing.
    """
    if has_package is None:
        has_package = importlib.util.find_spec("pyvirtualcam") is not None
    if not has_package:
        return False, "No virtual camera: run `pip install 'mien[camera]'`. " + _driver_hint(system)
    if system.startswith("linux"):
        return _linux(sys_root)
    # Windows and macOS answer only by opening the device.
    return True, f"Virtual camera through OBS. {_driver_hint(system)}"


def _driver_hint(system: str) -> str:
    if system.startswith("linux"):
        return (
            "It also needs the kernel module: `sudo apt install v4l2loopback-dkms` and "
            "`sudo modprobe v4l2loopback exclusive_caps=1 card_label=Mien`."
        )
    if system == "win32":
        return "It needs OBS Studio 28 or newer: `winget install OBSProject.OBSStudio`."
    return "It needs OBS Studio 30 or newer (`brew install --cask obs`), its virtual camera started once."


def _linux(sys_root: Path) -> tuple[bool, str]:
    devices = loopback_devices(sys_root)
    if devices:
        path, name = devices[0]
        return True, f"Virtual camera {path} ({name})."
    return False, "No virtual camera device. " + _driver_hint("linux").replace("It also needs", "It needs")


def loopback_devices(sys_root: Path = Path("/sys")) -> list[tuple[str, str]]:
    """``(device path, name)`` of every v4l2loopback device.

    The module names its devices as their owner likes (``card_label``), so the name alone does not tell;
    but they have no hardware behind them and live under ``devices/virtual``.
    """
    found: dict[str, str] = {}
    for entry in sorted((sys_root / "devices/virtual/video4linux").glob("video*")):
        found[f"/dev/{entry.name}"] = _name(entry)
    for entry in sorted((sys_root / "class/video4linux").glob("video*")):
        name = _name(entry)
        if any(known in name.lower() for known in LOOPBACK_NAMES):
            found.setdefault(f"/dev/{entry.name}", name)
    return list(found.items())


def _name(entry: Path) -> str:
    try:
        return (entry / "name").read_text(errors="replace").strip()
    except OSError:
        return entry.name
