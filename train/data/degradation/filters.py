"""Filtering a picture with a small two-dimensional kernel."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def filter2d(image: Tensor, kernel: NDArray[np.float64]) -> Tensor:
    """Correlate every channel of `image` [C, H, W] with the odd square `kernel` [k, k]; borders are reflected.

    Raises ValueError where a side of the image is too short to be reflected k // 2 pixels deep.
    """
    pad = len(kernel) // 2
    if pad >= min(image.shape[-2:]):
        raise ValueError(
            f"a {image.shape[-2]}x{image.shape[-1]} image is too small for a {len(kernel)}-pixel blur; use larger crops"
        )
    channels = image.shape[0]
    weight = torch.from_numpy(kernel.astype(np.float32)).to(image.device).expand(channels, 1, -1, -1)
    padded = F.pad(image[None], (pad, pad, pad, pad), mode="reflect")
    return F.conv2d(padded, weight, groups=channels)[0]
