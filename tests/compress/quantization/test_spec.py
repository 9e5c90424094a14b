"""The INT8 format of weights: scales that fp16 holds, and no CPU saturates on them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

pytest.importorskip("torchao", reason="the observers are torchao's; pip install 'tadsr[compress]'")

from compress.quantization.fp16_scales import SMALLEST_SCALE
from compress.quantization.spec import WEIGHT, WEIGHT_RANGE, WeightObserver
from tadsr.saturation import largest_pair

shapes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 3]), st.sampled_from([1, 3]))


def weight_observer() -> WeightObserver:
    """As PT2E makes one."""
    told = {name: getattr(WEIGHT, name) for name in ("dtype", "quant_min", "quant_max", "qscheme", "ch_axis")}
    observer = WEIGHT.observer_or_fake_quant_ctr(**told).activation_post_process
    assert isinstance(observer, WeightObserver)
    return observer


def random_weights(shape: tuple[int, ...], seed: int, heavy: float) -> Tensor:
    """Normal numbers raised to a power: the larger ``heavy``, the more outliers."""
    normal = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return normal.sign() * normal.abs() ** heavy


def neighbours(weights: Tensor) -> Tensor:
    """The numbers that engines multiply and add in one go: [outputs, pairs, 2], in the order (row, column, input)."""
    packed = [[float(one[i, y, x]) for y, x, i in np.ndindex(*one.shape[1:], one.shape[0])] for one in weights]
    padded = torch.tensor([row + [0.0] * (len(row) % 2) for row in packed])
    return padded.view(len(weights), -1, 2)


def same_sign_sums(pairs: Tensor) -> Tensor:
    """|w_1 + w_2| where no sign differs; elsewhere the larger one alone, as the other only takes away from it."""
    return torch.where((pairs.prod(2) >= 0), pairs.sum(2).abs(), pairs.abs().amax(2))


@given(shapes, st.integers(0, 99))
def test_largest_pair_is_that_of_the_packed_kernel(shape: tuple[int, ...], seed: int) -> None:
    weights = random_weights(shape, seed, 1)
    torch.testing.assert_close(largest_pair(weights), same_sign_sums(neighbours(weights)).amax(1))


@given(shapes, st.integers(0, 99), st.floats(0.2, 5))
def test_no_two_neighbouring_weights_exceed_128_steps(shape: tuple[int, ...], seed: int, heavy: float) -> None:
    weights = random_weights(shape, seed, heavy)
    observer = weight_observer()
    assert observer(weights).equal(weights)
    scales, zero_points = observer.calculate_qparams()
    assert scales.shape == zero_points.shape == (len(weights),)
    assert not zero_points.any()
    assert scales.half().float().equal(scales)
    steps = (weights / scales.view(-1, 1, 1, 1)).round()
    assert steps.abs().max() <= WEIGHT_RANGE[1], "nothing is cut off"
    assert same_sign_sums(neighbours(steps)).max() <= 128
    wide = scales > SMALLEST_SCALE
    used = torch.maximum(same_sign_sums(neighbours(steps)).amax(1), steps.abs().amax((1, 2, 3)))
    assert (used[wide] >= 125).all(), "the scale is no larger than it has to be"


def test_weights_scales_are_those_of_the_weights_as_they_are_now() -> None:
    weights = random_weights((3, 4, 3, 3), 0, 1)
    fresh, used = (weight_observer() for _ in range(2))
    used(8 * weights)
    for observer in (fresh, used):
        observer(weights)
    assert used.calculate_qparams()[0].equal(fresh.calculate_qparams()[0])
