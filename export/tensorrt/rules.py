"""What TensorRT's explicit quantisation asks of an ONNX graph, one rule per function.

Every function gives the names of what breaks its rule. (TensorRT 11.0: the notes of ``IQuantizeLayer`` and
``IDequantizeLayer`` in its API, "Explicit Quantization" in its guide, and the checks of its ONNX parser.)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import onnx
from onnx import helper

from export.errors import ExportError
from export.onnx.graph import Graph

Rule = Callable[[Graph], Iterable[str]]
ROUND, UNROUND = "QuantizeLinear", "DequantizeLinear"
PASS_ON = ("Relu", "DepthToSpace")
"""What TensorRT moves a rounding across, or fuses with the layer before it."""


def zero_points(graph: Graph) -> Iterator[str]:
    """Quantisation is symmetric."""
    for node in _roundings(graph):
        if len(node.input) > 2 and np.any(graph.constants.get(node.input[2], 0)):
            yield node.output[0]


def types(graph: Graph) -> Iterator[str]:
    """The integers are int8; ONNX means uint8 where a QuantizeLinear says nothing of them."""
    for node in _roundings(graph):
        says = node.input[2:] if node.op_type == ROUND else (node.input[0], *node.input[2:])
        found = {graph.constants[name].dtype for name in says if name in graph.constants}
        if found - {np.dtype(np.int8)} or (node.op_type == ROUND and not says):
            yield node.output[0]


def constant_scales(graph: Graph) -> Iterator[str]:
    """What leads to a scale or a zero point must be known when the engine is built."""
    for node in _roundings(graph):
        if not set(node.input[1:]) <= graph.constants.keys():
            yield node.output[0]


def positive_scales(graph: Graph) -> Iterator[str]:
    """The parser refuses a scale of zero or below."""
    for node, scale in _scales(graph):
        if not np.all((scale > 0) & np.isfinite(scale)):
            yield node.output[0]


def scale_types(graph: Graph) -> Iterator[str]:
    """The type of a scale is that of what comes out, and a strongly typed network mixes none."""
    for node, scale in _scales(graph):
        if scale.dtype != np.float32:
            yield node.output[0]


def activations(graph: Graph) -> Iterator[str]:
    """Data has one scale per tensor."""
    for node, scale in _scales(graph):
        if node.input[0] not in graph.constants and scale.size != 1:
            yield node.output[0]


def weights(graph: Graph) -> Iterator[str]:
    """Weights [O, I, kh, kw] have a scale per output channel, along axis 0 (ONNX's default is 1)."""
    for node, scale in _scales(graph):
        weight = graph.constants.get(node.input[0])
        axis = helper.get_node_attr_value(node, "axis") if node.attribute else 1
        if weight is not None and weight.ndim == 4 and (axis != 0 or scale.shape != weight.shape[:1]):
            yield node.output[0]


def biases(graph: Graph) -> Iterator[str]:
    """Biases stay in float: int32 cannot be dequantised."""
    for node in _convolutions(graph):
        bias = graph.constants.get(node.input[2]) if len(node.input) > 2 else np.zeros(())
        if bias is None or bias.dtype.kind != "f":
            yield node.output[0]


def convolutions(graph: Graph) -> Iterator[str]:
    """Quantised weights are fused into a convolution of integers, whose data must be quantised too.

    Else TensorRT "could not fuse" the weights. Float weights on dequantised data are a convolution in float.
    """
    for node in _convolutions(graph):
        data, weight = (_is_from(graph, name, UNROUND) for name in node.input[:2])
        if weight and not data:
            yield node.output[0]


def pairs(graph: Graph) -> Iterator[str]:
    """Integers go nowhere but into a DequantizeLinear of the same scale."""
    for node in graph.graph.node:
        for name in node.input:
            source = graph.producers.get(name)
            if source is None or source.op_type != ROUND:
                continue
            same = node.op_type == UNROUND and all(
                np.array_equal(graph.constants.get(a, a), graph.constants.get(b, b))
                for a, b in zip(source.input[1:], node.input[1:], strict=False)
            )
            if not same:
                yield node.output[0]


def sums(graph: Graph) -> Iterator[str]:
    """A sum that is quantised adds quantised tensors, or takes one straight from a convolution, which it joins.

    A summand that comes in float would force the whole sum, and the convolution in it, back to float.
    """
    for node in graph.graph.node:
        if node.op_type != ROUND:
            continue
        source = graph.producers.get(node.input[0])
        while source is not None and source.op_type in PASS_ON:
            source = graph.producers.get(source.input[0])
        if source is not None and source.op_type == "Add":
            quantised = [_is_from(graph, name, UNROUND) for name in source.input]
            joined = [_is_from(graph, name, "Conv") and graph.readers[name] == 1 for name in source.input]
            if not any(quantised) or not all(map(max, quantised, joined)):
                yield source.output[0]


def operators(graph: Graph) -> Iterator[str]:
    """TensorRT reads pairs of QuantizeLinear and DequantizeLinear, and none of ONNX's integer operators."""
    for node in graph.graph.node:
        if node.op_type.startswith(("QLinear", "DynamicQuantize")) or node.op_type.endswith("Integer"):
            yield node.output[0]


RULES: Mapping[str, Rule] = {
    "zero points must be 0": zero_points,
    "integers must be int8": types,
    "scales and zero points must be constants": constant_scales,
    "scales must be positive": positive_scales,
    "scales must be float32": scale_types,
    "data must have one scale per tensor": activations,
    "weights must have a scale per output channel, along axis 0": weights,
    "biases must be constants in float": biases,
    "a convolution of quantised weights must have quantised data": convolutions,
    "integers must be dequantised by the scale that quantised them": pairs,
    "a quantised sum must not have a summand in float": sums,
    "integer operators are not read": operators,
}
"""The rules by what the user is told."""


def require(model: onnx.ModelProto, what: str) -> None:
    """Raises ``ExportError``, which names the first rule that the graph breaks and where."""
    graph = Graph(model)
    for wanted, rule in RULES.items():
        if names := list(rule(graph)):
            raise ExportError(f"{what}: TensorRT would refuse {', '.join(names[:3])}: {wanted}; nothing was kept")


def _roundings(graph: Graph) -> Iterator[onnx.NodeProto]:
    return (node for node in graph.graph.node if node.op_type in (ROUND, UNROUND))


def _scales(graph: Graph) -> Iterator[tuple[onnx.NodeProto, np.ndarray]]:
    return ((node, graph.constants[node.input[1]]) for node in _roundings(graph) if node.input[1] in graph.constants)


def _convolutions(graph: Graph) -> Iterator[onnx.NodeProto]:
    return (node for node in graph.graph.node if node.op_type == "Conv")


def _is_from(graph: Graph, name: str, operator: str) -> bool:
    return name in graph.producers and graph.producers[name].op_type == operator
