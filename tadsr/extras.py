"""Saying which extra of tadsr brings a package that is missing."""

import importlib.util
import sys

from runtime.errors import TadsrError
from tadsr.packages import PACKAGES


class MissingExtraError(TadsrError, ModuleNotFoundError):
    """A package of an extra is not installed; the message names the command that brings it."""


def require(extra: str, *packages: str) -> None:
    """Go on where all packages are installed; else name the command that brings them.

    Called when a package of ours is imported. Where ``python -m`` runs a module of ours it ends with one line and exit
    code 2, for nobody could catch it there; elsewhere it raises ``MissingExtraError``.
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if not missing:
        return
    message = f'{", ".join(missing)} is not installed; get it with: pip install "tadsr[{extra}]"'
    if _is_command():
        sys.stderr.write(f"error: {message}\n")
        sys.exit(2)
    raise MissingExtraError(message, name=missing[0])


def _is_command() -> bool:
    """Whether ``python -m`` runs a module of ours, or is still importing the package that it lies in."""
    running = sys.modules["__main__"].__spec__
    return sys.argv[0] == "-m" or (running is not None and running.name.partition(".")[0] in {*PACKAGES} - {"tadsr"})
