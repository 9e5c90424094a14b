"""Where things are kept that were built on this machine for this machine, and can be built again."""

import os
import sys
from pathlib import Path

VARIABLE = "TADSR_CACHE"


def cache_folder() -> Path:
    """The folder that the variable ``TADSR_CACHE`` names, else ``tadsr`` in the platform's folder for caches.

    It is made where it does not exist; ``OSError`` passes through.
    """
    folder = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _platform_folder() / "tadsr"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _platform_folder() -> Path:
    """By the XDG base directory specification and by the habits of macOS and Windows."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    variable, default = ("LOCALAPPDATA", "AppData/Local") if sys.platform == "win32" else ("XDG_CACHE_HOME", ".cache")
    return Path(os.environ.get(variable) or Path.home() / default)
