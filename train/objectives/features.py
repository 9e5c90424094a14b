"""Distances between the features of pictures, as pure functions of feature maps."""

from collections.abc import Sequence

import torch
from torch import Tensor

_FLOOR = 0.1
"""Of the mean deviation: some channels of a pretrained network hardly ever respond, and would count for their noise."""
_TINY = 1e-6


def unit_distance(maps: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Squared distance of the features' directions, mean over positions and maps; a scalar in [0, 4].

    LPIPS (Zhang et al., CVPR 2018, Eq. 1) with all channels weighted alike, since the learnt weights belong to other
    networks. maps, targets: [N, C_i, H_i, W_i], equal in number and shapes.
    """
    distances = [(_unit(x) - _unit(y)).square().sum(1).mean() for x, y in zip(maps, targets, strict=True)]
    return torch.stack(distances).mean()


def standardised(maps: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Both lists of maps [N, C_i, H_i, W_i], each channel by mean and deviation of the targets over N, H and W.

    A network's channels differ in scale by orders of magnitude, and the largest would decide alone.
    """
    pairs = []
    for x, y in zip(maps, targets, strict=True):
        mean, deviation = y.mean((0, 2, 3), keepdim=True), y.std((0, 2, 3), keepdim=True)
        deviation = deviation.clamp(min=_FLOOR * deviation.mean())
        pairs.append(((x - mean) / deviation, (y - mean) / deviation))
    return [x for x, _ in pairs], [y for _, y in pairs]


def feature_loss(maps: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """``unit_distance`` of standardised maps: the perceptual term of a finetuning. Gradients reach ``maps`` only."""
    return unit_distance(*standardised(maps, [target.detach() for target in targets]))


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + _TINY)
