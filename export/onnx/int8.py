"""What proves an INT8 file for ONNX Runtime: its numbers are the program's, and all are computed as integers."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from export.errors import ExportError
from export.onnx.engines import onnxruntime_session
from export.onnx.qdq_format import ONNX_RUNTIME
from export.protocol import Findings
from export.verification.contents import contents_of, require_same
from export.verification.onnx_reader import read, zero_points
from tadsr.program import Program
from tadsr.saturation import LARGEST_PAIR, largest_pair

HEADROOM = "relu_headroom"
"""Names, in a file's metadata, the tensors that saturate at 255 steps where the program's do at 127."""


def describe_headroom(model: onnx.ModelProto) -> None:
    """List the tensors with ReLU headroom in the model's metadata."""
    model.metadata_props.add(key=HEADROOM, value=" ".join(headroom(model)))


def headroom(model: onnx.ModelProto) -> list[str]:
    """The quantised tensors that cannot be negative and have all integers of uint8 for it: more than the program."""
    zeros = zero_points(model)
    return [name for name, zero in zeros.items() if zero == ONNX_RUNTIME.nonnegative_zero]


def check_numbers(path: Path, program: Program) -> Findings:
    """Compare scales, zero points and weights with the program's, bit by bit, and look for layers run in float.

    Raises ``ExportError`` where one differs, or ONNX Runtime runs a quantised convolution in float.
    """
    in_float, rounded = other_arithmetic(path)
    if in_float:
        raise ExportError(f"{path}: ONNX Runtime runs {', '.join(in_float)} in float; nothing was kept")
    if rounded:
        raise ExportError(f"{path}: ONNX Runtime rounds float weights to INT8 ({', '.join(rounded)}); nothing was kept")
    model = onnx.load(path)
    same = require_same(contents_of(program), read(model, ONNX_RUNTIME, str(path)), str(path))
    return {
        **same,
        "tensors_with_relu_headroom": len(headroom(model)),
        "exact_without_vnni": max(map(worst_pair, integer_weights(path).values())) <= LARGEST_PAIR,
    }


def worst_pair(weight: NDArray[np.int8]) -> int:
    """The largest of ``largest_pair`` over all output channels of weights [O, I, kh, kw]."""
    return int(largest_pair(torch.from_numpy(weight.astype(np.int32))).max())


def run_in_float(path: Path) -> list[str]:
    """The quantised convolutions that ONNX Runtime's optimised graph does not run as integers, by their outputs."""
    return other_arithmetic(path)[0]


def other_arithmetic(path: Path) -> tuple[list[str], list[str]]:
    """Where ONNX Runtime's optimised graph differs from the file: what ``run_in_float`` lists, and the weights in its
    integer convolutions that are none of the file's integers."""
    quantized = _quantized_convolutions(onnx.load(path))
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        onnxruntime_session(path.read_bytes(), optimized=optimized)
        integer = {tuple(node.input)[3] for node in onnx.load(optimized).graph.node if node.op_type == "QLinearConv"}
    return [layer for weight, layer in quantized.items() if weight not in integer], sorted(integer - quantized.keys())


def integer_weights(path: Path) -> dict[str, NDArray[np.int8]]:
    """The weights [O, I, kh, kw] of the quantised convolutions, by name."""
    model = onnx.load(path)
    quantized = _quantized_convolutions(model)
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.name in quantized}


def _quantized_convolutions(model: onnx.ModelProto) -> dict[str, str]:
    """Name of the int8 weight -> name of the convolution's output."""
    from_constants = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {
        from_constants[node.input[1]]: node.output[0]
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] in from_constants
    }
