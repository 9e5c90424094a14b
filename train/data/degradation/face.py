"""The degradation of faces: blur, make small, noise, JPEG, and back to the full size."""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from train.data.degradation import kernels
from train.data.degradation.filters import filter2d
from train.data.degradation.jpeg import jpeg
from train.data.degradation.kernels import Kernel
from train.data.degradation.noise import gaussian_noise, luma
from train.data.degradation.resize import resize
from train.data.degradation.settings import FaceSettings


def degrade_face(hq: Tensor, rng: Generator, settings: FaceSettings) -> tuple[Tensor, Tensor]:
    """A pair (HQ, LQ) of the same size: GFPGAN's degradation (arXiv 2101.04061, Eq. 1), and rarely both in gray.

    Takes float32 [3, H, W] in [0, 1]; both sides are of that shape and range, LQ on 256 levels. All randomness comes
    from `rng`. Raises ValueError where the picture is too small for the blur.
    """
    generator = torch.Generator(hq.device).manual_seed(int(rng.integers(2**63)))
    height, width = hq.shape[-2:]
    reduction = rng.uniform(*settings.reduction)
    small = (max(1, int(height / reduction)), max(1, int(width / reduction)))
    lq = resize(filter2d(hq, _blur(rng, settings)), small, "bilinear")
    lq = gaussian_noise(lq, rng.uniform(*settings.noise_sigma), gray=False, generator=generator)
    lq = resize(jpeg(lq, rng.uniform(*settings.jpeg_quality)), (height, width), "bilinear")
    if rng.random() < settings.grey_prob:
        hq, lq = (luma(side)[None].expand(3, -1, -1).contiguous() for side in (hq, lq))
    return hq, lq.mul(255).round_().clamp_(0, 255).div_(255)


def _blur(rng: Generator, settings: FaceSettings) -> Kernel:
    sigma_x = rng.uniform(*settings.sigma)
    if rng.random() < settings.isotropic_prob:
        return kernels.gaussian(settings.kernel_size, sigma_x, sigma_x, 0.0)
    return kernels.gaussian(settings.kernel_size, sigma_x, rng.uniform(*settings.sigma), rng.uniform(-np.pi, np.pi))
