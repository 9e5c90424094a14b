"""Scales that fp16 holds exactly."""

import torch
from torch import Tensor

SMALLEST_SCALE = 2.0**-14
"""fp16's smallest normal number: devices may take smaller ones for zero."""
_MANTISSA = 2.0**11
"""A normal fp16 number is m 2^e, m a multiple of 1 / ``_MANTISSA`` in [1/2, 1)."""


def round_up_to_fp16(scale: Tensor) -> Tensor:
    """The smallest numbers that fp16 holds exactly and that are not below ``scale`` and ``SMALLEST_SCALE``, as float32.

    Up, so that what the range was chosen for still fits into it.
    """
    mantissa, exponent = torch.frexp(scale.float().clamp_min(SMALLEST_SCALE))
    return torch.ldexp(torch.ceil(mantissa * _MANTISSA) / _MANTISSA, exponent)
