"""What the file holds, read again: its scales, zero points and integer weights beside the program's, bit by bit."""

import numpy as np
import onnx
from onnx import numpy_helper
from torch.fx import Node

from export.errors import ExportError
from export.tensorrt.rules import ROUND, UNROUND
from tadsr.program import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE, Program, constants

Rounding = tuple[bytes, bytes, bytes]
"""Scales as float32, zero points as int8 and, of weights, the integers."""


def compare(model: onnx.ModelProto, program: Program, what: str) -> int:
    """How many roundings the file has, all of them the program's to the bit.

    Raises ``ExportError`` where one differs, is missing or is not the program's.
    """
    written, theirs = _written(model), _of_program(program)
    absent = {name for name, rounding in theirs.items() if name.startswith("quantize")} - written.keys()
    differing = [name for name, rounding in written.items() if theirs.get(name) != rounding]
    if wrong := [*differing, *sorted(absent)]:
        raise ExportError(
            f"{what}: scale, zero point or weights of {', '.join(wrong[:3])} are not the program's; nothing was kept"
        )
    return len(written)


def _written(model: onnx.ModelProto) -> dict[str, Rounding]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type in (ROUND, UNROUND):
            scale = constants[node.input[1]]
            zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros(scale.shape, np.int8)
            stored = constants[node.input[0]].tobytes() if node.input[0] in constants else b""
            found[node.output[0]] = (scale.tobytes(), zero.tobytes(), stored)
    return found


def _of_program(program: Program) -> dict[str, Rounding]:
    values = constants(program)
    found = {}
    for node in program.exported.graph.nodes:
        if str(node.target) in (QUANTIZE, DEQUANTIZE):
            found[node.name] = (np.float32(node.args[1]).tobytes(), np.int8(node.args[2]).tobytes(), b"")
        elif str(node.target) == DEQUANTIZE_WEIGHT:
            weight, scale, zero = (values[source.name] for source in node.args[:3] if isinstance(source, Node))
            found[node.name] = (
                scale.astype(np.float32).tobytes(),
                zero.astype(np.int8).tobytes(),
                weight.tobytes(),
            )
    return found
