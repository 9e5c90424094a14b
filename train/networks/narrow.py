"""Networks whose layers are narrower than their configuration says, as pruning leaves them."""

from collections.abc import Mapping, Sequence

from torch import nn

from train.engine.errors import TrainError
from train.networks.norm import GroupNorm


def layer_widths(network: nn.Module) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of every convolution and group normalisation, by name: what ``narrow`` takes."""
    convolutions = {
        name: (layer.in_channels, layer.out_channels)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
    }
    norms = {
        name: (layer.num_channels, layer.num_channels)
        for name, layer in network.named_modules()
        if isinstance(layer, GroupNorm)
    }
    return convolutions | norms


def narrow(network: nn.Module, widths: Mapping[str, Sequence[int]]) -> None:
    """Put layers of other widths, with random weights, in the places of those named; the other layers stay.

    A normalisation keeps the number of channels that it takes together, not that of its groups. Raises ``TrainError``
    where a name is not that of a convolution or a group normalisation.
    """
    layers = dict(network.named_modules())
    for name, (inputs, outputs) in widths.items():
        layer = layers.get(name)
        if isinstance(layer, GroupNorm):
            together = layer.num_channels // layer.num_groups
            other: nn.Module = GroupNorm(outputs, layer.eps, outputs // together)
        elif isinstance(layer, nn.Conv2d):
            other = _convolution(layer, inputs, outputs)
        else:
            raise TrainError(f"{name}: the {type(network).__name__} has no convolution or normalisation of that name")
        parent, _, last = name.rpartition(".")
        network.get_submodule(parent).register_module(last, other)


def _convolution(like: nn.Conv2d, inputs: int, outputs: int) -> nn.Conv2d:
    same = {key: getattr(like, key) for key in ("kernel_size", "stride", "padding", "dilation", "groups")}
    return nn.Conv2d(inputs, outputs, **same, bias=like.bias is not None)
