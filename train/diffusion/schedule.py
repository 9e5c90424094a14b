"""ResShift's noise schedule: how far each step has shifted towards z_y, and every coefficient that follows from it.

Equations are those of ResShift (Yue et al., NeurIPS 2023, arXiv 2307.12348), as its code evaluates them. ``t`` is
always a 0-based index, so the paper's t is ours plus one, and eta_{t-1} of t = 0 is 0.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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
    """The index that the network takes at each step: 0..T-1, or a subset of it after ``respace``."""

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
        """The posterior variance with element 0 replaced by element 1, so that its logarithm exists."""
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


def make_schedule(config: ScheduleConfig) -> Schedule:
    """sqrt(eta_i) = s_1 (etas_end / s_1)^((i / (T-1))^power), s_1 = min(min_noise / kappa, min_noise); ResShift Eq. 10.

    Raises ``ValueError`` for fewer than two steps.
    """
    if config.steps < 2:
        raise ValueError(f"a schedule needs at least 2 steps, not {config.steps}")
    first = min(config.min_noise / config.kappa, config.min_noise)
    exponents = (np.arange(config.steps) / (config.steps - 1)) ** config.power
    return Schedule(first * (config.etas_end / first) ** exponents, config.kappa, tuple(range(config.steps)))


def respace(full: Schedule, steps: int) -> Schedule:
    """Keep the indices int(T / S * i), i < S; the network still takes the original index. (For 1: ``one_step``.)"""
    if not 1 < steps <= full.steps:
        raise ValueError(f"{steps} sampling steps asked of a schedule that has {full.steps}; ask 1 to {full.steps}")
    kept = sorted({int(full.steps / steps * i) for i in range(steps)})
    return Schedule(full.sqrt_etas[kept], full.kappa, tuple(full.indices[i] for i in kept))


def at(values: NDArray[np.float64], t: Tensor, like: Tensor) -> Tensor:
    """values [T] at t [N], as a tensor [N, 1, 1, 1] with the type and device of ``like``."""
    picked = torch.from_numpy(values).to(like.device)[t]
    return picked.to(like.dtype).view(-1, *(1,) * (like.ndim - 1))
