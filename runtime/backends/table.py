"""The table of engines: a new one is a new row."""

from collections.abc import Mapping

from .aoti import AotiBackend
from .base import Backend
from .coreml import CoremlBackend
from .executorch import ExecutorchBackend
from .onnx import COREML, CUDA, DIRECTML, PROCESSOR
from .openvino import OpenvinoBackend
from .tensorrt import TensorrtBackend

_ROWS: tuple[Backend, ...] = (
    CoremlBackend(),
    TensorrtBackend(),
    AotiBackend(),
    CUDA,
    DIRECTML,
    PROCESSOR,
    OpenvinoBackend(),
    ExecutorchBackend(),
    COREML,
)

BACKENDS: Mapping[str, Backend] = {backend.name: backend for backend in _ROWS}
"""In the order in which `backend="auto"` asks them; docs/backends.md says why it is this one."""
