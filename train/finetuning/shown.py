"""What the discriminator of latents is shown of pictures: their latents, encoded again."""

from typing import NamedTuple

import torch
from torch import Tensor

from train.diffusion.latents import Condition
from train.diffusion.pixels import grey_gradient
from train.networks.autoencoder import Autoencoder


class Shown(NamedTuple):
    """Latents [N, C, h, w] of the student's pictures and of HQ, and the condition in the same place."""

    fake: Tensor
    real: Tensor
    given: Condition


def encoded_again(
    autoencoder: Autoencoder, sr: Tensor, hq: Tensor, given: Condition, margin: int, shift: tuple[int, int]
) -> Shown:
    """Both pictures [N, 3, f h, f w] without ``margin`` latent positions at every side, moved down and right.

    Judged as they are, a decoder learns what the discriminator cannot see (found in trainings, on 192x192 crops):

    * patterns of the encoder's own grid, to which it is blind: so the grid moves, by ``shift`` from 0 to f - 1 pixels
      less half a latent, and by another in every step;
    * fringes of colour, of which few latent channels know: so the student's gradient is grey;
    * frames along the border, where zeros tell the discriminator where it is: so it is not shown the border.
    """
    factor = autoencoder.config.factor
    down, right = (each - factor // 2 for each in shift)
    sr, hq = (_inner(picture, margin * factor, down, right) for picture in (grey_gradient(sr), hq))
    with torch.no_grad():
        real = autoencoder.encode(hq).float()
    return Shown(autoencoder.encode(sr), real, Condition(*(_inner(each, margin) for each in given)))


def _inner(x: Tensor, margin: int, down: int = 0, right: int = 0) -> Tensor:
    height, width = (side - 2 * margin for side in x.shape[-2:])
    return x[..., margin + down : margin + down + height, margin + right : margin + right + width]
