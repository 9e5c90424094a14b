"""ResShift's diffusion: z_0 is shifted towards z_y, the latent of the enlarged LQ picture, while noise is added.

Pure functions of tensors and of one ``Schedule``. Equations are those of ResShift (Yue et al., NeurIPS 2023,
arXiv 2307.12348) and, for the deterministic sampler, of SinSR (Wang et al., CVPR 2024, arXiv 2311.14760), as their
code evaluates them. ``t`` is always a 0-based index, so the paper's t is ours plus one, and eta_{t-1} of t = 0 is 0.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(z_t [N, C, h, w] scaled by ``scale_input``, t [N]) -> predicted z_0 [N, C, h, w]; conditions are bound inside."""


@dataclass(frozen=True)
class ScheduleConfig:
    """ResShift's "exponential" schedule; the defaults are the 15-step one of the NeurIPS models (s15)."""

    steps: int = 15
    """T, the number of steps."""
    min_noise: float = 0.04
    """Standard deviation of the noise at the first step (0.2 in the 4-step models)."""
    etas_end: float = 0.99
    """sqrt(eta) at the last step, despite its name: eta_T = 0.9801."""
    power: float = 0.3
    """How early the shift happens: sqrt(eta) grows as exp(c (i / (T-1))^power)."""
    kappa: float = 2.0
    """Noise strength: the forward noise has standard deviation kappa sqrt(eta)."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Every coefficient of the process as a float64 array [T], computed once from sqrt(eta)."""

    sqrt_etas: NDArray[np.float64]
    kappa: float
    indices: tuple[int, ...]
    """The index that the network is told at each step: 0..T-1, or a subset of it after ``respace``."""

    @property
    def steps(self) -> int:
        return len(self.sqrt_etas)

    @cached_property
    def etas(self) -> NDArray[np.float64]:
        return self.sqrt_etas**2

    @cached_property
    def etas_prev(self) -> NDArray[np.float64]:
        return np.append(0.0, self.etas[:-1])

    @cached_property
    def alpha(self) -> NDArray[np.float64]:
        """alpha_t = eta_t - eta_{t-1}."""
        return self.etas - self.etas_prev

    @cached_property
    def noise_std(self) -> NDArray[np.float64]:
        """kappa sqrt(eta_t), the forward noise's standard deviation."""
        return self.kappa * self.sqrt_etas

    @cached_property
    def input_std(self) -> NDArray[np.float64]:
        """sqrt(kappa^2 eta_t + 1): what the network's input z_t is divided by, given latents of unit variance."""
        return np.sqrt(self.kappa**2 * self.etas + 1)

    @cached_property
    def posterior_mean_coef1(self) -> NDArray[np.float64]:
        """The posterior mean's coefficient of z_t, eta_{t-1} / eta_t."""
        return self.etas_prev / self.etas

    @cached_property
    def posterior_mean_coef2(self) -> NDArray[np.float64]:
        """The posterior mean's coefficient of z_0, alpha_t / eta_t."""
        return self.alpha / self.etas

    @cached_property
    def posterior_variance(self) -> NDArray[np.float64]:
        """kappa^2 (eta_{t-1} / eta_t) alpha_t; zero at t = 0."""
        return self.kappa**2 * self.etas_prev / self.etas * self.alpha

    @cached_property
    def posterior_variance_clipped(self) -> NDArray[np.float64]:
        """The same with element 0 replaced by element 1, so that its logarithm exists."""
        return np.append(self.posterior_variance[1], self.posterior_variance[1:])

    @cached_property
    def det_m(self) -> NDArray[np.float64]:
        """Deterministic step: coefficient of z_t, sqrt(eta_{t-1} / eta_t)."""
        return np.sqrt(self.etas_prev / self.etas)

    @cached_property
    def det_j(self) -> NDArray[np.float64]:
        """Deterministic step: coefficient of z_y, eta_{t-1} - sqrt(eta_{t-1} eta_t)."""
        return self.etas_prev - np.sqrt(self.etas_prev * self.etas)

    @cached_property
    def det_k(self) -> NDArray[np.float64]:
        """Deterministic step: coefficient of the predicted z_0, 1 - m - j."""
        return 1 - self.det_m - self.det_j


