"""ONNX Runtime: the engine that is everywhere."""

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BackendError
from .base import Available, Floats, Unavailable

INSTALL = "pip install onnxruntime"
ERRORS_ONLY = 3


@dataclass(frozen=True)
class OnnxBackend:
    """Runs ONNX files with input `lr` and output `sr`, on the CPU unless other providers are named."""

    name: str = "onnx"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)

    def probe(self) -> Available | Unavailable:
        """Whether onnxruntime (any of its builds) is installed."""
        if importlib.util.find_spec("onnxruntime") is None:
            return Unavailable("onnxruntime is not installed", INSTALL)
        try:
            return Available(importlib.metadata.version("onnxruntime"))
        except importlib.metadata.PackageNotFoundError:  # onnxruntime-gpu and its kin carry the same module
            return Available("unknown")

    def load(self, model: bytes, threads: int | None) -> "OnnxSession":
        """Make a session. Raises `BackendError` where onnxruntime is missing or refuses the model."""
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError(f"onnxruntime cannot be imported ({error}); install it with: {INSTALL}") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        try:
            session = onnxruntime.InferenceSession(model, options, providers=list(self.providers))
        except Exception as error:  # its exceptions share no other base
            raise BackendError(f"onnxruntime cannot load the model: {_first_line(error)}") from error
        names = [node.name for node in (*session.get_inputs(), *session.get_outputs())]
        if names != ["lr", "sr"]:
            raise BackendError(f"the ONNX model must map 'lr' to 'sr', this one has {names}; export it again")
        return OnnxSession(session)


class OnnxSession:
    """An `onnxruntime.InferenceSession`, which is safe to run from several threads."""

    max_batch: int | None = None

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, batch: Floats) -> Floats:
        """See `Session.run`."""
        try:
            (result,) = self._session.run(["sr"], {"lr": batch})
        except Exception as error:  # its exceptions share no other base
            raise BackendError(f"onnxruntime failed: {_first_line(error)}; try a smaller tile") from error
        return np.asarray(result, dtype=np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
