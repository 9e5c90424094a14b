"""The one INT8 format of all devices.

Weights: int8, symmetric in ±127, a scale per output channel. Activations: int8, symmetric (zero point 0, which TensorRT
wants), a scale per tensor. Every scale is a number that fp16 holds exactly, since Core ML stores it so: then the scales
in all artifacts are equal to the bit.
"""

import torch
from torch import Tensor
from torchao.quantization.pt2e import (
    FakeQuantize,
    MovingAveragePerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import QuantizationSpec

from compress.quantization.fp16_scales import round_up_to_fp16
from compress.quantization.learnt_range import LearntRange
from tadsr.saturation import largest_pair

ACTIVATION_RANGE = (-128, 127)
WEIGHT_RANGE = (-127, 127)


class WeightObserver(MovingAveragePerChannelMinMaxObserver):
    """The extremes of every output channel of the weights as they are now, as scales that fp16 holds.

    The scale is so large that two neighbours together stay within 127 steps (a rounding makes that 128 at most).
    """

    def forward(self, x_orig: Tensor) -> Tensor:
        """Remember the extremes; x_orig [outputs, inputs, h, w] is returned as it is."""
        self._pair = largest_pair(x_orig.detach())
        seen: Tensor = super().forward(x_orig)
        return seen

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scales and zero points, [outputs] each."""
        scale, zero_point = super().calculate_qparams()
        return round_up_to_fp16(torch.maximum(scale, self._pair / WEIGHT_RANGE[1])), zero_point


ACTIVATION = QuantizationSpec(
    dtype=torch.int8,
    observer_or_fake_quant_ctr=LearntRange,
    quant_min=ACTIVATION_RANGE[0],
    quant_max=ACTIVATION_RANGE[1],
    qscheme=torch.per_tensor_symmetric,
)
WEIGHT = QuantizationSpec(
    dtype=torch.int8,
    observer_or_fake_quant_ctr=FakeQuantize.with_args(observer=WeightObserver.with_args(averaging_constant=1)),
    quant_min=WEIGHT_RANGE[0],
    quant_max=WEIGHT_RANGE[1],
    qscheme=torch.per_channel_symmetric,
    ch_axis=0,
)
