"""Losses as pure functions of tensors: every one is a mean, so that weights carry over sizes."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from train.diffusion.pixels import luma


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (x - target).abs().mean()


def mse(x: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference over C, H, W and the batch (the paper's squared norms, as SinSR's code takes them)."""
    return (x - target).square().mean()


def frequency_l1(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the orthonormal 2-D Fourier coefficients' real and imaginary parts.

    Weighs fine detail, which plain L1 averages away (MIMO-UNet, Cho et al., ICCV 2021, Eq. 5). x [N, C, H, W].
    """
    spectrum = torch.fft.rfft2((x - target).float(), norm="ortho")
    return torch.view_as_real(spectrum).abs().mean()


def structure(x: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM of luma, in [0, 2]; x, target [N, 3, H, W] in [-1, 1], at least 11 pixels a side.

    The window and constants of Wang et al., IEEE TIP 2004, as in ``train.evaluation.metrics.ssim``; as a loss: Zhao
    et al., IEEE TCI 2017.
    """
    a, b = (luma((picture.float() + 1) / 2) + 16 / 255 for picture in (x, target))
    offsets = torch.arange(-5, 6, device=x.device)
    window = torch.exp(-(offsets**2) / (2 * 1.5**2))
    window = window / window.sum()

    def local_mean(picture: Tensor) -> Tensor:
        return conv2d(conv2d(picture, window[None, None, :, None]), window[None, None, None, :])

    with torch.autocast(x.device.type, enabled=False):  # in half precision these differences would be noise
        mean_a, mean_b = local_mean(a), local_mean(b)
        variance = local_mean(a * a + b * b) - mean_a.square() - mean_b.square()
        covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return 1 - (similarity / ((mean_a.square() + mean_b.square() + c1) * (variance + c2))).mean()


def colour_shift(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the channels' means over each picture; the two may differ in size.

    What a picture's colours are, the LQ picture knows best: its noise and blur average out. x [N, C, H, W].
    """
    return (x.mean((2, 3)) - target.mean((2, 3))).abs().mean()


def coarse_l1(x: Tensor, target: Tensor, factor: int) -> Tensor:
    """L1 of both pictures reduced by ``factor``, means over squares: it holds the colours and leaves the texture free.

    x [N, C, H, W], both sides multiples of ``factor``.
    """
    return l1(avg_pool2d(x, factor), avg_pool2d(target, factor))


def border_l1(x: Tensor, target: Tensor, width: int) -> Tensor:
    """Mean absolute difference in a frame of ``width`` pixels: as much for each of its corners as for each side. x
    [N, C, H, W], both sides more than twice as large.

    Convolutions pad with zeros, which are mid-grey at the input: nowhere else do they see so many as at a corner, and a
    mean over the picture hardly weighs it.
    """
    parts = [slice(None, width), slice(width, -width), slice(-width, None)]
    frame = [(rows, columns) for rows in parts for columns in parts if (rows, columns) != (parts[1], parts[1])]
    return torch.stack([l1(x[..., rows, columns], target[..., rows, columns]) for rows, columns in frame]).mean()


def vanilla_distillation(student_z_0: Tensor, teacher_z_0: Tensor) -> Tensor:
    """TAD-SR Eq. 6: the squared distance between one student step and the teacher's multi-step sample, same z_T."""
    return mse(student_z_0, teacher_z_0)
