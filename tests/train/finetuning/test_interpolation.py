"""The network between one and what it was finetuned to."""

import pytest
import torch
from torch import nn

from train.finetuning.student import interpolate


@pytest.mark.parametrize("weight", [0, 0.25, 1])
def test_weights_lie_between(weight: float) -> None:
    torch.manual_seed(0)
    before, after = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    for network in (before, after):
        nn.init.normal_(network.weight)
    after(torch.rand(2, 4, 3, 3))
    found = interpolate(before, after, weight)
    for name in ("weight", "bias", "running_mean", "running_var"):
        expected = (1 - weight) * before.state_dict()[name] + weight * after.state_dict()[name]
        torch.testing.assert_close(found.state_dict()[name], expected)
    assert found.num_batches_tracked == 1


def test_the_two_stay_as_they_are() -> None:
    before, after = nn.Linear(2, 2), nn.Linear(2, 2)
    weights = [network.weight.clone() for network in (before, after)]
    interpolate(before, after, 0.5)
    assert all(torch.equal(network.weight, weight) for network, weight in zip((before, after), weights, strict=True))
