"""What enlarging leaves of colours: all of them. What it makes of luma: nothing that the network did not."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from train.diffusion.pixels import LUMA, from_model, luma, to_model
from train.finetuning.colour_correction import LIMIT, ColourCorrection

INNER = (..., slice(1, -1), slice(1, -1))


def pictures(scale: int, apart: float = 0.5) -> tuple[Tensor, Tensor]:
    """A small picture, and a large one whose squares' means differ from it by at most ``apart`` of ``LIMIT``."""
    generator = torch.Generator().manual_seed(scale)
    lr = torch.rand(2, 3, 12, 10, generator=generator, dtype=torch.float64)
    noise = 2 * torch.rand(lr.shape, generator=generator, dtype=torch.float64) - 1
    return lr, F.interpolate(lr + apart * LIMIT * noise, scale_factor=scale)


def chroma(pictures: Tensor) -> Tensor:
    return pictures - luma(pictures) / sum(LUMA)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_luma_of_single_pixels_is_the_networks(scale: int) -> None:
    lr, sr = pictures(scale)
    moved = ColourCorrection(scale).double()(lr, sr) - sr
    assert moved.abs().max() > 0.1 * LIMIT
    assert luma(moved).std() < 0.3 * luma(lr - F.avg_pool2d(sr, scale)).std()


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_luma_moves_by_the_limit_at_most(scale: int) -> None:
    lr, sr = pictures(scale, apart=100)
    moved = ColourCorrection(scale).double()(lr, sr) - sr
    assert luma(moved).abs().max() < LIMIT + 1e-6


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_flat_colours_are_those_of_the_input(scale: int) -> None:
    """Away from the border, beyond which there is nothing to interpolate with."""
    lr, sr = (picture[..., :1, :1].expand_as(picture) for picture in pictures(scale))
    away = slice(3 * scale, -3 * scale)
    kept = ColourCorrection(scale).double()(lr, sr)[..., away, away]
    torch.testing.assert_close(kept, lr[..., :1, :1].expand_as(kept), atol=1e-6, rtol=0)


def test_smooth_colours_are_those_of_the_input_when_reduced_again() -> None:
    lr, sr = pictures(4)
    small, _ = (F.interpolate(picture[..., :3, :3], (12, 10), mode="bicubic") for picture in (lr, sr))
    shift = F.interpolate((F.avg_pool2d(sr, 4) - lr)[..., :3, :3], (12, 10), mode="bicubic")
    large = F.interpolate(small + shift, scale_factor=4)
    before = chroma(F.avg_pool2d(large, 4) - small)[INNER].abs().mean()
    after = chroma(F.avg_pool2d(ColourCorrection(4).double()(small, large), 4) - small)[INNER].abs().mean()
    assert after < 0.1 * before


def test_grey_pictures_lose_a_tint() -> None:
    lr, _ = pictures(4)
    grey = lr.mean(1, keepdim=True).expand_as(lr)
    tinted = F.interpolate(grey, scale_factor=4) + LIMIT * torch.tensor([0.5, 0, -0.5], dtype=lr.dtype)[:, None, None]
    kept = ColourCorrection(4).double()(grey, tinted)[..., 4:-4, 4:-4]
    torch.testing.assert_close(kept, kept.mean(1, keepdim=True).expand_as(kept), atol=1e-6, rtol=0)


def test_what_differs_by_more_is_noise_and_comes_back_by_that_much_at_most() -> None:
    lr, sr = pictures(4, apart=100)
    moved = (ColourCorrection(4).double()(lr, sr) - sr).abs().max()
    assert LIMIT < moved < 3 * LIMIT


def test_without_a_limit_all_of_it_comes_back() -> None:
    lr, sr = (picture[..., :1, :1].expand_as(picture) for picture in pictures(4, apart=100))
    colour = ColourCorrection(4).double()
    colour.without_limit()
    kept = colour(lr, sr)[..., 12:-12, 12:-12]
    torch.testing.assert_close(kept, lr[..., :1, :1].expand_as(kept), atol=1e-6, rtol=0)


def test_what_one_pixel_lacks_is_spread_without_blocks() -> None:
    lr, sr = torch.zeros(1, 3, 5, 5), torch.zeros(1, 3, 20, 20)
    lr[0, :, 2, 2] = LIMIT * torch.tensor([LUMA[1], -LUMA[0], 0])  # of no luma
    row = ColourCorrection(4)(lr, sr)[0, 0, 9]
    expected = torch.tensor([0, 0.25, 0.75, 1, 1, 0.75, 0.25, 0])
    torch.testing.assert_close(row[6:14] / row.max(), expected)


def test_of_pictures_as_networks_have_them() -> None:
    lr, sr = pictures(4)
    colour = ColourCorrection(4).double()
    torch.testing.assert_close(from_model(colour.of_model(to_model(lr), to_model(sr))), colour(lr, sr))


def test_half_precision_of_a_training_leaves_small_differences() -> None:
    lr, sr = (to_model(picture).float() for picture in pictures(4))
    colour = ColourCorrection(4)
    with torch.autocast("cpu", torch.bfloat16):
        kept = colour.of_model(lr, sr)
    assert kept.dtype == torch.float32
    torch.testing.assert_close(kept, colour.of_model(lr, sr))


def test_nothing_in_it_learns() -> None:
    assert not list(ColourCorrection(4).parameters())
