"""The range of an activation: it begins with what was measured, and finetuning may narrow it, within bounds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torchao", reason="fake quantisation is torchao's; pip install 'tadsr[compress]'")

from compress.quantization.fp16_scales import SMALLEST_SCALE
from compress.quantization.learnt_range import NARROWEST, RANGE_SPEED, LearntRange
from compress.quantization.spec import ACTIVATION

X = 2 * torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def fresh(largest: float) -> LearntRange:
    """As PT2E makes one, with the range that was measured."""
    told = {name: getattr(ACTIVATION, name) for name in ("dtype", "quant_min", "quant_max", "qscheme")}
    made = ACTIVATION.observer_or_fake_quant_ctr(**told)
    assert isinstance(made, LearntRange)
    made.set_range(largest)
    return made


@given(st.floats(1e-3, 1e4), st.floats(-1, 2))
def test_every_scale_is_one_that_fp16_holds_and_no_narrower_than_allowed(largest: float, narrowed: float) -> None:
    fake = fresh(largest)
    fake.narrowing.data.fill_(narrowed / RANGE_SPEED)
    scale, zero_point = fake.calculate_qparams()
    assert scale.shape == zero_point.shape == (1,)
    assert not zero_point.any()
    assert scale.half().float().equal(scale)
    share = min(max(1 - narrowed, NARROWEST), 1)
    expected = max(share * largest / 127.5, SMALLEST_SCALE)
    assert 0.999 * expected <= float(scale) <= 1.003 * expected, "fp16 has steps of a thousandth"


@torch.no_grad()
def test_it_begins_with_what_was_measured_and_what_it_sees_changes_nothing() -> None:
    fake = fresh(4.0)
    before = fake.calculate_qparams()[0]
    fake(100 * X)
    assert fake.calculate_qparams()[0].equal(before)


@torch.no_grad()
def test_numbers_become_the_nearest_steps_within_the_range() -> None:
    fake = fresh(3.0)
    scale = float(fake.calculate_qparams()[0])
    expected = torch.fake_quantize_per_tensor_affine(X, scale, 0, -128, 127)
    torch.testing.assert_close(fake(X), expected)
    fake.enable_fake_quant(False)
    assert fake(X).equal(X)


def test_gradients_reach_the_numbers_within_the_range_and_the_range() -> None:
    fake, x = fresh(2.0), X.clone().requires_grad_(True)
    fake(x).sum().backward()
    assert x.grad is not None
    scale = float(fake.calculate_qparams()[0])
    inside = (X / scale > -128) & (X / scale < 127)
    assert inside.any()
    assert not inside.all()
    torch.testing.assert_close(x.grad, inside.float())
    assert fake.narrowing.grad is not None


@pytest.mark.parametrize(("measured", "narrower"), [(40.0, True), (2.0, False)])
def test_training_narrows_a_range_that_is_wider_than_it_pays(measured: float, narrower: bool) -> None:
    """Rounding's error is least for a range about that of the numbers; where many are cut off it is not narrowed."""
    fake = fresh(measured)
    optimizer = torch.optim.Adam([fake.narrowing], 1e-4)
    for _ in range(100):
        optimizer.zero_grad()
        (fake(X) - X).square().mean().backward()
        optimizer.step()
    share = float(fake.calculate_qparams()[0] / fresh(measured).calculate_qparams()[0])
    assert (share < 0.8) == narrower
    assert share >= NARROWEST * 0.999
