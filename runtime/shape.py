"""How large a picture is, and of what: the one carrier of it from the file's head to the plan of its tiles."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Shape:
    """Height and width in pixels, upright; 1 to 4 channels (grey, grey and alpha, RGB, RGBA) of `dtype`."""

    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]

    @property
    def layers(self) -> int:
        """How many pictures of three channels the network sees: alpha is one for itself."""
        return 2 if self.channels in (2, 4) else 1

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel as levels."""
        return self.channels * self.dtype.itemsize
