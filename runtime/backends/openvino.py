"""OpenVINO: Intel's engine for processors. It reads the bundle's ONNX files."""

import io
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError
from ..manifest import Artifact, Manifest
from .base import CPU, INPUT, OUTPUT, Available, Floats, Offer, Unavailable, offered_by_bundle
from .failures import failure
from .packages import importing, probe_packages

EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
"""What is float in a file is computed in float32: left alone, OpenVINO takes bfloat16 where the processor has it."""


@dataclass(frozen=True)
class OpenvinoBackend:
    """Runs ONNX files with input `lr` and output `sr` on the processor."""

    name: str = "openvino"
    reads: str = "onnx"
    device: str = CPU
    takes_threads: bool = True
    install: str = 'pip install "tadsr[openvino]"'
    made_by: str = "python -m export.bundle PROGRAM.pt2 -o NAME.tadsr"

    def probe(self) -> Available | Unavailable:
        """Whether openvino is installed."""
        return probe_packages(self.install, "openvino")

    def offers(self, manifest: Manifest) -> list[Offer]:
        """The bundle's ONNX files."""
        return offered_by_bundle(manifest, self.reads)

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "OpenvinoSession":
        """Make a session of an offered artifact; the errors are those of `Backend.load`."""
        model = bundle.open(artifact)
        with importing(self.name, self.install):
            process_core()
        try:
            compiled = compiled_model(model, threads)
        except Exception as error:  # RuntimeError for everything, but its documents do not promise it
            raise failure("openvino cannot load the model", error, "try another backend") from error
        try:
            ports = compiled.input(INPUT), compiled.output(OUTPUT)
        except RuntimeError as error:
            raise BackendError("the ONNX model must map 'lr' to 'sr', this one does not; export it again") from error
        return OpenvinoSession(compiled.create_infer_request(), *ports)


def compiled_model(model: bytes, threads: int | None) -> Any:
    """The `openvino.CompiledModel` of an ONNX file's bytes; `threads` None leaves the number to the engine."""
    core = process_core()
    return core.compile_model(core.read_model(io.BytesIO(model)), CPU, {**EXACT, "INFERENCE_NUM_THREADS": threads or 0})


def process_core() -> Any:
    """The `openvino.Core` of this process, which is never let go.

    The engine gives the thread that makes its first model another stack for signals, and takes the memory back with its
    last core. Where another thread lets go of that core, the first is left with a stack that is gone, and the next
    signal, a Ctrl-C or the end of a child, ends the process.
    """
    with _TURN:
        return _core()


_TURN = threading.Lock()


@cache
def _core() -> Any:
    import openvino

    return openvino.Core()


class OpenvinoSession:
    """An `openvino.InferRequest`, which is busy while it runs: threads wait for their turn."""

    max_batch = None

    def __init__(self, request: Any, input_port: Any, output_port: Any) -> None:
        self._request = request
        self._input = input_port
        self._output = output_port
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1]; shape, range and errors of the result are those of `Session.run`."""
        try:
            with self._turn:
                result = self._request.infer({self._input: np.ascontiguousarray(batch)})[self._output]
        except Exception as error:
            raise failure("openvino failed", error, "try a smaller tile or another backend") from error
        return np.asarray(result, dtype=np.float32)
