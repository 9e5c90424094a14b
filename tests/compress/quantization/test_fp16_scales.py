"""Scales that fp16 holds."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.quantization.fp16_scales import SMALLEST_SCALE, round_up_to_fp16


@given(st.floats(0, 60_000, width=32))
def test_scale_is_rounded_up_to_the_next_that_fp16_holds(scale: float) -> None:
    rounded = round_up_to_fp16(torch.tensor([scale]))
    assert rounded.dtype == torch.float32
    assert rounded.half().float().equal(rounded)
    least = max(scale, SMALLEST_SCALE)
    below = np.nextafter(rounded.half().numpy()[0], np.float16(0))
    assert float(below) < least <= float(rounded)


@given(st.integers(0, 0x7BFF))
def test_what_fp16_holds_stays(bits: int) -> None:
    held = torch.tensor([bits], dtype=torch.int16).view(torch.float16).float()
    assert round_up_to_fp16(held).equal(held.clamp_min(SMALLEST_SCALE))
