"""From a degraded crop to what the diffusion works on."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.diffusion import Denoiser
from train.networks.autoencoder import Autoencoder
from train.pixels import enlarge, to_model


class Condition(NamedTuple):
    """What every network call is told of the LQ picture."""

    lq: Tensor
    """The LQ pixels [N, 3, h, w] in [-1, 1]."""
    z_y: Tensor
    """The latent of the enlarged LQ picture [N, C, h, w]."""


@torch.no_grad()
def condition(autoencoder: Autoencoder, lq: Tensor) -> Condition:
    """LQ pictures [N, 3, h, w] in [0, 1] -> the condition; z_y = E(bicubic(lq)), the overshoot not clamped."""
    lq = to_model(lq)
    return Condition(lq, autoencoder.encode(enlarge(lq)).float())


def bind(network: nn.Module, given: Condition) -> Denoiser:
    """The network as a function of (z_t, t) alone."""
    return lambda z_t, t: network(z_t, t, given.lq, given.z_y)
