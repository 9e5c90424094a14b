"""SmoothQuant: equal ranges for the channels of a float sum on its way into an int8 convolution.

A sum shares its channels with everything that is added along its chain of blocks, so cross-layer equalisation can only
give all of them the same factors. A float one is rounded just for the convolution that reads it: there it gets factors
of its own, and the weights are divided by them. (Xiao et al., "SmoothQuant", ICML 2023.) The multiplication is written
as a depthwise 1x1 convolution: XNNPACK, which has channels last, refuses a product with a [1, C, 1, 1] constant.
"""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from compress.quantization.equalisation import ChannelAbsmax, equalising_factors
from compress.quantization.layers import CONVOLUTION, is_convolution, is_sum
from compress.quantization.quantizer import Int8Quantizer


@torch.no_grad()
def smoothquant(graph: GraphModule, tiles: Iterable[Tensor], keep_float: Collection[str]) -> None:
    """Add the factors to a float program in place, by what its channels do on ``tiles`` [N, 3, h, w]."""
    readers = _readers(graph, Int8Quantizer(keep_float))
    absmax = ChannelAbsmax(graph, set(readers))
    for tile in tiles:
        absmax.run(tile)
    for source, convolutions in readers.items():
        factor = equalising_factors(absmax.channels[source])
        scaled = _multiplied(graph, source, factor)
        for convolution in convolutions:
            convolution.replace_input_with(source, scaled)
            graph.get_parameter(str(convolution.all_input_nodes[1].target)).div_(factor[None, :, None, None])
    graph.recompile()


def _readers(graph: GraphModule, quantizer: Int8Quantizer) -> dict[Node, list[Node]]:
    """The int8 convolutions that read a float sum, by the sum."""
    readers: dict[Node, list[Node]] = {}
    for node in filter(is_convolution, graph.graph.nodes):
        source = node.all_input_nodes[0]
        if quantizer.is_int8(node) and is_sum(source) and not quantizer.is_int8(source):
            readers.setdefault(source, []).append(node)
    return readers


def _multiplied(graph: GraphModule, source: Node, factor: Tensor) -> Node:
    name, channels = f"{source.name}_factor", len(factor)
    graph.register_buffer(name, factor[:, None, None, None].clone())
    with graph.graph.inserting_after(source):
        weight = graph.graph.get_attr(name)
    with graph.graph.inserting_after(weight):
        depthwise = (source, weight, None, [1, 1], [0, 0], [1, 1], channels)
        scaled = graph.graph.call_function(CONVOLUTION, depthwise)
    scaled.meta = {**source.meta}
    return scaled
