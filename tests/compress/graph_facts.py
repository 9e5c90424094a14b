"""What an exported program is made of, read off its graph: operators, ranks, sizes, and the weights of convolutions."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

CONVOLUTIONS = ("conv2d", "convolution")
DEQUANTIZE = "dequantize_per_channel"


class Convolution(NamedTuple):
    """One convolution of a graph, and the weight that is stored for it."""

    name: str
    """Of its node."""
    weight: Tensor
    """As stored: float32, or integers behind a dequantisation per channel."""
    scales: Tensor | None
    """Of the weight's dequantisation, or None where the weight is stored as floats."""
    axis: int | None
    """Along which the scales go."""


def operators(program: ExportedProgram) -> set[str]:
    """Names of all operators that make a tensor, without their overloads."""
    return {_name(node) for node in _tensors(program)}


def largest_rank(program: ExportedProgram) -> int:
    """Dimensions of the tensor that has most of them, the operators' outputs and the inputs."""
    return max(value.dim() for node in program.graph.nodes for value in _values(node))


def free_sizes(program: ExportedProgram) -> list[str]:
    """The nodes with a size that is not a number: none in a static program."""
    return [
        node.name
        for node in program.graph.nodes
        for value in _values(node)
        if any(not isinstance(size, int) for size in value.shape)
    ]


def convolutions(program: ExportedProgram) -> list[Convolution]:
    """All convolutions in the graph's order."""
    return [_convolution(program, node) for node in _tensors(program) if _name(node) in CONVOLUTIONS]


def _convolution(program: ExportedProgram, node: Node) -> Convolution:
    weight = node.args[1]
    assert isinstance(weight, Node)
    if _name(weight) != DEQUANTIZE:
        return Convolution(node.name, _stored(program, weight), None, None)
    stored, scales, axis = weight.args[0], weight.args[1], weight.args[3]
    assert isinstance(stored, Node)
    assert isinstance(scales, Node)
    assert isinstance(axis, int)
    return Convolution(node.name, _stored(program, stored), _stored(program, scales), axis)


def _stored(program: ExportedProgram, node: Node) -> Tensor:
    """The parameter, buffer or constant that a placeholder stands for."""
    signature = program.graph_signature
    places = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    place = places[node.name]
    tensor = program.state_dict[place] if place in program.state_dict else program.constants[place]
    assert isinstance(tensor, Tensor)
    return tensor


def _tensors(program: ExportedProgram) -> Iterator[Node]:
    return (node for node in program.graph.nodes if node.op == "call_function" and _values(node))


def _values(node: Node) -> list[Tensor]:
    value = node.meta.get("val")
    return [each for each in (value if isinstance(value, tuple | list) else [value]) if isinstance(each, Tensor)]


def _name(node: Node) -> str:
    """``conv2d`` of ``aten.conv2d.default``; "" for what is no operator."""
    target = node.target
    return target._schema.name.partition("::")[2] if isinstance(target, torch._ops.OpOverload) else ""
