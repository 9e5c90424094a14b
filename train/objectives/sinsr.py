"""SinSR's distillation (Wang et al., CVPR 2024, arXiv 2311.14760): one step there, one back, and the ground truth."""

from typing import NamedTuple

import torch
from torch import Tensor

from train.diffusion import process
from train.diffusion.process import Denoiser
from train.diffusion.schedule import Schedule


class SinSRTerms(NamedTuple):
    """The three terms per sample [N], each of weight 1 in SinSR, and the student's one-step result."""

    distillation: Tensor
    """One step from z_T against the teacher's multi-step sample."""
    inverse: Tensor
    """The student at t = 0, from the teacher's sample back to z_T."""
    consistency: Tensor
    """The ground truth, inverted without gradient, and brought back in one step."""
    z_0: Tensor
    """[N, C, h, w]."""


def sinsr_terms(student: Denoiser, s: Schedule, z_T: Tensor, z_0_teacher: Tensor, z_0_gt: Tensor) -> SinSRTerms:
    """SinSR's losses on latents [N, C, h, w]; every input is scaled with the divisor of t = T-1, as its code does."""
    first = torch.zeros(len(z_T), dtype=torch.long, device=z_T.device)
    last = torch.full_like(first, s.steps - 1)

    def restore(z: Tensor) -> Tensor:
        return student(process.scale_input(s, z, last), last)

    def invert(z: Tensor) -> Tensor:
        return student(process.scale_input(s, z, last), first)

    z_0 = restore(z_T)
    with torch.no_grad():
        z_T_gt = invert(z_0_gt)
    return SinSRTerms(_mean(z_0_teacher - z_0), _mean(z_T - invert(z_0_teacher)), _mean(z_0_gt - restore(z_T_gt)), z_0)


def _mean(difference: Tensor) -> Tensor:
    """Mean square per sample."""
    return difference.square().flatten(1).mean(1)
