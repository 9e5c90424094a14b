"""Losses as pure functions of tensors: every one is a mean over all elements, so that weights carry over sizes."""

import torch
from torch import Tensor


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


def colour_shift(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the channels' means over each picture; the two may differ in size.

    What a picture's colours are, the LQ picture knows best: its noise and blur average out. x [N, C, H, W].
    """
    return (x.mean((2, 3)) - target.mean((2, 3))).abs().mean()


def vanilla_distillation(student_z_0: Tensor, teacher_z_0: Tensor) -> Tensor:
    """TAD-SR Eq. 6: the squared distance between one student step and the teacher's multi-step sample, same z_T."""
    return mse(student_z_0, teacher_z_0)
