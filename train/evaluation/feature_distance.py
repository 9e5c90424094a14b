"""The feature distance: how unlike two pictures are to a network that no loss of this project has seen."""

from functools import cache

import torch

from train.diffusion.pixels import to_model, to_tensor
from train.evaluation.scoring import Picture
from train.networks.efficientnet_lite import EfficientNetLite
from train.objectives.features import unit_distance

BLOCKS = (0, 3, 6, 10, 14, 20)
"""The last block of every stage of EfficientNet-Lite2 but the widest."""


@torch.no_grad()
def feature_distance(sr: Picture, hr: Picture) -> float:
    """Distance in [0, 4] of EfficientNet-Lite2's features of two [H, W, 3] sRGB pictures of one size; 0 is equal.

    Not LPIPS: another network, and no learnt weights (``train.objectives.features.unit_distance``). Training uses
    EfficientNet-Lite0 at most, never this one.

    Raises ``ModuleNotFoundError`` where the network's package is missing.
    """
    network = _network()
    return float(unit_distance(network(to_model(to_tensor(sr))), network(to_model(to_tensor(hr)))))


@cache
def _network() -> EfficientNetLite:
    return EfficientNetLite("lite2", BLOCKS)
