"""Score distillation sampling, the baseline of TAD-SR's ablation: HSD without its teacher branch."""

import torch
from torch import Tensor

from train.diffusion import process as diffusion
from train.diffusion.process import Denoiser, Schedule
from train.objectives.hsd import Weighting, weight


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
    """w (z_0^stu - F(z_t^stu)) / (C S), detached: one sample's gradient [N, C, h, w]; t [N] over the whole process."""
    z_t = diffusion.forward_process(s, z_0_student, z_y, t, noise)
    bracket = z_0_student - teacher(diffusion.scale_input(s, z_t, t), t)
    return weight(s, t, bracket, weighting) * bracket / bracket[0].numel()
