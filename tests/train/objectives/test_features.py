"""Features and their distances: by the definition, and on pictures of which the order is known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from train.diffusion.pixels import to_model, to_tensor
from train.evaluation.feature_distance import feature_distance
from train.networks.efficientnet_lite import EfficientNetLite
from train.objectives.features import feature_loss, standardised, unit_distance

PHOTOS = Path(__file__).parents[2] / "photos"
torch.manual_seed(0)
MAPS = [torch.randn(2, 5, 6, 7), torch.randn(2, 3, 3, 3)]
OTHERS = [torch.randn(2, 5, 6, 7), torch.randn(2, 3, 3, 3)]


def test_unit_distance_is_lpips_with_equal_weights() -> None:
    expected = 0.0
    for x, y in zip(MAPS, OTHERS, strict=True):
        per_position = [
            ((x[n, :, i, j] / x[n, :, i, j].norm() - y[n, :, i, j] / y[n, :, i, j].norm()) ** 2).sum().item()
            for n in range(x.shape[0])
            for i in range(x.shape[2])
            for j in range(x.shape[3])
        ]
        expected += sum(per_position) / len(per_position) / len(MAPS)
    assert unit_distance(MAPS, OTHERS).item() == pytest.approx(expected, rel=1e-5)
    assert unit_distance(MAPS, MAPS).item() == 0
    assert unit_distance(MAPS, [-x for x in MAPS]).item() == pytest.approx(4, rel=1e-4)
    assert unit_distance(MAPS, [3 * x for x in MAPS]).item() == pytest.approx(0, abs=1e-9)


def test_a_dead_channel_does_not_decide() -> None:
    target = torch.randn(1, 4, 8, 8)
    target[:, 0] *= 1e-6
    x = target.clone()
    x[:, 0] += 1e-5
    made, goal = standardised([x], [target])
    assert (made[0] - goal[0]).abs().max() < 1e-3
    assert goal[0][:, 1:].std((0, 2, 3)) == pytest.approx(torch.ones(3).numpy(), rel=1e-5)


def test_gradients_reach_the_pictures_and_no_weight() -> None:
    network = EfficientNetLite("lite0", (0, 2))
    pictures = torch.rand(1, 3, 48, 64).requires_grad_(True)
    maps = network.train()(pictures)
    assert [tuple(each.shape) for each in maps] == [(1, 32, 24, 32), (1, 16, 24, 32), (1, 24, 12, 16)]
    feature_loss(maps, network(torch.rand(1, 3, 48, 64))).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module.training for module in network.modules())


def test_the_nearer_picture_is_nearer() -> None:
    photo = Image.open(next(PHOTOS.glob("HR/*.png"))).convert("RGB").crop((0, 0, 192, 192))
    blurred = [np.asarray(photo.filter(ImageFilter.GaussianBlur(radius))) for radius in (0.5, 1, 2, 4)]
    distances = [feature_distance(picture, np.asarray(photo)) for picture in blurred]
    assert distances == sorted(distances)
    assert distances[0] > 0
    assert distances[-1] < 4
    assert feature_distance(np.asarray(photo), np.asarray(photo)) == 0
    assert math.isfinite(feature_loss(*(EfficientNetLite("lite0", (0,))(to_model(to_tensor(p))) for p in blurred[:2])))
