"""From a degraded crop to what the diffusion works on."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.diffusion.pixels import enlarge, to_model
from train.diffusion.process import Denoiser
from train.engine.errors import TrainError
from train.networks.families import AnyAutoencoder, AnyUNet


class Condition(NamedTuple):
    """What every network call knows of the LQ picture."""

    lq: Tensor
    """The LQ pixels [N, 3, r h, r w] in [-1, 1]; r is the network's ``lq_factor``, 1 for all that enlarge by f."""
    z_y: Tensor
    """The latent of the enlarged LQ picture [N, C, h, w]."""


def scale_of(autoencoder: AnyAutoencoder, network: AnyUNet) -> int:
    """How much larger HQ is than LQ along each axis: pixels per latent position over LQ pixels per latent position.

    Raises ``TrainError`` where the network belongs to another latent space.
    """
    if network.latent_channels != autoencoder.latent_channels or autoencoder.config.factor % network.config.lq_factor:
        raise TrainError(
            f"a {type(network).__name__} for latents of {network.latent_channels} channels, and an autoencoder of "
            f"{autoencoder.latent_channels}: give the two that belong together"
        )
    return autoencoder.config.factor // network.config.lq_factor


@torch.no_grad()
def condition(autoencoder: AnyAutoencoder, lr: Tensor, scale: int) -> Condition:
    """LQ pictures [N, 3, H, W] in [0, 1] -> the condition; z_y = E(bicubic(lq)), the overshoot not clamped.

    ``scale`` is that of the pictures, by ``scale_of``; at 1 (faces) nothing is enlarged.
    """
    lq = to_model(lr)
    return Condition(lq, autoencoder.encode(enlarge(lq, scale)).float())


def bind(network: nn.Module, condition: Condition) -> Denoiser:
    """The network as a function of (z_t, t) alone."""
    return lambda z_t, t: network(z_t, t, *condition)
