"""Where things are kept that were built on this machine for this machine, and can be built again."""

import glob
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "TADSR_CACHE"
DIGITS = 16
"""Of a hash, in the name of a file."""


def cache_folder() -> Path:
    """The folder that the variable ``TADSR_CACHE`` names, else ``tadsr`` in the platform's folder for caches.

    It is made where it does not exist; ``OSError`` passes through.
    """
    folder = cache_path()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_path() -> Path:
    """Where `cache_folder` is, whether it exists or not."""
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _platform_folder() / "tadsr"


def place(stem: str, source: str, machine: Sequence[str], suffix: str) -> Path:
    """Where a file is kept that was built of a source with that SHA-256 for a machine: versions, device, processor."""
    digests = b"".join(hashlib.sha256(part.encode()).digest() for part in machine)
    return cache_folder() / f"{stem}.{source[:DIGITS]}.{hashlib.sha256(digests).hexdigest()[:DIGITS]}{suffix}"


def places(stem: str, source: str, suffix: str) -> list[Path]:
    """What was built of the source, for this machine or another."""
    return sorted(cache_path().glob(f"{glob.escape(f'{stem}.{source[:DIGITS]}')}.*{suffix}"))


def _platform_folder() -> Path:
    """By the XDG base directory specification and by the habits of macOS and Windows."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    variable, default = ("LOCALAPPDATA", "AppData/Local") if sys.platform == "win32" else ("XDG_CACHE_HOME", ".cache")
    return Path(os.environ.get(variable) or Path.home() / default)
