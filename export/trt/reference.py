"""The TensorRT files in ONNX Runtime on the CPU, as they are written: nothing fused, nothing rearranged."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from export.forced import Steps
from export.protocol import Engine, Tile
from export.torch_onnx import INPUT, OUTPUT
from export.trt.rules import ROUND

ERRORS_ONLY = 3


def reference_engine(path: Path, threads: int | None = None) -> Engine:
    """What the file computes."""
    session = _session(path.read_bytes(), threads)

    def run(tile: Tile) -> Tile:
        return np.asarray(session.run([OUTPUT], {INPUT: tile})[0])

    return run


def quantized_tensors(path: Path, picture: Tile) -> dict[str, Steps]:
    """Every quantised activation for the picture, in steps, by the program's names."""
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == ROUND]
    model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.INT8, None) for name in names)
    values = _session(model.SerializeToString()).run(names, {INPUT: picture})
    return {name: value.astype(np.int16) for name, value in zip(names, values, strict=True)}


def _session(model: bytes, threads: int | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
