"""What does not come with every Pillow: pyvips and HEIC (the extra `imaging`), and AVIF."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import features

INSTALL = 'pip install "tadsr[imaging]"'
NEEDS_HEIC = f"HEIC needs pillow-heif; install it with: {INSTALL}"


def has_pyvips() -> bool:
    """Whether 16-bit colour can be read and written, and pictures row by row."""
    return importlib.util.find_spec("pyvips") is not None


def teach_heic() -> bool:
    """Let Pillow read and write HEIC; False where pillow-heif is missing."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


@dataclass(frozen=True)
class Requirement:
    """What writing a format needs, and what to do where it is missing."""

    is_met: Callable[[], bool]
    remedy: str


REQUIREMENTS: Mapping[str, Requirement] = {
    "HEIF": Requirement(teach_heic, NEEDS_HEIC),
    "AVIF": Requirement(
        lambda: bool(features.check("avif")), "this Pillow cannot write AVIF; upgrade it with: pip install -U pillow"
    ),
}
"""By the name of the format, for those that not every Pillow writes."""
