"""An INT8 program's numbers as an engine wants them written in ONNX: the same integers, another zero.

What torch writes has int8 activations with zero point 0 and float biases. ONNX Runtime then runs half of the
convolutions in float, and slower than the float network. In its format every one runs as integers.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import helper

from export.errors import ExportError
from export.onnx.graph import Array, Graph

KEEP_SIGN = (
    *("DepthToSpace", "Reshape", "Squeeze", "Transpose"),
    *("Concat", "Add", "QuantizeLinear", "DequantizeLinear"),
)
"""What gives no negative number where it is given none."""


@dataclass(frozen=True)
class QdqFormat:
    """How an engine wants quantised activations."""

    dtype: DTypeLike
    """Their integers."""
    signed_zero: int
    """The zero point of tensors that may be negative: int8's 0, shifted."""
    nonnegative_zero: int
    """The zero point behind a ReLU."""


ONNX_RUNTIME = QdqFormat(np.uint8, signed_zero=128, nonnegative_zero=0)
"""With 0 as the smallest integer, rounding does what the ReLU did, so the ReLU is absorbed. The upper half of the range
is headroom that the int8 program has not: it saturates at 127 steps there, this at 255. All activations must be of one
type: int8 and uint8 mixed are not fused."""

TENSORRT = QdqFormat(np.int8, signed_zero=0, nonnegative_zero=0)
"""As torch writes it."""


def render(model: onnx.ModelProto, form: QdqFormat) -> None:
    """Rewrite, in place, what ``torch.onnx.export`` makes of an INT8 program.

    Activations get the format's type and zero points, their scales are kept to the bit. Biases of quantised
    convolutions become int32 in steps of s_x s_w, which is how integer arithmetic adds them. Raises ``ExportError``
    where the program is not symmetric.
    """
    graph = Graph(model)
    names = {True: "zero_point.nonnegative", False: "zero_point.signed"}
    graph.add(names[True], np.array(form.nonnegative_zero, form.dtype))
    graph.add(names[False], np.array(form.signed_zero, form.dtype))
    positive = nonnegative(graph)
    nodes = []
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            _check_symmetric(graph, node)
            if node.input[0] in graph.constants:  # weights: zero is understood, and no two share a constant of it
                del node.input[2:]
            else:
                tensor = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
                node.input[1] = graph.add(f"{tensor}.scale", graph.constants[node.input[1]])
                node.input[2] = names[node.input[0] in positive]
        elif node.op_type == "Conv" and len(node.input) == 3 and (scale := _accumulator_scale(graph, node)) is not None:
            _name_weight(graph, node)
            nodes.append(_integer_bias(graph, node, scale))
        elif node.op_type == "Conv" and node.input[1] in graph.constants and _is_dequantised(graph, node.input[0]):
            nodes.append(_dequantised_by_channel(graph, node))
        nodes.append(node)
    read = {name for node in nodes for name in node.input} | {output.name for output in model.graph.output}
    graph.replace_nodes([node for node in nodes if read.intersection(node.output)])


def nonnegative(graph: Graph) -> set[str]:
    """The tensors that cannot be negative."""
    found: set[str] = set()
    for node in graph.graph.node:
        inputs = [name for name in node.input if name not in graph.constants]
        if node.op_type == "Relu" or (node.op_type in KEEP_SIGN and inputs and found.issuperset(inputs)):
            found.update(node.output)
    return found


def _check_symmetric(graph: Graph, node: onnx.NodeProto) -> None:
    if len(node.input) > 2 and np.any(graph.constants[node.input[2]]):
        raise ExportError(
            f"{node.output[0]}: its zero point is not 0; only symmetric INT8 programs can be exported, as "
            "`python -m compress.quantize` makes them"
        )


def _name_weight(graph: Graph, node: onnx.NodeProto) -> None:
    """Call the weight's constants after the layer, as the bias is; torch has numbered them."""
    layer, weight = node.input[2].removesuffix(".bias"), graph.producers[node.input[1]]
    for i, name in enumerate((f"{layer}.weight", f"{layer}.weight.scale")):
        weight.input[i] = graph.add_new(name, graph.constants[weight.input[i]])


def _integer_bias(graph: Graph, node: onnx.NodeProto, scale: Array) -> onnx.NodeProto:
    """Make the convolution's bias a dequantised int32 constant, and return the node that dequantises it."""
    bias = node.input[2]
    steps: Array = np.round(graph.constants[bias].astype(np.float64) / scale).astype(np.int32)
    inputs = [graph.add_new(f"{bias}.steps", steps), graph.add_new(f"{bias}.scale", scale)]
    node.input[2] = inputs[0].replace(".steps", ".dequantized")
    return helper.make_node("DequantizeLinear", inputs, [node.input[2]], axis=0)


def _is_dequantised(graph: Graph, tensor: str) -> bool:
    producer = graph.producers.get(tensor)
    return producer is not None and producer.op_type == "DequantizeLinear"


def _dequantised_by_channel(graph: Graph, convolution: onnx.NodeProto) -> onnx.NodeProto:
    """Give a convolution with float weights data of its own, by the same scale for every channel; returns that node.

    From a DequantizeLinear of one scale ONNX Runtime concludes that the weights may be INT8 too, and rounds them, with
    one scale for all channels (its optimiser WeightBiasQuantization).
    """
    producer = graph.producers[convolution.input[0]]
    groups = helper.get_node_attr_value(convolution, "group")
    channels = graph.constants[convolution.input[1]].shape[1] * groups
    numbers = [
        graph.add(f"{name}.by_channel.{channels}", np.full(channels, graph.constants[name]))
        for name in producer.input[1:]
    ]
    convolution.input[0] = f"{convolution.output[0]}.data"
    return helper.make_node(
        "DequantizeLinear", [producer.input[0], *numbers], [convolution.input[0]], f"{convolution.name}.data", axis=1
    )


def _accumulator_scale(graph: Graph, convolution: onnx.NodeProto) -> Array | None:
    """s_x s_w [O] of a convolution whose data and weights are both quantised, else None."""
    data, weight = (graph.producers.get(name) for name in convolution.input[:2])
    if data is None or weight is None or {data.op_type, weight.op_type} != {"DequantizeLinear"}:
        return None
    product: Array = (graph.constants[data.input[1]] * graph.constants[weight.input[1]]).astype(np.float32)
    return product
