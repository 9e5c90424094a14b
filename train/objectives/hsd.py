"""High-frequency-enhanced score distillation: TAD-SR (He et al., arXiv 2408.07476), Eq. 7 and 8.

The paper's formula is a gradient, not a loss: a difference of two scores with the UNet's Jacobian left out. Everything
in it is detached, and ``surrogate_loss`` hands it to autograd.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.diffusion import process
from train.diffusion.process import Denoiser
from train.diffusion.schedule import Schedule, at

Weighting = Literal["kappa_sqrt_eta", "sqrt_eta_kappa", "sqrt_eta"]
"""The denominator of Eq. 8's weight. Eq. 1 and ResShift's code force kappa sqrt(eta); Eq. 8 prints sqrt(eta kappa), and
Eq. 16 leaves kappa out. They differ by a constant factor only, that is by lambda_1."""

DENOMINATORS: dict[Weighting, Callable[[Schedule], NDArray[np.float64]]] = {
    "kappa_sqrt_eta": lambda s: s.noise_std,
    "sqrt_eta_kappa": lambda s: np.sqrt(s.etas * s.kappa),
    "sqrt_eta": lambda s: s.sqrt_etas,
}


class ScoreDistillation(NamedTuple):
    """What Eq. 7 and 8 are made of; all detached, all [N, C, h, w]."""

    z_t_student: Tensor
    """The student's z_0 brought to t'."""
    z_t_teacher: Tensor
    """The teacher's z_0 brought to t' with the same noise."""
    F_student: Tensor
    """The teacher's z_0 from ``z_t_student``."""
    F_teacher: Tensor
    """The teacher's z_0 from ``z_t_teacher``."""
    bracket: Tensor
    """Eq. 8: z_0^stu - z_0^tch + F(z_t'^tch) - F(z_t'^stu)."""
    gradient: Tensor
    """Of one sample's loss with respect to the student's z_0: weight x bracket / (C S), S = h w."""


def weight(s: Schedule, t: Tensor, like: Tensor, weighting: Weighting = "kappa_sqrt_eta") -> Tensor:
    """Eq. 8's (1 - eta_t') / (kappa sqrt(eta_t')) as [N, 1, 1, 1]; the smallest t' dominates by far (25 at t' = 0)."""
    return at((1 - s.etas) / DENOMINATORS[weighting](s), t, like)


@torch.no_grad()
def score_distillation(
    teacher: Denoiser,
    s: Schedule,
    z_0_student: Tensor,
    z_0_teacher: Tensor,
    z_y: Tensor,
    t: Tensor,
    noise: Tensor,
    weighting: Weighting = "kappa_sqrt_eta",
    weight_max: float = math.inf,
) -> ScoreDistillation:
    """Eq. 7 and 8 at a small t' = t [N] (0-based) with one ``noise`` [N, C, h, w] for both branches.

    ``z_0_teacher`` is the teacher's multi-step sample; ``teacher`` is one call of it. ``weight_max`` cuts the weight.
    """
    z_t_student, z_t_teacher = (process.forward_process(s, z_0, z_y, t, noise) for z_0 in (z_0_student, z_0_teacher))
    F_student, F_teacher = (teacher(process.scale_input(s, z_t, t), t) for z_t in (z_t_student, z_t_teacher))
    bracket = z_0_student - z_0_teacher + F_teacher - F_student
    gradient = weight(s, t, bracket, weighting).clamp(max=weight_max) * bracket / bracket[0].numel()
    return ScoreDistillation(z_t_student, z_t_teacher, F_student, F_teacher, bracket, gradient)


def surrogate_loss(gradient: Tensor, z_0_student: Tensor) -> Tensor:
    """A scalar whose gradient with respect to ``z_0_student`` is ``gradient``, averaged over the batch.

    Its value means nothing; log the mean of ``gradient.abs()``.
    """
    return (gradient.detach() * z_0_student).sum() / len(z_0_student)


@torch.no_grad()
def sds_gradient(
    teacher: Denoiser,
    s: Schedule,
    z_0_student: Tensor,
    z_y: Tensor,
    t: Tensor,
    noise: Tensor,
    weighting: Weighting = "kappa_sqrt_eta",
) -> Tensor:
    """The ablation's baseline, score distillation sampling: HSD without its teacher branch.

    w (z_0^stu - F(z_t^stu)) / (C S), detached: one sample's gradient [N, C, h, w]; t [N] over the whole process.
    """
    z_t = process.forward_process(s, z_0_student, z_y, t, noise)
    bracket = z_0_student - teacher(process.scale_input(s, z_t, t), t)
    return weight(s, t, bracket, weighting) * bracket / bracket[0].numel()
