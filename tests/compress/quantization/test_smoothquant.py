"""Float sums have channels of equal range on the way into int8, and the same is computed."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

pytest.importorskip("torchao", reason="what is int8 is told to torchao; pip install 'tadsr[compress]'")

from compress.quantization.equalisation import LARGEST_FACTOR
from compress.quantization.layers import is_convolution, is_depthwise, is_sum, layer_name
from compress.quantization.smoothquant import smoothquant
from compress.quantize import open_float
from tests.export.programs import IN_FLOAT

SUM = "decoder.1.sum"
"""One that int8 convolutions read: ``decoder.2.0``."""


@pytest.fixture
def graph(folded: Path) -> GraphModule:
    """A program one of whose sums has channels of very different ranges."""
    graph, _ = open_float(folded / "student.pt2")
    larger = torch.tensor([1.0, 2, 4, 8, 1, 2, 4, 8])
    with torch.no_grad():
        for layer in ("decoder.0", "decoder.1.conv2"):
            graph.get_parameter(f"{layer}.weight").mul_(larger[:, None, None, None])
            graph.get_parameter(f"{layer}.bias").mul_(larger)
    return graph


def factors(graph: GraphModule) -> list[Node]:
    """What multiplies each channel by a number of its own."""
    depthwise = [node for node in graph.graph.nodes if is_convolution(node) and is_depthwise(node)]
    return [node for node in depthwise if layer_name(node) != "colour.mean"]


def channel_absmax(graph: GraphModule, node: Node, tiles: list[Tensor]) -> Tensor:
    """The largest magnitude of every channel of one tensor."""
    seen: list[Tensor] = []

    class Watch(Interpreter):
        def run_node(self, n: Node) -> object:
            result = super().run_node(n)
            if n is node:
                assert isinstance(result, Tensor)
                seen.append(result.abs().amax((0, 2, 3)))
            return result

    for tile in tiles:
        Watch(graph).run(tile)
    return torch.stack(seen).amax(0)


@torch.no_grad()
def test_the_same_is_computed_and_the_convolution_reads_equal_channels(graph: GraphModule, tiles: list[Tensor]) -> None:
    answers = [graph(tile) for tile in tiles]
    smoothquant(graph, tiles, [*IN_FLOAT, SUM])
    for tile, answer in zip(tiles, answers, strict=True):
        torch.testing.assert_close(graph(tile), answer, atol=1e-4, rtol=0)
    (factor,) = factors(graph)
    assert layer_name(factor.all_input_nodes[0]) == SUM
    assert [layer_name(reader) for reader in factor.users] == ["decoder.2.0"]
    before, after = (channel_absmax(graph, node, tiles) for node in (factor.all_input_nodes[0], factor))
    assert before.max() > 2 * before.min()
    assert before.max() < LARGEST_FACTOR * before.min()
    torch.testing.assert_close(after, before.max().expand_as(after), rtol=1e-3, atol=0)


@torch.no_grad()
def test_sums_that_are_int8_or_that_no_int8_convolution_reads_stay_as_they_are(
    graph: GraphModule, tiles: list[Tensor]
) -> None:
    before = copy.deepcopy(graph)
    smoothquant(graph, tiles, IN_FLOAT)
    assert factors(graph) == []
    everything = [layer_name(node) for node in graph.graph.nodes if is_convolution(node) or is_sum(node)]
    smoothquant(graph, tiles, everything)
    assert factors(graph) == []
    assert all(ours.equal(theirs) for ours, theirs in zip(graph.parameters(), before.parameters(), strict=True))


@torch.no_grad()
def test_a_sum_of_zeros_harms_nobody(graph: GraphModule, tiles: list[Tensor]) -> None:
    for layer in ("decoder.0", "decoder.1.conv2"):
        graph.get_parameter(f"{layer}.weight").zero_()
        graph.get_parameter(f"{layer}.bias").zero_()
    answer = graph(tiles[0])
    smoothquant(graph, tiles, [*IN_FLOAT, SUM])
    torch.testing.assert_close(graph(tiles[0]), answer, atol=1e-5, rtol=0)
