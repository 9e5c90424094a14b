"""What the discriminator of latents sees of pictures from a decoder that is trained: their latents, encoded again."""

from typing import NamedTuple

import torch
from torch import Tensor

from train.diffusion.latents import Condition
from train.diffusion.pixels import grey_gradient
from train.networks.autoencoder import Autoencoder
from train.networks.families import AnyUNet


class DiscriminatorInputs(NamedTuple):
    """Latents [N, C, h, w] of the student's pictures and of HQ, and the condition in the same place."""

    fake: Tensor
    real: Tensor
    condition: Condition


def hidden_border(teacher: AnyUNet) -> int:
    """Latent positions at every side that a discriminator with this teacher's features does not see.

    Both sides together are a multiple of its stride, so what is left is one too.
    """
    return max(1, teacher.stride // 2)


def encode_again(
    autoencoder: Autoencoder, sr: Tensor, hq: Tensor, condition: Condition, margin: int, shift: tuple[int, int]
) -> DiscriminatorInputs:
    """Latents of both pictures [N, 3, f h, f w] without ``margin`` positions at every side, moved down and right.

    Seen as they are, a decoder learns what the discriminator is blind to (observed in trainings, on 192x192 crops):

    * patterns of the encoder's own grid: so the grid moves, by ``shift`` from 0 to f - 1 pixels less half a latent, and
      by another in every step;
    * fringes of colour, of which few latent channels know: so the student's gradient is grey;
    * frames along the border, where zeros tell the discriminator where it is: so it does not see the border.
    """
    factor = autoencoder.config.factor
    down, right = (pixels - factor // 2 for pixels in shift)
    sr, hq = (_inner(picture, margin * factor, down, right) for picture in (grey_gradient(sr), hq))
    with torch.no_grad():
        real = autoencoder.encode(hq).float()
    inner_condition = Condition(*(_inner(tensor, margin) for tensor in condition))
    return DiscriminatorInputs(autoencoder.encode(sr), real, inner_condition)


def _inner(x: Tensor, margin: int, down: int = 0, right: int = 0) -> Tensor:
    height, width = (side - 2 * margin for side in x.shape[-2:])
    return x[..., margin + down : margin + down + height, margin + right : margin + right + width]
