"""Sensor noise: Gaussian and signal-dependent Poisson, in colour or the same on all channels."""

import math

import torch
from torch import Tensor

# ITU-R BT.601 luma, in the four digits of torchvision's rgb_to_grayscale that Real-ESRGAN calls.
_LUMA = (0.2989, 0.587, 0.114)


def luma(image: Tensor) -> Tensor:
    """The brightness [H, W] of `image` [3, H, W]."""
    return torch.einsum("chw,c->hw", image, image.new_tensor(_LUMA))


def gaussian_noise(image: Tensor, sigma: float, gray: bool, generator: torch.Generator) -> Tensor:
    """`image` [3, H, W] in [0, 1] plus normal noise of standard deviation `sigma` (in 8-bit levels), clipped."""
    shape = (1 if gray else 3, *image.shape[1:])
    noise = torch.randn(shape, generator=generator, device=image.device)
    return noise.mul_(sigma / 255).add(image).clamp_(0, 1)


def poisson_noise(image: Tensor, scale: float, gray: bool, generator: torch.Generator) -> Tensor:
    """`image` [3, H, W] in [0, 1] plus `scale` times shot noise, clipped.

    The photon count at white is the number of distinct 8-bit levels in the picture, rounded up to a power of two.
    """
    source = luma(image)[None] if gray else image
    levels = (source * 255).round_().clamp_(0, 255)
    distinct = int(torch.bincount(levels.flatten().int(), minlength=256).count_nonzero())
    photons = 2.0 ** math.ceil(math.log2(distinct))
    clean = levels.div_(255)
    noise = torch.poisson(clean * photons, generator=generator).div_(photons).sub_(clean)
    return noise.mul_(scale).add(image).clamp_(0, 1)
