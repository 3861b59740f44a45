"""Versions of installed packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, named as on the package index; None where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
