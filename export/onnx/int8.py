"""What proves an INT8 ONNX file: its numbers are the program's, all of them computed as integers, and every tensor."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.errors import ExportError
from export.onnx import qdq_format as dialects
from export.onnx.engines import Start, onnxruntime_session
from export.onnx.graph import Graph
from export.onnx.pixel_shuffle import PHASES, in_program_order
from export.onnx.saturation import LARGEST_PAIR, largest_pair
from export.onnx.torch_onnx import OUTPUT
from export.protocol import Findings, Tile
from export.verification import integers
from export.verification import tiles as proof
from export.verification.layer_wise import Steps, require_steps
from tadsr.program import Program

SAME_STEPS_PSNR = 90.0
"""Lowest PSNR in dB of the picture that a file makes of its own last integers."""
HEADROOM = "relu_headroom"
"""Names, in a file's metadata, the tensors that saturate at 255 steps where the program's do at 127."""


def describe_headroom(model: onnx.ModelProto) -> None:
    """List the tensors with ReLU headroom in the model's metadata."""
    model.metadata_props.add(key=HEADROOM, value=" ".join(headroom(model)))


def headroom(model: onnx.ModelProto) -> list[str]:
    """The quantised tensors that cannot be negative and have all integers of uint8 for it: more than the program."""
    zeros = _zero_points(model)
    return [name for name, zero in zeros.items() if zero == dialects.ONNX_RUNTIME.nonnegative_zero]


def check_numbers(path: Path, program: Program) -> Findings:
    """Hold scales, zero points and weights against the program's, bit by bit, and the layers against integers.

    Raises ``ExportError`` where one differs, or ONNX Runtime runs a quantised convolution in float.
    """
    in_float, rounded = other_arithmetic(path)
    if in_float:
        raise ExportError(f"{path}: ONNX Runtime runs {', '.join(in_float)} in float; nothing was kept")
    if rounded:
        raise ExportError(f"{path}: ONNX Runtime rounds float weights to INT8 ({', '.join(rounded)}); nothing was kept")
    model = onnx.load(path)
    layers = integers.require_layers(program, _layers(model), str(path))
    _require_scales(model, program, str(path))
    if wrong := dialects.wrong_zero_points(model, dialects.ONNX_RUNTIME):
        raise ExportError(f"{path}: the zero points of {', '.join(wrong[:3])} are not the dialect's; nothing was kept")
    return {
        "layers_equal_to_the_bit": layers,
        "tensors_with_relu_headroom": len(headroom(model)),
        "exact_without_vnni": max(map(largest_pair, integer_weights(path).values())) <= LARGEST_PAIR,
    }


def check_tensors(path: Path, program: Program, start: Start, what: str) -> Findings:
    """Every tensor that the engine computes beside the program's, given the same inputs.

    Raises ``ExportError`` above ``forced.LARGEST_STEP``, or where the engine makes another picture of the same
    integers.
    """
    picture = proof.photo_like((1, 3, 24 * program.metadata.align, 20 * program.metadata.align))
    steps, answer = quantized_tensors(path, picture, start)
    return require_steps(program, picture, steps, answer, SAME_STEPS_PSNR, what)


def quantized_tensors(path: Path, picture: Tile, start: Start) -> tuple[dict[str, Steps], Tile]:
    """Every quantised activation for the picture, in steps, zero point taken off; and what becomes of the picture.

    Names and channels are the program's.
    """
    model = onnx.load(path)
    zeros = _zero_points(model)
    for name, zero in zeros.items():
        kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
        model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    *values, answer = start(model.SerializeToString())([*zeros, OUTPUT], picture)
    steps = {
        name.removesuffix(PHASES): in_program_order(model, name, value.astype(np.int16) - np.int16(zero))
        for (name, zero), value in zip(zeros.items(), values, strict=True)
    }
    return steps, answer


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


def _zero_points(model: onnx.ModelProto) -> dict[str, NDArray[np.uint8]]:
    """The zero point of every quantised activation, by name."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {n.output[0]: constants[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"}


def _layers(model: onnx.ModelProto) -> list[integers.Layer]:
    graph = Graph(model)
    rounded = {node.input[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    after_relu = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    found = []
    for node in model.graph.node:
        data, weight = (
            (graph.producers.get(name) for name in node.input[:2]) if node.op_type == "Conv" else (None, None)
        )
        if data is None or weight is None or {data.op_type, weight.op_type} != {"DequantizeLinear"}:
            continue
        output = rounded.get(after_relu.get(node.output[0], node.output[0]))
        stored, scales = (graph.constants[name] for name in weight.input[:2])
        data_scale, output_scale = (None if n is None else float(graph.constants[n.input[1]]) for n in (data, output))
        found.append(integers.layer(data_scale, stored, scales, output_scale))
    return found


def _require_scales(model: onnx.ModelProto, program: Program, what: str) -> None:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    theirs = integers.scales_of(program)
    written: dict[str, set[bytes]] = {name: set() for name in theirs}
    for node in model.graph.node:
        tensor = {"QuantizeLinear": node.output[0], "DequantizeLinear": node.input[0]}.get(node.op_type)
        if tensor is not None and tensor not in constants:
            written.setdefault(tensor.removesuffix(PHASES), set()).add(np.unique(constants[node.input[1]]).tobytes())
    if wrong := [name for name, scales in written.items() if scales != {theirs.get(name)}]:
        raise ExportError(f"{what}: the scales of {', '.join(wrong[:3])} are not the program's; nothing was kept")
