"""The losses against their formulas."""

import numpy as np
import torch

from train.diffusion.pixels import grey_gradient
from train.evaluation.metrics import ssim_y
from train.objectives.losses import (
    border_l1,
    coarse_l1,
    colour_shift,
    frequency_l1,
    l1,
    mse,
    structure,
    vanilla_distillation,
)


def test_eq_6_vanilla_distillation_is_the_mean_squared_distance() -> None:
    student, teacher = torch.randn(2, 2, 4, 5, 5, dtype=torch.float64)
    expected = ((student.numpy() - teacher.numpy()) ** 2).mean()
    np.testing.assert_allclose(vanilla_distillation(student, teacher).item(), expected)


def test_frequency_loss_is_l1_of_the_spectrum() -> None:
    x, y = torch.rand(2, 1, 3, 8, 6)
    spectrum = np.fft.rfft2((x - y).numpy(), norm="ortho")
    expected = np.abs(np.stack([spectrum.real, spectrum.imag])).mean()
    np.testing.assert_allclose(frequency_l1(x, y).item(), expected, rtol=1e-5)


def test_colour_shift_sees_a_cast_and_nothing_else() -> None:
    lq = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    sr = torch.nn.functional.interpolate(lq, scale_factor=4)
    assert colour_shift(sr, lq).item() < 1e-12
    cast = torch.tensor([0.1, 0.0, -0.2]).double()[:, None, None]
    np.testing.assert_allclose(colour_shift(sr + cast, lq).item(), 0.1)


def test_coarse_l1_sees_what_is_left_of_a_difference_in_squares() -> None:
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    texture = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double().tile(4, 4)
    assert coarse_l1(x + texture, x, 4).item() < 1e-12
    np.testing.assert_allclose(coarse_l1(x + texture + 0.1, x, 4).item(), 0.1)


def test_border_l1_weighs_every_corner_like_a_side() -> None:
    x, other = torch.zeros(2, 3, 10, 12), torch.zeros(2, 3, 10, 12)
    other[..., 4:6, 4:8] = 1  # all that is no frame of 4 pixels
    assert border_l1(x, other, 4).item() == 0
    other[0, :, 9, 11] = 1  # one pixel of a corner's 16, of one picture of 2
    np.testing.assert_allclose(border_l1(x, other, 4).item(), 1 / 8 / 32)
    other[0, :, 9, 5] = 1  # and one of a side's 16
    np.testing.assert_allclose(border_l1(x, other, 4).item(), 2 / 8 / 32)


def test_grey_gradients_leave_pictures_as_they_are() -> None:
    x = torch.rand(2, 3, 4, 4, requires_grad=True)
    grey = grey_gradient(x)
    torch.testing.assert_close(grey, x)
    grey[:, 1].sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full_like(x, 1 / 3))


def test_structure_is_what_the_metric_lacks_to_one() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 1, 3, 24, 17, generator=generator) * 2 - 1
    sr, hr = ((picture[0].permute(1, 2, 0).numpy() + 1) * 127.5 for picture in (x, y))
    np.testing.assert_allclose(structure(x, y).item(), 1 - ssim_y(sr, hr, border=0), rtol=1e-4)


def test_structure_is_the_same_under_half_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 3, 3, generator=generator), (24, 24), mode="bilinear")
    x, y = 0.9 + 0.1 * smooth, 0.9 + 0.1 * smooth.flip(2)  # bright and flat: where the variance is a small difference
    with torch.autocast("cpu", torch.bfloat16):
        half = structure(x, y)
    torch.testing.assert_close(half, structure(x, y))


def test_losses_vanish_on_equal_pictures() -> None:
    x = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    assert all(loss(x, x).item() == 0 for loss in (l1, mse, frequency_l1, colour_shift))
    assert abs(structure(x, x).item()) < 1e-6
