"""Finding the packages of this project by the place they lie in, whatever has the same names on ``sys.path``.

``runtime``, ``train``, ``compress``, ``export`` and ``apps`` are names that other projects use too: a Django project
has a package ``apps``, and many a folder a ``train.py``.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).resolve().parents[1]
"""The folder that all packages of the project lie in."""
PACKAGES = ("tadsr", "runtime", "train", "compress", "export", "apps")


def prefer() -> None:
    """From now on ``import`` takes the project's own packages first: for its commands, which own their process.

    Processes that it starts by ``multiprocessing`` find them too, for they get this process's ``sys.path``. Raises
    ``ImportError`` where another package of the same name was imported before.
    """
    if sys.path[:1] != [str(HOME)]:
        sys.path.insert(0, str(HOME))
    for name in PACKAGES:
        if name in sys.modules:
            _check(sys.modules[name])


def load(name: str) -> ModuleType:
    """Import one of the project's packages into other people's programs, whose own imports stay as they were.

    Raises ``ImportError`` where another package of the same name was imported before.
    """
    if name not in sys.modules:
        sys.path.insert(0, str(HOME))
        try:
            importlib.import_module(name)
        finally:
            sys.path.remove(str(HOME))
    _check(sys.modules[name])
    return sys.modules[name]


def python_command(*words: str) -> list[str]:
    """The command line of a new process that runs ``tadsr WORDS`` by the project's own packages, in any folder.

    >>> python_command("train", "distill", "--help")[1:]  # doctest: +ELLIPSIS
    ['-P', '.../tadsr/__main__.py', 'train', 'distill', '--help']
    """
    return [sys.executable, "-P", str(HOME / "tadsr" / "__main__.py"), *words]


def _check(module: ModuleType) -> None:
    places = [Path(place).resolve() for place in getattr(module, "__path__", [])]
    if HOME / module.__name__ not in places:
        raise ImportError(
            f"{module.__name__}: another package of this name is loaded (from "
            f"{getattr(module, '__file__', None) or 'no file'}); import tadsr before it, or rename it"
        )
