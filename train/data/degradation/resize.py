"""Resizing: torch's modes as the degradation uses them, and MATLAB's antialiased bicubic."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ResizeMode = Literal["area", "bilinear", "bicubic"]
MODES: tuple[ResizeMode, ...] = ("area", "bilinear", "bicubic")


def resize(image: Tensor, size: tuple[int, int], mode: ResizeMode) -> Tensor:
    """Resize `image` [C, H, W] to `size` (height, width) with torch's `mode`, without antialiasing.

    Bicubic may overshoot the input's range.
    """
    if size == tuple(image.shape[-2:]):
        return image
    return F.interpolate(image[None], size=size, mode=mode)[0]


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = -0.5."""
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))


def _matlab_weights(length: int, scale: float) -> Tensor:
    """Matrix [ceil(length * scale), length] of MATLAB's 1-D bicubic resize; edges are mirrored with the edge pixel."""
    out_length = math.ceil(length * scale)
    stretch = min(scale, 1.0)
    centres = (torch.arange(out_length, dtype=torch.float64) + 0.5) / scale - 0.5
    reach = math.ceil(2 / stretch) + 1
    taps = centres.floor()[:, None] + torch.arange(-reach, reach + 1)
    weights = _cubic((centres[:, None] - taps) * stretch)
    weights /= weights.sum(dim=1, keepdim=True)
    period = torch.remainder(taps.long(), 2 * length)
    mirrored = torch.minimum(period, 2 * length - 1 - period)
    return torch.zeros(out_length, length, dtype=torch.float64).scatter_add_(1, mirrored, weights)


def matlab_bicubic(image: Tensor, scale: float) -> Tensor:
    """MATLAB's `imresize` of `image` [C, H, W] by `scale`: bicubic, antialiased when it shrinks, not clamped.

    The classical "bicubic" low-resolution side of super-resolution benchmarks. Sides become ceil(side * scale).
    """
    rows, columns = (_matlab_weights(n, scale).to(image) for n in image.shape[-2:])
    return rows @ image @ columns.T
