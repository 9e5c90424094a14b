"""The fake quantisation of an activation, whose range finetuning may narrow.

(Learned step size quantisation, Esser et al., ICLR 2020, with a bound: a range that follows what photos do on average
would clip the rare large values, and it is those that people notice.)
"""

import torch
from torch import Tensor, nn
from torchao.quantization.pt2e import FakeQuantize, MovingAverageMinMaxObserver

from compress.quantization.fp16_scales import round_up_to_fp16

NARROWEST = 0.75
"""The narrowest range, as a fraction of the one that was measured."""
RANGE_SPEED = 150.0
"""How much faster a range moves than a weight: Adam moves both by its learning rate, and a range is to cross what is
allowed in hundreds of steps."""


class ActivationObserver(MovingAverageMinMaxObserver):
    """The extremes of a tensor, as a scale that fp16 holds."""

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point, [1] each."""
        scale, zero_point = super().calculate_qparams()
        return round_up_to_fp16(scale), zero_point


class LearntRange(FakeQuantize):
    """x of any shape -> x rounded to int8 levels; gradients reach x, and the range."""

    def __init__(self, **fields: object) -> None:
        """``fields``: what PT2E passes to a fake quantisation."""
        super().__init__(observer=ActivationObserver, **fields)
        self.narrowing = nn.Parameter(torch.zeros(1))
        """(1 - fraction of the measured range) / ``RANGE_SPEED``."""

    def set_range(self, largest: float) -> None:
        """Take this for the largest magnitude that was measured."""
        self.activation_post_process.min_val.fill_(-largest)
        self.activation_post_process.max_val.fill_(largest)
        self.scale.copy_(self.activation_post_process.calculate_qparams()[0])
        self.disable_observer()

    def learnt_scale(self) -> Tensor:
        """[1], as fp16 holds it; its gradient is that of the fraction of the measured range."""
        fraction = 1 - RANGE_SPEED * self.narrowing
        scale = self.scale * fraction
        held = round_up_to_fp16(self.scale * fraction.clamp(NARROWEST, 1)).detach()
        return held + (scale - scale.detach())  # in this order, which adds an exact zero

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point, [1] each."""
        return self.learnt_scale().detach(), self.zero_point

    def forward(self, X: Tensor) -> Tensor:
        """The levels of ``X``, where rounding is enabled."""
        if not self.fake_quant_enabled[0]:
            return X
        scale, weight = self.learnt_scale(), (X.numel() * self.quant_max) ** -0.5  # of its gradient, as LSQ has it
        scale = scale.detach() + (scale - scale.detach()) * weight
        steps = (X * (1 / scale)).clamp(self.quant_min, self.quant_max)
        return (steps + (steps.round() - steps).detach()) * scale
