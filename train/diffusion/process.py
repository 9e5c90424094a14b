"""ResShift's diffusion: z_0 is shifted towards z_y, the latent of the enlarged LQ picture, while noise is added.

Pure functions of tensors and of one ``Schedule``. Equations are those of ResShift (Yue et al., NeurIPS 2023,
arXiv 2307.12348) and, for the deterministic sampler, of SinSR (Wang et al., CVPR 2024, arXiv 2311.14760), as their
code evaluates them. ``t`` is always a 0-based index, so the paper's t is ours plus one, and eta_{t-1} of t = 0 is 0.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train.diffusion.schedule import Schedule, at

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(z_t [N, C, h, w] scaled by ``scale_input``, t [N]) -> predicted z_0 [N, C, h, w]; conditions are bound inside."""


def forward_process(s: Schedule, z_0: Tensor, z_y: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """q(z_t | z_0, z_y): z_0 + eta_t (z_y - z_0) + kappa sqrt(eta_t) noise; ResShift Eq. 2."""
    return z_0 + at(s.etas, t, z_0) * (z_y - z_0) + at(s.noise_std, t, z_0) * noise


def prior_sample(s: Schedule, z_y: Tensor, noise: Tensor) -> Tensor:
    """z_T = z_y + kappa sqrt(eta_T) noise: what sampling starts from; z_0 does not enter."""
    return z_y + float(s.noise_std[-1]) * noise


def scale_input(s: Schedule, z_t: Tensor, t: Tensor) -> Tensor:
    """z_t / sqrt(kappa^2 eta_t + 1), the network's input."""
    return z_t / at(s.input_std, t, z_t)


def posterior_mean(s: Schedule, z_0: Tensor, z_t: Tensor, t: Tensor) -> Tensor:
    """Mean of q(z_{t-1} | z_t, z_0): (eta_{t-1} / eta_t) z_t + (alpha_t / eta_t) z_0; ResShift Eq. 6."""
    return at(s.posterior_mean_coef1, t, z_t) * z_t + at(s.posterior_mean_coef2, t, z_t) * z_0


def stochastic_step(s: Schedule, z_0: Tensor, z_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """A draw of q(z_{t-1} | z_t, z_0); at t = 0 it is exactly the mean."""
    std = np.where(np.arange(s.steps) == 0, 0.0, np.sqrt(s.posterior_variance_clipped))
    return posterior_mean(s, z_0, z_t, t) + at(std, t, z_t) * noise


def deterministic_step(s: Schedule, z_0: Tensor, z_t: Tensor, z_y: Tensor, t: Tensor) -> Tensor:
    """k z_0 + m z_t + j z_y: z_{t-1} with the noise held fixed; SinSR Eq. 7, TAD-SR Eq. 3."""
    return at(s.det_k, t, z_t) * z_0 + at(s.det_m, t, z_t) * z_t + at(s.det_j, t, z_t) * z_y


def predicted_noise(s: Schedule, z_0: Tensor, z_t: Tensor, z_y: Tensor, t: Tensor) -> Tensor:
    """eps of the forward process: (z_t - (1 - eta_t) z_0 - eta_t z_y) / (kappa sqrt(eta_t))."""
    eta = at(s.etas, t, z_t)
    return (z_t - (1 - eta) * z_0 - eta * z_y) / at(s.noise_std, t, z_t)


@dataclass(frozen=True)
class Step:
    """One sampling step: index t, predicted z_0, and the sample z_{t-1}, each [N, C, h, w]."""

    t: int
    z_0: Tensor
    sample: Tensor


def stochastic_trajectory(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Iterator[Step]:
    """ResShift's ancestral sampler, t = T-1 .. 0.

    noise [T+1, N, C, h, w]: first the prior's, then one per step in sampling order; the last is drawn but not used.
    """
    z_t = prior_sample(s, z_y, noise[0])
    for i, t in enumerate(reversed(range(s.steps))):
        index, original = _times(s, t, z_y)
        z_0 = denoiser(scale_input(s, z_t, index), original)
        z_t = stochastic_step(s, z_0, z_t, index, noise[i + 1])
        yield Step(t, z_0, z_t)


def deterministic_trajectory(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Iterator[Step]:
    """SinSR's sampler, t = T-1 .. 0: no randomness after z_T, which ``noise`` [N, C, h, w] gives."""
    return deterministic_steps(s, denoiser, z_y, prior_sample(s, z_y, noise))


def deterministic_steps(s: Schedule, denoiser: Denoiser, z_y: Tensor, z_T: Tensor) -> Iterator[Step]:
    """SinSR's sampler from a z_T [N, C, h, w], t = T-1 .. 0."""
    z_t = z_T
    for t in reversed(range(s.steps)):
        index, original = _times(s, t, z_y)
        z_0 = denoiser(scale_input(s, z_t, index), original)
        z_t = deterministic_step(s, z_0, z_t, z_y, index)
        yield Step(t, z_0, z_t)


def last_sample(trajectory: Iterator[Step]) -> Tensor:
    """Run a trajectory to its end -> z_0 [N, C, h, w]."""
    *_, last = trajectory
    return last.sample


def one_step(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Tensor:
    """The distilled student's sampler: one network call at t = T-1 on the prior sample -> z_0."""
    index, original = _times(s, s.steps - 1, z_y)
    return denoiser(scale_input(s, prior_sample(s, z_y, noise), index), original)


def _times(s: Schedule, t: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The index t into the schedule, and that of the schedule before ``respace``, which the network takes; both [N]."""
    n = like.shape[0]
    return torch.full((n,), t, device=like.device), torch.full((n,), s.indices[t], device=like.device)
