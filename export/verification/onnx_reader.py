"""What an INT8 ONNX file holds and computes: its numbers, and every quantised tensor for a picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.errors import ExportError
from export.onnx.engines import Start
from export.onnx.graph import Graph
from export.onnx.pixel_shuffle import PHASES, in_program_order
from export.onnx.qdq_format import QdqFormat, nonnegative
from export.protocol import Findings, Tile
from export.verification.contents import Contents, Layer, contents, layer
from export.verification.layer_wise import Steps, require_steps
from export.verification.tiles import photo_like
from runtime.backends.base import OUTPUT
from tadsr.program import Program

SAME_STEPS_PSNR = 90.0
"""Lowest PSNR in dB of the picture that a file makes of its own last integers."""


def read(model: onnx.ModelProto, form: QdqFormat, what: str) -> Contents:
    """The numbers of a file in a QDQ format. Raises ``ExportError`` where its integers are of another type."""
    graph = Graph(model)
    return contents(_layers(graph), _activations(graph, form, what))


def check_tensors(path: Path, program: Program, start: Start, what: str) -> Findings:
    """Compare every tensor that the engine computes with the program's, given the same inputs.

    Raises ``ExportError`` above ``layer_wise.LARGEST_STEP``, or where the engine makes another picture of the same
    integers.
    """
    align = program.metadata.align
    picture = photo_like((1, 3, 24 * align, 20 * align))
    steps, answer = quantized_tensors(path, picture, start)
    return require_steps(program, picture, steps, answer, SAME_STEPS_PSNR, what)


def quantized_tensors(path: Path, picture: Tile, start: Start) -> tuple[dict[str, Steps], Tile]:
    """Every quantised activation for the picture, in steps, zero point taken off; and what becomes of the picture.

    Names and channels are the program's.
    """
    model = onnx.load(path)
    zeros = zero_points(model)
    for name, zero in zeros.items():
        kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
        model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    *values, answer = start(model.SerializeToString())([*zeros, OUTPUT], picture)
    steps = {
        name.removesuffix(PHASES): in_program_order(model, name, value.astype(np.int16) - np.int16(zero))
        for (name, zero), value in zip(zeros.items(), values, strict=True)
    }
    return steps, answer


def zero_points(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """The zero point of every quantised activation, by the file's names."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {n.output[0]: constants[n.input[2]] for n in model.graph.node if n.op_type == "QuantizeLinear"}


def _layers(graph: Graph) -> Iterator[Layer]:
    rounded = {node.input[0]: node for node in graph.graph.node if node.op_type == "QuantizeLinear"}
    after_relu = {node.input[0]: node.output[0] for node in graph.graph.node if node.op_type == "Relu"}
    for node in graph.graph.node:
        data, weight = (
            (graph.producers.get(name) for name in node.input[:2]) if node.op_type == "Conv" else (None, None)
        )
        if data is None or weight is None or {data.op_type, weight.op_type} != {"DequantizeLinear"}:
            continue
        output = rounded.get(after_relu.get(node.output[0], node.output[0]))
        stored, scales, *zeros = (graph.constants[name] for name in weight.input)
        data_scale, output_scale = (None if n is None else float(graph.constants[n.input[1]]) for n in (data, output))
        yield layer(data_scale, stored, scales, output_scale, *zeros)


def _activations(graph: Graph, form: QdqFormat, what: str) -> Iterator[tuple[str, NDArray[np.generic], int]]:
    positive = nonnegative(graph)
    for node in graph.graph.node:
        tensor = {"QuantizeLinear": node.output[:1], "DequantizeLinear": node.input[:1]}.get(node.op_type, [])
        if not tensor or tensor[0] in graph.constants:
            continue
        zero = graph.constants[node.input[2]] if len(node.input) > 2 else np.zeros((), form.dtype)
        if zero.dtype != form.dtype:
            raise ExportError(
                f"{what}: {node.output[0]} is {zero.dtype} where the engine is given {np.dtype(form.dtype)} only; "
                "nothing was kept"
            )
        right = form.nonnegative_zero if node.input[0] in positive else form.signed_zero
        for found in np.unique(zero):
            yield tensor[0].removesuffix(PHASES), graph.constants[node.input[1]], int(found) - right
