"""ONNX files with one fault."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def write_changed(source: Path, target: Path, ends_with: str, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A copy in which the first constant whose name ends so was replaced by ``change(constant)``."""
    model = onnx.load(source)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name.endswith(ends_with))
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), tensor.name))
    onnx.save(model, target)
    return target
