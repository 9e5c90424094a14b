"""Saying which extra of tadsr brings a package that is missing."""

import importlib.util
import sys


def require(extra: str, *packages: str) -> None:
    """Go on where all packages are installed; else name the command that brings them.

    Called when a package of ours is imported. Under ``python -m`` it ends with one line and exit code 2, for that is a
    mistake at the keyboard; elsewhere it raises ``ModuleNotFoundError``.
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if not missing:
        return
    message = f'{", ".join(missing)} is not installed; get it with: pip install "tadsr[{extra}]"'
    if sys.argv[0] == "-m":  # what python puts there while it imports the package of a module to run
        sys.stderr.write(f"error: {message}\n")
        sys.exit(2)
    raise ModuleNotFoundError(message, name=missing[0])
