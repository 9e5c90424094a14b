"""On CPUs without VNNI: whether sums of two products can saturate, told from the weights alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.onnx.int8 import worst_pair
from tadsr.saturation import LARGEST_PAIR
from tests.export.onnx.saturating import convolve


def random(seed: int, largest: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    data = rng.choice([0, 128, 255], (1, channels, 5, 4)).astype(np.uint8)
    return data, rng.integers(-largest, largest + 1, (3, channels, 3, 3)).astype(np.int8)


def test_the_emulation_without_saturation_is_a_convolution() -> None:
    data, weight = random(0, 127, 3)
    right = torch.nn.functional.conv2d(torch.from_numpy(data).double(), torch.from_numpy(weight).double(), padding=1)
    ours = convolve(data, weight, 1, 0, saturating=False)
    np.testing.assert_array_equal(ours, right.flatten(2).numpy())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 127), st.integers(1, 4))
def test_weights_called_safe_never_saturate(seed: int, largest: int, channels: int) -> None:
    data, weight = random(seed, largest, channels)
    exact, saturated = (convolve(data, weight, 1, 128, saturating=flag) for flag in (False, True))
    if worst_pair(weight) <= LARGEST_PAIR:
        np.testing.assert_array_equal(exact, saturated)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_limit_is_sharp(sign: int) -> None:
    data = np.full((1, 2, 1, 1), 255, np.uint8)
    for second, safe in ((64, True), (65, False)):
        weight = np.array([sign * 64, sign * second], np.int8).reshape(1, 2, 1, 1)
        assert (worst_pair(weight) <= LARGEST_PAIR) == safe
        exact, saturated = (convolve(data, weight, 0, 0, saturating=flag) for flag in (False, True))
        assert np.array_equal(exact, saturated) == safe


def test_neighbours_are_input_channels_of_one_kernel_position() -> None:
    weight = np.zeros((1, 2, 1, 3), np.int8)
    weight[0, 0] = 100  # no two of them are neighbours: the other channel stands between
    assert worst_pair(weight) == 100
    weight[0, 1, 0, 1] = 27
    assert worst_pair(weight) == 127
