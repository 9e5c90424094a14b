"""Pixel shuffles written as ONNX Runtime runs them fast: runs of neighbours moved, not single numbers.

Its DepthToSpace wants channels first and moves each number by itself, while its integer convolutions have channels
last and are given a transposition on either side. Here a shuffle is two reshapes round one transposition of channels
last. The outputs of the convolution before it are put in the order in which they are moved, so that neighbours stay
neighbours; nothing else changes, no number and no rounding. All shapes are constants, whatever the picture's size.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from export.onnx.graph import Array, Graph

Step = tuple[str, list[int]]
"""An operator and its permutation, shape (0: as it was, -1: what remains) or axes."""

PHASES = ".by_phase"
"""Ends the names of tensors whose channels are not in the program's order."""
NOTE = "channels_by_phase"
"""Names, in a file's metadata, the quantised tensors of that kind: ``[order, r]`` as in ``Way``, in JSON."""
LETS_CHANNELS_THROUGH = ("Relu", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Way:
    """How to shuffle [N, c r r, H, W] into [N, c, r H, r W]; i and j say where in its r x r block a pixel lies."""

    order: tuple[int, int, int]
    """The order of the channels, as axes of (c, i, j), which is that of the program."""
    steps: Callable[[int, int], list[Step]]
    """Of c and r: the operators, one after the other."""


CHANNELS_LAST = Way(
    order=(1, 2, 0),  # i j c
    steps=lambda c, r: [
        ("Transpose", [0, 2, 3, 1]),
        ("Reshape", [0, 0, 0, r, r * c]),  # N H W i jc
        ("Transpose", [0, 1, 3, 2, 4]),  # N H i W jc
        ("Reshape", [0, -1, 1, 0, r * c]),  # N Hi 1 W jc
        ("Reshape", [0, 0, -1, c]),  # N Hi Wj c
        ("Transpose", [0, 3, 1, 2]),
    ],
)
"""Ends with channels last, and a transposition that meets its inverse where a convolution follows. Moves r c numbers
at a time."""

ROWS = Way(
    order=(1, 0, 2),  # i c j
    steps=lambda c, r: [
        ("Transpose", [0, 2, 3, 1]),
        ("Reshape", [0, 0, 0, r * c, r]),  # N H W ic j
        ("Transpose", [0, 1, 3, 2, 4]),  # N H ic W j
        ("Reshape", [0, 0, r, c, -1]),  # N H i c Wj
        ("Transpose", [0, 3, 1, 2, 4]),  # N c H i Wj
        ("Reshape", [0, 0, -1, 1, 0]),  # N c Hi 1 Wj
        ("Squeeze", [3]),
    ],
)
"""Ends with channels first, as the picture has them. Moves r numbers at a time, then rows."""


def unroll(model: onnx.ModelProto) -> None:
    """Rewrite, in place, every pixel shuffle of a convolution's outputs.

    A ReLU and quantisation may stand between the two; where anything else does, or someone else reads what is between,
    the shuffle stays as it is.
    """
    graph = Graph(model)
    before = list(model.graph.node)
    after: list[onnx.NodeProto] = []
    noted: dict[str, Any] = {}
    for i, node in enumerate(before):
        path = _from_convolution(graph, node) if _is_pixel_shuffle(node) else None
        if path is None:
            after.append(node)
            continue
        way = CHANNELS_LAST if any(later.op_type == "Conv" for later in before[i:]) else ROWS
        r = helper.get_node_attr_value(node, "blocksize")
        channels = moved_together(way, _outputs(graph, path[0]) // r**2, r)
        _reorder(graph, path[0], channels)
        for first, second in zip(path, [*path[1:], node], strict=True):
            first.output[0] = second.input[0] = first.output[0] + PHASES
        noted |= {step.output[0]: [way.order, r] for step in path if step.op_type == "QuantizeLinear"}
        after += _chain(graph, node, way.steps(len(channels) // r**2, r))
    graph.replace_nodes(after)
    if noted:
        model.metadata_props.add(key=NOTE, value=json.dumps(noted))


def in_program_order(model: onnx.ModelProto, name: str, value: Array) -> Array:
    """A quantised tensor [N, C, H, W] of a file that went through ``unroll``, with channels as the program has them."""
    noted: dict[str, Any] = next((json.loads(e.value) for e in model.metadata_props if e.key == NOTE), {})
    if name not in noted:
        return value
    order, r = noted[name]
    channels = np.arange(value.shape[1]).reshape(-1, r, r).transpose(order).ravel()
    return value[:, np.argsort(channels)]


def moved_together(way: Way, c: int, r: int) -> NDArray[np.intp]:
    """The program's channels [c r r] in the order that ``way`` wants."""
    return np.arange(c * r * r).reshape(c, r, r).transpose(way.order).ravel()


def _is_pixel_shuffle(node: onnx.NodeProto) -> bool:
    return node.op_type == "DepthToSpace" and helper.get_node_attr_value(node, "mode") == b"CRD"


def _from_convolution(graph: Graph, shuffle: onnx.NodeProto) -> list[onnx.NodeProto] | None:
    """The convolution and what stands between it and the shuffle, or None where they do not serve it alone."""
    path: list[onnx.NodeProto] = []
    name = shuffle.input[0]
    while graph.readers[name] == 1 and (node := graph.producers.get(name)) is not None:
        path.insert(0, node)
        if node.op_type == "Conv":
            own = all(graph.readers[name] == 1 or name in graph.constants for name in node.input[1:])
            return path if own and helper.get_node_attr_value(node, "group") == 1 else None
        if node.op_type not in LETS_CHANNELS_THROUGH:
            return None
        name = node.input[0]
    return None


def _outputs(graph: Graph, convolution: onnx.NodeProto) -> int:
    weight = convolution.input[1]
    return len(graph.constants[weight if weight in graph.constants else graph.producers[weight].input[0]])


def _reorder(graph: Graph, convolution: onnx.NodeProto, channels: NDArray[np.intp]) -> None:
    """Put the convolution's outputs in that order: of its weight and bias, or of what they are dequantised from."""
    for i, name in enumerate(convolution.input[1:], 1):
        if name in graph.constants:
            convolution.input[i] = _reordered(graph, name, channels)
        else:
            producer = graph.producers[name]
            producer.input[:] = [_reordered(graph, constant, channels) for constant in producer.input]


def _reordered(graph: Graph, name: str, channels: NDArray[np.intp]) -> str:
    value: Array = graph.constants[name]
    return name if value.shape[:1] != channels.shape else graph.add_new(name + PHASES, value[channels])


def _chain(graph: Graph, shuffle: onnx.NodeProto, steps: list[Step]) -> list[onnx.NodeProto]:
    """The nodes of the steps, from the shuffle's input to its output."""
    (source,), (end,) = shuffle.input, shuffle.output
    nodes = []
    for i, (operator, numbers) in enumerate(steps, 1):
        target = end if i == len(steps) else f"{end}.{i}"
        name = f"{shuffle.name}.{i}"
        if operator == "Transpose":
            nodes.append(helper.make_node(operator, [source], [target], name, perm=numbers))
        else:
            shape = graph.add(f"{target}.{operator.lower()}", np.array(numbers, np.int64))
            nodes.append(helper.make_node(operator, [source, shape], [target], name))
        source = target
    return nodes
