"""Finding the packages of this project by the place they lie in, whatever has the same names on ``sys.path``.

``runtime``, ``train``, ``compress``, ``export`` and ``apps`` are names that other projects use too: a Django project
has a package ``apps``, and many a folder a ``train.py``.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).resolve().parents[1]
"""The folder that all packages of the project lie in."""
PACKAGES = ("tadsr", "runtime", "train", "compress", "export", "apps")


class _Finder:
    """Finds the project's packages in ``HOME`` before anybody looks through ``sys.path``."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(HOME)], target) if name in PACKAGES else None


def prefer() -> None:
    """From now on ``import`` takes the project's own packages: for the project's commands, which own their process.

    Raises ``ImportError`` where a package of the same name was imported before.
    """
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    for name in PACKAGES:
        if name in sys.modules:
            _check(sys.modules[name])


def load(name: str) -> ModuleType:
    """One of the project's packages, for other people's programs: what they import themselves is found as before.

    Raises ``ImportError`` where a package of the same name was imported before.
    """
    if name not in sys.modules:
        sys.meta_path.insert(0, _Finder)
        try:
            importlib.import_module(name)
        finally:
            sys.meta_path.remove(_Finder)
    _check(sys.modules[name])
    return sys.modules[name]


def python_command(*words: str) -> list[str]:
    """The command line of a new process that runs ``tadsr WORDS``, by the project's own packages and in any folder."""
    return [sys.executable, "-P", str(HOME / "tadsr" / "__main__.py"), *words]


def _check(module: ModuleType) -> None:
    places = [Path(place).resolve() for place in getattr(module, "__path__", [])]
    if HOME / module.__name__ not in places:
        raise ImportError(
            f"{module.__name__}: another package of this name is loaded (from "
            f"{getattr(module, '__file__', None) or 'no file'}); import tadsr before it, or rename it"
        )
