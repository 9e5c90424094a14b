"""A program as TensorRT wants it in ONNX: every type in the graph is what the engine computes in (strong typing)."""

import numpy as np
import onnx
from onnx import helper

from export.half import halve
from export.onnx.graph import Graph
from export.onnx.torch_onnx import convert
from export.tensorrt.rules import ROUND, UNROUND
from tadsr.program import Program

ZERO = "zero_point"


def render(program: Program, precision: str) -> onnx.ModelProto:
    """The model in ``precision``; an INT8 program keeps its integers, and torch's float biases.

    Tile sizes and alignment stand in its metadata, for those who build engines of it.
    """
    model = convert(halve(program) if precision == "fp16" else program.exported)
    if precision == "int8":
        _name_roundings(model)
    helper.set_model_props(
        model,
        {
            "tiles": ",".join(map(str, program.metadata.tiles)),
            "align": str(program.metadata.align),
            "precision": precision,
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _name_roundings(model: onnx.ModelProto) -> None:
    """Name scales after tensors and weights after layers; torch has numbered them. Values stay as they are."""
    graph = Graph(model)
    for node in model.graph.node:
        if node.op_type in (ROUND, UNROUND) and node.input[0] not in graph.constants:
            tensor = node.output[0] if node.op_type == ROUND else node.input[0]
            zero = graph.constants[node.input[2]]
            node.input[1] = graph.add(f"{tensor}.scale", graph.constants[node.input[1]])
            node.input[2] = graph.add(ZERO if not np.any(zero) else f"{tensor}.{ZERO}", zero)
            del node.attribute[:]  # an axis, which says nothing where there is one scale
        elif node.op_type == "Conv" and len(node.input) == 3 and node.input[1] in graph.producers:
            weight = graph.producers[node.input[1]]
            layer = node.input[2].removesuffix(".bias")
            for i, name in enumerate((f"{layer}.weight", f"{layer}.weight.scale")):
                weight.input[i] = graph.add_new(name, graph.constants[weight.input[i]])
            if len(weight.input) > 2 and not np.any(graph.constants[weight.input[2]]):  # layers may share a weight
                del weight.input[2:]  # zero is understood
    graph.replace_nodes(list(model.graph.node))
