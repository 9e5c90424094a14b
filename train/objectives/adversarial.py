"""TAD-SR's adversarial losses, Eq. 9-12: hinge for the discriminator, minus the mean logit for the student.

Every function takes one map of logits [N, 1, h, w] per scale. Eq. 11 and 12 sum over the scales where the text
averages; the sum is the average times the number of scales, a factor on lambda_2 only.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import relu

Reduction = Literal["mean", "sum"]
"""Over scales, each averaged over its own positions first, so that all scales weigh the same."""

_REDUCTIONS: dict[Reduction, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "sum": torch.sum}


def discriminator_loss(real: list[Tensor], fake: list[Tensor], reduction: Reduction = "mean") -> Tensor:
    """Eq. 12: mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake))."""
    scales = [relu(1 - r).mean() + relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return _REDUCTIONS[reduction](torch.stack(scales))


def generator_loss(fake: list[Tensor], reduction: Reduction = "mean") -> Tensor:
    """Eq. 11: -mean D(fake)."""
    return _REDUCTIONS[reduction](torch.stack([-f.mean() for f in fake]))
