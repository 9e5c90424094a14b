"""The table of exporters: a new engine is a new row."""

from export import executorch, onnx
from export.protocol import Exporter

EXPORTERS: tuple[Exporter, ...] = (onnx.FP32, onnx.INT8, executorch.FP32, executorch.INT8)
"""In order of preference: a bundle lists its artifacts so, and the runtime takes the first that can run."""

USUAL: tuple[Exporter, ...] = (onnx.FP32, onnx.INT8)
"""Those whose artifacts every bundle carries; the others have a file per tile size and are large together."""
