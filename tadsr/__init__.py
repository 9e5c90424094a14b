"""Enlarge pictures four times on your own device: ``import tadsr`` gives what ``import runtime`` gives.

>>> import tadsr
>>> tadsr.upscale("photo.jpg").save("photo_x4.png")  # doctest: +SKIP

The modules beside this one are what every command of the project stands on.
"""

from typing import TYPE_CHECKING, Any

from tadsr import packages

if TYPE_CHECKING:
    from runtime import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """A public name of ``runtime``, which is imported at the first use: the commands' own help does without it.

    Raises ``AttributeError`` for other names, ``ImportError`` where another package named ``runtime`` was imported.
    """
    runtime = packages.load("runtime")
    if name == "__all__":
        return runtime.__all__
    if name not in runtime.__all__:
        raise AttributeError(f"module 'tadsr' has no attribute {name!r}")
    return getattr(runtime, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *packages.load("runtime").__all__])
