"""The open choices of TAD-SR's objective; where the paper is silent or contradicts itself, each default says why."""

import math
from dataclasses import dataclass, field
from typing import Literal

from train.networks.discriminator import DiscriminatorConfig
from train.objectives.adversarial import Reduction
from train.objectives.hsd import Weighting


@dataclass(frozen=True)
class PaperChoices:
    """Readings of TAD-SR (He et al., arXiv 2408.07476) that change results."""

    hsd_weight: Weighting = "kappa_sqrt_eta"
    """Eq. 8's denominator; Eq. 1 and ResShift's code force kappa sqrt(eta), Eq. 8 prints sqrt(eta kappa)."""
    hsd_weight_max: float = math.inf
    """Largest weight of Eq. 8; by default it is not cut (15 steps: 25, 4.2 and 2.8 at t' = 0, 1, 2)."""
    hsd_t_max: int | None = None
    """Largest index t' (0-based) of HSD; by default ceil(T / 5) - 1 as in Algorithm 1: 2 of 15 steps, 0 of 4."""
    z_T: Literal["prior", "forward"] = "prior"
    """"prior" is z_y + kappa sqrt(eta_T) eps, all that there is when the student is used; Algorithm 1's "forward" lets
    2 % of z_0 through."""
    discriminator_noise: Literal["fresh", "shared"] = "fresh"
    """Noise of the discriminator's inputs; Algorithm 1 reuses z_T's ("shared"), which ties it to the student's."""
    scales: Reduction = "mean"
    """How the discriminator's scales are combined: Eq. 11-12 print a sum, the text says the average."""
    heads: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Sizes of the discriminator's heads."""


def largest_hsd_time(steps: int, chosen: int | None) -> int:
    """The largest index t' of HSD in a process of ``steps`` steps: Algorithm 1's U(0, T/5), at least {0}."""
    return -(-steps // 5) - 1 if chosen is None else min(chosen, steps - 1)
