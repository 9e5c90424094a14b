"""What of a folded network is int8, by the names of its layers."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

pytest.importorskip("torchao", reason="what is int8 is told to torchao; pip install 'tadsr[compress]'")

from compress.quantization.layers import PIXEL_SHUFFLE, RELU, is_convolution, is_sum, layer_name, layers
from compress.quantization.quantizer import KEY, Int8Quantizer
from tests.export.programs import IN_FLOAT, export_free, tiny_network

FLOAT = export_free(tiny_network(bias=0.05)).module()
PICTURE = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
LAYERS = layers(FLOAT, PICTURE)
LAST = {"decoder.4.sum", "colour.sum"}
"""Behind them lie only layers that stay in float."""


def annotated(keep_float: list[str]) -> GraphModule:
    quantizer = Int8Quantizer(keep_float)
    return quantizer.annotate(quantizer.transform_for_annotation(copy.deepcopy(FLOAT)))


def int8_layers(keep_float: list[str]) -> set[str]:
    nodes = annotated(keep_float).graph.nodes
    return {layer_name(node) for node in nodes if KEY in node.meta and (is_convolution(node) or is_sum(node))}


def test_layers_that_always_stay_in_float_are_known() -> None:
    assert [layer.name for layer in LAYERS if layer.in_float] == IN_FLOAT
    assert sum(layer.macs for layer in LAYERS) == pytest.approx(1)
    assert all(layer.name.endswith(".sum") or layer.name.startswith("add_") for layer in LAYERS if not layer.macs)


@pytest.mark.parametrize(
    ("named", "with_them"),
    [
        ([], set()),
        (["student.middle.0.conv1"], set()),
        (["student.middle.0.sum"], set()),
        (["decoder.4.conv1", "decoder.4.conv2"], set()),
        (["student.conv_out", "decoder.0"], {"add_5", "student.up_blocks.0.0.sum"}),
    ],
)
def test_all_but_these_and_the_named_layers_are_int8(named: list[str], with_them: set[str]) -> None:
    in_float = {*IN_FLOAT, *LAST, *named} | with_them
    assert int8_layers([*IN_FLOAT, *named]) == {layer.name for layer in LAYERS} - in_float


def test_a_sum_is_int8_between_int8_layers_alone() -> None:
    convolutions = {layer.name for layer in LAYERS if layer.macs}
    only = {"decoder.1.conv1", "decoder.1.conv2", "decoder.2.0"}
    assert int8_layers(sorted(convolutions - only)) == only | {"decoder.1.sum"}
    assert int8_layers(sorted(convolutions - {"decoder.1.conv1"})) == {"decoder.1.conv1"}


def test_int8_neighbours_share_their_scale_and_convolutions_give_their_relu_theirs() -> None:
    graph = annotated(IN_FLOAT).graph
    for node in graph.nodes:
        if KEY in node.meta and is_convolution(node):
            follows = [user.target for user in node.users] == [RELU]
            assert (node.meta[KEY].output_qspec is None) == follows, "one rounding behind both"
    shared = [node.meta[KEY] for node in graph.find_nodes(op="call_function", target=PIXEL_SHUFFLE) if KEY in node.meta]
    assert len(shared) == 2
    for annotation in shared:
        assert annotation.output_qspec.edge_or_node[0] in annotation.input_qspec_map


@torch.no_grad()
def test_a_relu_goes_before_the_shuffle_and_changes_no_number() -> None:
    moved = annotated(IN_FLOAT)
    assert moved(PICTURE).equal(FLOAT(PICTURE))
    for graph, expected in ((FLOAT.graph, 1), (moved.graph, 0)):
        relus = graph.find_nodes(op="call_function", target=RELU)
        assert sum(relu.all_input_nodes[0].target is PIXEL_SHUFFLE for relu in relus) == expected


class ReadTwice(nn.Module):
    """A shuffle that not only the ReLU reads."""

    def forward(self, x: Tensor) -> Tensor:
        fine = nn.functional.pixel_shuffle(x, 2)
        return torch.relu(fine) + fine


@torch.no_grad()
def test_a_shuffle_that_others_read_too_stays_as_it_is() -> None:
    x = torch.randn(1, 4, 3, 3)
    graph = torch.export.export(ReadTwice(), (x,)).module()
    moved = Int8Quantizer([]).transform_for_annotation(copy.deepcopy(graph))
    assert [node.target for node in moved.graph.nodes] == [node.target for node in graph.graph.nodes]
    assert moved(x).equal(graph(x))
