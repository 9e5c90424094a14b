"""What the discriminator sees of pictures that are encoded again."""

import pytest
import torch
from torch import Tensor

from train.diffusion.latents import Condition
from train.finetuning.discriminator_inputs import encode_again
from train.networks.autoencoder import Autoencoder, AutoencoderConfig

torch.manual_seed(0)
AUTOENCODER = Autoencoder(AutoencoderConfig(3, 8, 1, 8, 1, 8, 1)).eval().requires_grad_(False)
SIDE, MARGIN = 48, 2
LATENTS = SIDE // 4
PICTURE = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
PLACES = torch.arange(LATENTS).expand(2, 3, LATENTS, LATENTS)
"""Of every latent position its column."""
SHIFTS = [(0, 0), (1, 3), (3, 1)]


def inputs(sr: Tensor, hq: Tensor, shift: tuple[int, int]) -> tuple[Tensor, Tensor, Condition]:
    return encode_again(AUTOENCODER, sr, hq, Condition(PLACES, PLACES), MARGIN, shift)


@pytest.mark.parametrize("shift", SHIFTS)
def test_equal_pictures_are_seen_alike_in_the_place_of_the_condition(shift: tuple[int, int]) -> None:
    fake, real, condition = inputs(PICTURE, PICTURE, shift)
    torch.testing.assert_close(fake, real)
    assert fake.shape == condition.z_y.shape == condition.lq.shape == (2, 3, LATENTS - 2 * MARGIN, LATENTS - 2 * MARGIN)
    assert condition.z_y[0, 0, 0].tolist() == list(range(MARGIN, LATENTS - MARGIN))


def test_the_grid_moves() -> None:
    first, *others = [inputs(PICTURE, PICTURE, shift)[1] for shift in SHIFTS]
    assert not any(torch.allclose(first, other, atol=1e-3) for other in others)
    centred = inputs(PICTURE, PICTURE, (2, 2))[1]  # half a latent, less half a latent
    torch.testing.assert_close(centred, AUTOENCODER.encode(PICTURE[..., 8:-8, 8:-8]))


def test_the_gradient_is_grey_and_ends_before_the_border() -> None:
    picture = PICTURE.clone().requires_grad_()
    fake, _, _ = inputs(picture, PICTURE, (3, 3))
    fake.square().sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    torch.testing.assert_close(picture.grad[:, 0], picture.grad[:, 1])
    torch.testing.assert_close(picture.grad[:, 0], picture.grad[:, 2])
    frame = torch.ones(SIDE, SIDE, dtype=torch.bool)
    frame[6:-6, 6:-6] = False  # a margin of 2 latents less half a one
    assert not picture.grad[..., frame].any()
