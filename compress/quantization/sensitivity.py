"""What INT8 costs in each convolution and sum alone, and which of them are worth keeping in float."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule

from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.layers import Layer

COSTLY_SUM = 1.5
"""A sum stays in float where its error is so many times the average layer's: with what is converted around it, it takes
about as long as an average layer."""
COSTLY_WORK = 4
"""A convolution stays in float where its fraction of the error is so many times its fraction of the work."""


@dataclass(frozen=True)
class Sensitivity:
    """What one layer costs."""

    name: str
    macs: float
    """Its multiply-accumulates as a fraction of the program's; 0 for a sum."""
    error: float
    """Mean squared difference of the picture, in [0, 1], when nothing but the input and the weights of this convolution
    or the result of this sum is rounded."""


@torch.no_grad()
def scan(
    fake: FakeQuantised, graph: GraphModule, layers: Sequence[Layer], tiles: Sequence[Tensor]
) -> Iterator[Sensitivity]:
    """Every INT8 layer of ``fake`` alone, beside the float program ``graph``, on tiles [N, 3, h, w] in [0, 1]."""
    exact = [graph(tile) for tile in tiles]
    macs = {layer.name: layer.macs for layer in layers}
    for name, fake_quants in fake.layer_fake_quants().items():
        with fake.only(fake_quants):
            errors = [(fake(tile) - answer).square().mean() for tile, answer in zip(tiles, exact, strict=True)]
        yield Sensitivity(name, macs[name], float(torch.stack(errors).mean()))


def choose_float_layers(scanned: Sequence[Sensitivity], macs: float) -> list[str]:
    """What to keep in float, so that most quality is kept for the least speed.

    Sums by ``COSTLY_SUM``, convolutions by ``COSTLY_WORK``, those first whose fraction of all layers' error is largest
    beside their fraction of the multiply-accumulates, up to ``macs`` of all.
    """
    total = sum(layer.error for layer in scanned)
    kept = [layer for layer in scanned if not layer.macs and layer.error > COSTLY_SUM * total / len(scanned)]
    convolutions = [layer for layer in scanned if layer.macs and layer.error > COSTLY_WORK * layer.macs * total]
    for layer in sorted(convolutions, key=lambda one: one.error / one.macs, reverse=True):
        if sum(one.macs for one in kept) + layer.macs <= macs:
            kept.append(layer)
    return [layer.name for layer in kept]
