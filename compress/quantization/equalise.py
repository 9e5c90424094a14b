"""Equal ranges for the channels of every tensor, so that one scale serves all of them; the program computes the same.

A channel that is multiplied by d > 0 where it is written, and divided by d where it is read, is lost to nobody: sums,
ReLU and pixel shuffles let d through. A tensor has one INT8 scale, set by its loudest channel; without this the quiet
ones are left with few of its levels. (Cross-layer equalisation, Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019, with the ranges of activations on photos, as SmoothQuant takes them.)
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from compress.quantization.layers import is_convolution, is_depthwise, is_learnt, is_sum
from compress.quantization.quantizer import PIXEL_SHUFFLE, RELU, absorbed

MOST = 16.0
"""No channel is enlarged more than so many times: a channel that is nearly silent on all photos need not be loud."""


class Group:
    """Tensors whose channels can only be scaled together.

    ``channels`` divides the channels of every tensor in it: one of n channels has n / ``channels`` neighbours that
    share a factor, as those have that a pixel shuffle will join.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.free = True
        """Whether everything that writes or reads it can carry a factor."""
        self._merged: Group | None = None

    def root(self) -> "Group":
        """The group that this one has become part of."""
        return self if self._merged is None else self._merged.root()

    def join(self, other: "Group") -> None:
        """Make the two one."""
        a, b = self.root(), other.root()
        if a is not b:
            a.channels, a.free = math.gcd(a.channels, b.channels), a.free and b.free
            b._merged = a


def channel_groups(graph: GraphModule) -> dict[Node, Group]:
    """The group of every tensor with channels that is computed in the graph, but by constants: they take no factors."""
    groups: dict[Node, Group] = {}
    for node in graph.graph.nodes:
        sources = [groups[source] for source in node.all_input_nodes if source in groups]
        if is_convolution(node) and not is_depthwise(node) and is_learnt(graph, node):
            groups[node] = Group(node.meta["val"].shape[1])
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
def equalise(graph: GraphModule, tiles: Iterable[Tensor]) -> None:
    """Change the weights and biases of a float program in place, by what its channels do on ``tiles`` [N, 3, h, w]."""
    groups = channel_groups(graph)
    loudness = Loudness(graph, set(groups))
    for tile in tiles:
        loudness.run(tile)
    loudest: dict[Group, Tensor] = {}
    for node, channels in loudness.channels.items():
        group = groups[node].root()
        if group.free and not absorbed(node):
            relative = relative_to_loudest(channels).view(group.channels, -1).amax(1)
            loudest[group] = torch.maximum(loudest.get(group, torch.zeros(1)), relative)
    factors = {group: levelling(relative) for group, relative in loudest.items()}
    for node in filter(is_convolution, groups):
        data, weight, *bias = node.all_input_nodes
        kernel = graph.get_parameter(str(weight.target))
        if data in groups and (factor := factors.get(groups[data].root())) is not None:
            kernel.div_(factor.repeat_interleave(kernel.shape[1] // len(factor))[None, :, None, None])
        if (factor := factors.get(groups[node].root())) is not None:
            each = factor.repeat_interleave(kernel.shape[0] // len(factor))
            kernel.mul_(each[:, None, None, None])
            for one in bias:
                graph.get_parameter(str(one.target)).mul_(each)


def levelling(loudness: Tensor) -> Tensor:
    """Factors [C] that make channels of these largest magnitudes [C] as loud as the loudest of them."""
    return 1 / relative_to_loudest(loudness).clamp_min(1 / MOST)


def relative_to_loudest(loudness: Tensor) -> Tensor:
    """Largest magnitudes [C] as shares of the largest of them; zero where all are silent."""
    return loudness / loudness.max().clamp_min(torch.finfo(loudness.dtype).tiny)


class Loudness(Interpreter):
    """Runs a graph, and keeps the largest magnitude of every channel of the tensors asked for, in ``channels``."""

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
