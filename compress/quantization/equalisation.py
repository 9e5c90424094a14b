"""Cross-layer equalisation: equal ranges for the channels of every tensor; the program computes the same.

A channel may be multiplied by d > 0 where it is written and divided by d where it is read: sums, ReLU and pixel
shuffles let d through. A tensor has one INT8 scale, set by its channel of the largest magnitude; without this the small
ones are left with few of its levels. (Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019, with the ranges of activations on photos, as SmoothQuant takes them.)
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from compress.quantization.layers import PIXEL_SHUFFLE, RELU, is_convolution, is_depthwise, is_learnt, is_sum
from compress.quantization.quantizer import absorbed

LARGEST_FACTOR = 16.0
"""No channel is enlarged more than so many times: one that is nearly zero on all photos need not fill the range."""


class ChannelGroup:
    """Tensors whose channels can only be scaled together.

    ``channels`` divides the channels of every tensor in it: one of n channels has n / ``channels`` neighbours that
    share a factor, as those have that a pixel shuffle will join.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.free = True
        """Whether everything that writes or reads it can carry a factor."""
        self._merged: ChannelGroup | None = None

    def root(self) -> "ChannelGroup":
        """The group that this one has become part of."""
        return self if self._merged is None else self._merged.root()

    def join(self, other: "ChannelGroup") -> None:
        """Make the two one."""
        a, b = self.root(), other.root()
        if a is not b:
            a.channels, a.free = math.gcd(a.channels, b.channels), a.free and b.free
            b._merged = a


def channel_groups(graph: GraphModule) -> dict[Node, ChannelGroup]:
    """The group of every tensor with channels that is computed in the graph, but by constants: they take no factors."""
    groups: dict[Node, ChannelGroup] = {}
    for node in graph.graph.nodes:
        sources = [groups[source] for source in node.all_input_nodes if source in groups]
        if is_convolution(node) and not is_depthwise(node) and is_learnt(graph, node):
            groups[node] = ChannelGroup(node.meta["val"].shape[1])
            continue
        if is_sum(node) and len(sources) == 2:
            sources[0].join(sources[1])
        elif node.target is PIXEL_SHUFFLE and sources:
            group, factor = sources[0].root(), node.args[1] ** 2
            group.channels = math.gcd(group.channels, node.meta["val"].shape[1])
            assert node.args[0].meta["val"].shape[1] % (factor * group.channels) == 0
        elif node.target is not RELU or not sources:
            for source in sources:  # something that cannot carry factors reads it
                source.root().free = False
            continue
        groups[node] = sources[0]
    return groups


@torch.no_grad()
def cross_layer_equalisation(graph: GraphModule, tiles: Iterable[Tensor]) -> None:
    """Change the weights and biases of a float program in place, by what its channels do on ``tiles`` [N, 3, h, w]."""
    groups = channel_groups(graph)
    absmax = ChannelAbsmax(graph, set(groups))
    for tile in tiles:
        absmax.run(tile)
    largest: dict[ChannelGroup, Tensor] = {}
    for node, channels in absmax.channels.items():
        group = groups[node].root()
        if group.free and not absorbed(node):
            relative = relative_absmax(channels).view(group.channels, -1).amax(1)
            largest[group] = torch.maximum(largest.get(group, torch.zeros(1)), relative)
    factors = {group: equalising_factors(relative) for group, relative in largest.items()}
    for node in filter(is_convolution, groups):
        data, weight, *bias = node.all_input_nodes
        kernel = graph.get_parameter(str(weight.target))
        if data in groups and (factor := factors.get(groups[data].root())) is not None:
            kernel.div_(factor.repeat_interleave(kernel.shape[1] // len(factor))[None, :, None, None])
        if (factor := factors.get(groups[node].root())) is not None:
            per_output = factor.repeat_interleave(kernel.shape[0] // len(factor))
            kernel.mul_(per_output[:, None, None, None])
            for node_of_bias in bias:
                graph.get_parameter(str(node_of_bias.target)).mul_(per_output)


def equalising_factors(absmax: Tensor) -> Tensor:
    """Factors [C] that bring channels of these largest magnitudes [C] to the largest of them."""
    return 1 / relative_absmax(absmax).clamp_min(1 / LARGEST_FACTOR)


def relative_absmax(absmax: Tensor) -> Tensor:
    """Largest magnitudes [C] as fractions of the largest of them; zero where all are zero."""
    return absmax / absmax.max().clamp_min(torch.finfo(absmax.dtype).tiny)


class ChannelAbsmax(Interpreter):
    """Runs a graph, and keeps the largest magnitude of every channel of some nodes' tensors, in ``channels``."""

    def __init__(self, graph: GraphModule, nodes: set[Node]) -> None:
        super().__init__(graph)
        self.channels: dict[Node, Tensor] = {}
        self._nodes = nodes

    def run_node(self, n: Node) -> object:
        result = super().run_node(n)
        if n in self._nodes:
            assert isinstance(result, Tensor)
            largest = result.abs().amax((0, 2, 3))
            self.channels[n] = torch.maximum(self.channels.get(n, largest), largest)
        return result
