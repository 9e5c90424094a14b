"""An INT8 program's numbers as an engine wants them written in ONNX: the same integers, another zero.

What torch writes has int8 activations with zero point 0 and float biases. ONNX Runtime then runs half of the
convolutions in float, and slower than the float network. In its dialect every one runs as integers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import helper, numpy_helper

from export.errors import ExportError

Array = NDArray[Any]

KEEP_SIGN = ("DepthToSpace", "Concat", "Add", "QuantizeLinear", "DequantizeLinear")
"""What gives no negative number where it is given none."""


@dataclass(frozen=True)
class Dialect:
    """How an engine wants quantised activations."""

    dtype: DTypeLike
    """Their integers."""
    signed_zero: int
    """The zero point of tensors that may be negative: int8's 0, shifted."""
    nonnegative_zero: int
    """The zero point behind a ReLU."""


ONNX_RUNTIME = Dialect(np.uint8, signed_zero=128, nonnegative_zero=0)
"""With 0 as the smallest integer, rounding does what the ReLU did, so the ReLU is absorbed. The upper half of the range
is headroom that the int8 program has not: it saturates at 127 steps there, this at 255. All activations must be of one
type: int8 and uint8 mixed are not fused."""


def render(model: onnx.ModelProto, dialect: Dialect) -> None:
    """Rewrite, in place, what ``torch.onnx.export`` makes of an INT8 program.

    Activations get the dialect's type and zero points, their scales are kept to the bit. Biases of quantised
    convolutions become int32 in steps of s_x s_w, which is how integer arithmetic adds them. Raises ``ExportError``
    where the program is not symmetric.
    """
    graph = _Graph(model)
    names = {True: "zero_point.nonnegative", False: "zero_point.signed"}
    graph.add(names[True], np.array(dialect.nonnegative_zero, dialect.dtype))
    graph.add(names[False], np.array(dialect.signed_zero, dialect.dtype))
    nonnegative = graph.nonnegative()
    nodes = []
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            _check_symmetric(graph, node)
            if node.input[0] in graph.constants:  # weights: zero is understood, and no two share a constant of it
                del node.input[2:]
            else:
                tensor = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
                node.input[1] = graph.add(f"{tensor}.scale", graph.constants[node.input[1]])
                node.input[2] = names[node.input[0] in nonnegative]
        elif node.op_type == "Conv" and len(node.input) == 3 and (scale := graph.accumulator_scale(node)) is not None:
            _name_weight(graph, node)
            nodes.append(_integer_bias(graph, node, scale))
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    graph.drop_unused()


def _check_symmetric(graph: "_Graph", node: onnx.NodeProto) -> None:
    if len(node.input) > 2 and np.any(graph.constants[node.input[2]]):
        raise ExportError(
            f"{node.output[0]}: its zero point is not 0; only symmetric INT8 programs can be exported, as "
            "`python -m compress.quantize` makes them"
        )


def _name_weight(graph: "_Graph", node: onnx.NodeProto) -> None:
    """Call the weight's constants after the layer, as the bias is; torch has numbered them."""
    layer, weight = node.input[2].removesuffix(".bias"), graph.producers[node.input[1]]
    for i, name in enumerate((f"{layer}.weight", f"{layer}.weight.scale")):
        weight.input[i] = graph.add_new(name, graph.constants[weight.input[i]])


def _integer_bias(graph: "_Graph", node: onnx.NodeProto, scale: Array) -> onnx.NodeProto:
    """Make the convolution's bias a dequantised int32 constant, and return the node that dequantises it."""
    bias = node.input[2]
    steps: Array = np.round(graph.constants[bias].astype(np.float64) / scale).astype(np.int32)
    inputs = [graph.add_new(f"{bias}.steps", steps), graph.add_new(f"{bias}.scale", scale)]
    node.input[2] = inputs[0].replace(".steps", ".dequantized")
    return helper.make_node("DequantizeLinear", inputs, [node.input[2]], axis=0)


class _Graph:
    """A model's graph with its constants and producers by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        del self.graph.value_info[:]  # types of tensors that are about to change
        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.initializer
        }
        self.producers = {name: node for node in self.graph.node for name in node.output}

    def add(self, name: str, value: Array) -> str:
        """A constant of that name, made once."""
        if name not in self.constants:
            self.constants[name] = value
            self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def add_new(self, name: str, value: Array) -> str:
        """A constant of that name, or of a similar one where the name is taken.

        torch merges equal constants, so that two layers' biases of 0 have one name; in steps they are not equal.
        """
        taken = sum(known == name or known.startswith(f"{name}~") for known in self.constants)
        return self.add(f"{name}~{taken}" if taken else name, value)

    def nonnegative(self) -> set[str]:
        """The tensors that cannot be negative."""
        found: set[str] = set()
        for node in self.graph.node:
            inputs = [name for name in node.input if name not in self.constants]
            if node.op_type == "Relu" or (node.op_type in KEEP_SIGN and inputs and found.issuperset(inputs)):
                found.update(node.output)
        return found

    def accumulator_scale(self, convolution: onnx.NodeProto) -> Array | None:
        """s_x s_w [O] of a convolution whose data and weights are both quantised, else None."""
        data, weight = (self.producers.get(name) for name in convolution.input[:2])
        if data is None or weight is None or {data.op_type, weight.op_type} != {"DequantizeLinear"}:
            return None
        product: Array = (self.constants[data.input[1]] * self.constants[weight.input[1]]).astype(np.float32)
        return product

    def drop_unused(self) -> None:
        """Remove constants that no node reads."""
        used = {name for node in self.graph.node for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
