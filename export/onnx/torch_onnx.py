"""A program as torch writes it in ONNX, with our names: what every rendering for an engine starts from."""

import logging
import warnings

import onnx
import torch
from torch.export import ExportedProgram

from runtime.backends.base import INPUT, OUTPUT

OPSET = 20
AXES = ("batch", None, "height", "width")


def convert(program: ExportedProgram) -> onnx.ModelProto:
    """The program of free sizes in one model, each shuffle, sum and rounding an operator of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        converted = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            verbose=False,
        )
    assert converted is not None
    model: onnx.ModelProto = converted.model_proto
    _name_axes(model)
    _drop_traces(model)
    return model


def _name_axes(model: onnx.ModelProto) -> None:
    """Free axes called by what they are; the exporter invents names of its own."""
    graph = model.graph
    del graph.value_info[:]
    for value, factor in ((graph.input[0], ""), (graph.output[0], "_out")):
        for dimension, axis in zip(value.type.tensor_type.shape.dim, AXES, strict=True):
            if axis:
                dimension.dim_param = axis if axis == "batch" else f"{axis}{factor}"


def _drop_traces(model: onnx.ModelProto) -> None:
    """Away with where, in whose source files, each node was traced: a sixth of an INT8 file, and nobody's business."""
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