def schedule(config: ScheduleConfig) -> Schedule:
    """sqrt(eta_i) = s_1 (etas_end / s_1)^((i / (T-1))^power), s_1 = min(min_noise / kappa, min_noise); ResShift Eq. 10.

    Raises ``ValueError`` for fewer than two steps.
    """
    if config.steps < 2:
        raise ValueError(f"a schedule needs at least 2 steps, not {config.steps}")
    first = min(config.min_noise / config.kappa, config.min_noise)
    exponents = (np.arange(config.steps) / (config.steps - 1)) ** config.power
    return Schedule(first * (config.etas_end / first) ** exponents, config.kappa, tuple(range(config.steps)))


def respace(full: Schedule, steps: int) -> Schedule:
    """Keep the indices int(T / S * i), i < S; the network is still told the original index. (For 1: ``one_step``.)"""
    if not 1 < steps <= full.steps:
        raise ValueError(f"{steps} sampling steps asked of a schedule that has {full.steps}; ask 1 to {full.steps}")
    kept = sorted({int(full.steps / steps * i) for i in range(steps)})
    return Schedule(full.sqrt_etas[kept], full.kappa, tuple(full.indices[i] for i in kept))


def at(values: NDArray[np.float64], t: Tensor, like: Tensor) -> Tensor:
    """values [T] at t [N], as a tensor [N, 1, 1, 1] with the type and device of ``like``."""
    picked = torch.from_numpy(values).to(like.device)[t]
    return picked.to(like.dtype).view(-1, *(1,) * (like.ndim - 1))


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
    """What one sampling step saw and made: index t, predicted z_0, and the sample z_{t-1}, each [N, C, h, w]."""

    t: int
    z_0: Tensor
    sample: Tensor


def stochastic_trajectory(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Iterator[Step]:
    """ResShift's ancestral sampler, t = T-1 .. 0.

    noise [T+1, N, C, h, w]: first the prior's, then one per step in sampling order; the last is drawn but not used.
    """
    z_t = prior_sample(s, z_y, noise[0])
    for i, t in enumerate(reversed(range(s.steps))):
        index, told = _times(s, t, z_y)
        z_0 = denoiser(scale_input(s, z_t, index), told)
        z_t = stochastic_step(s, z_0, z_t, index, noise[i + 1])
        yield Step(t, z_0, z_t)


def deterministic_trajectory(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Iterator[Step]:
    """SinSR's sampler, t = T-1 .. 0: no randomness after z_T, which ``noise`` [N, C, h, w] gives."""
    return deterministic_steps(s, denoiser, z_y, prior_sample(s, z_y, noise))


def deterministic_steps(s: Schedule, denoiser: Denoiser, z_y: Tensor, z_T: Tensor) -> Iterator[Step]:
    """The same from a given z_T [N, C, h, w]."""
    z_t = z_T
    for t in reversed(range(s.steps)):
        index, told = _times(s, t, z_y)
        z_0 = denoiser(scale_input(s, z_t, index), told)
        z_t = deterministic_step(s, z_0, z_t, z_y, index)
        yield Step(t, z_0, z_t)


def last_sample(trajectory: Iterator[Step]) -> Tensor:
    """Run a trajectory to its end -> z_0 [N, C, h, w]."""
    *_, last = trajectory
    return last.sample


def one_step(s: Schedule, denoiser: Denoiser, z_y: Tensor, noise: Tensor) -> Tensor:
    """The distilled student's sampler: one network call at t = T-1 on the prior sample -> z_0."""
    index, told = _times(s, s.steps - 1, z_y)
    return denoiser(scale_input(s, prior_sample(s, z_y, noise), index), told)


def _times(s: Schedule, t: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The index t into the schedule and the index that the network is told, both [N]."""
    n = like.shape[0]
    return torch.full((n,), t, device=like.device), torch.full((n,), s.indices[t], device=like.device)
