"""The table of exporters: a new engine is a new row."""

from export import aoti
from export.coreml import exporter as coreml
from export.executorch import exporter as executorch
from export.local import LocalExporter
from export.onnx import exporter as onnx
from export.protocol import Exporter
from export.tensorrt import exporter as tensorrt
from export.tensorrt import torch_tensorrt

EXPORTERS: tuple[Exporter, ...] = (
    onnx.FP32,
    onnx.INT8,
    onnx.FP16,
    executorch.FP32,
    executorch.INT8,
    coreml.FP16,
    coreml.INT8,
    tensorrt.FP16,
    tensorrt.INT8,
)
"""In order of preference: a bundle lists its artifacts so, and the runtime goes by it where nothing was measured."""

LOCAL: tuple[LocalExporter, ...] = (
    aoti.FP32,
    aoti.FP32_TILE,
    aoti.FP16,
    aoti.FP16_TILE,
    torch_tensorrt.FP32,
    torch_tensorrt.FP16,
)
"""Those whose artifacts are native code: built on the machine that runs them, and carried in no bundle."""

USUAL: tuple[Exporter, ...] = (onnx.FP32, onnx.INT8, executorch.INT8, coreml.INT8)
"""What a bundle carries: a phone's engines have one small file each."""
