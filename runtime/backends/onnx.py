"""ONNX Runtime: the engine that is everywhere, and its providers, which hand the network to other processors."""

import contextlib
import importlib.util
import io
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError
from ..manifest import Artifact, Manifest
from .base import CPU, INPUT, OUTPUT, Available, Floats, Offer, Unavailable, offered_by_bundle
from .failures import failure
from .packages import importing, version_of

CPU_PROVIDER = "CPUExecutionProvider"
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
"""All of them bring the package onnxruntime, each with other providers."""
ERRORS_ONLY = 3


@dataclass(frozen=True)
class OnnxBackend:
    """Runs ONNX files with input `lr` and output `sr` in one of ONNX Runtime's providers.

    `threads` are those of the processor, whatever the provider.
    """

    name: str = "onnx"
    device: str = CPU
    provider: str = CPU_PROVIDER
    install: str = "pip install onnxruntime"
    library: str = "onnxruntime_pybind11_state.*"
    """The file in the package's folder `capi` that a build with this provider has."""
    systems: tuple[str, ...] = ()
    """Values of `sys.platform` where builds have it; none for all."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The provider's."""
    memory_pattern: bool = True
    """Whether the provider bears that memory is planned ahead."""
    one_at_a_time: bool = False
    """Whether one thread only may run a session at any moment."""
    preload: bool = False
    """Whether the provider needs NVIDIA's libraries, which ONNX Runtime finds in their packages if told to."""
    automatic: bool = True
    """Whether `backend="auto"` may take it while there is another."""
    reads: str = "onnx"
    takes_threads: bool = True
    made_by: str = "python -m export.bundle PROGRAM.pt2 -o NAME.tadsr"

    def probe(self) -> Available | Unavailable:
        """Whether a build of onnxruntime with this provider is installed."""
        package = importlib.util.find_spec("onnxruntime")
        if package is None:
            return Unavailable("onnxruntime is not installed", self.install)
        if self.systems and sys.platform not in self.systems:
            return Unavailable(f"{self.provider} is for {', '.join(self.systems)} only", self.install)
        folders = [Path(folder) / "capi" for folder in package.submodule_search_locations or ()]
        if not any(any(folder.glob(self.library)) for folder in folders):
            return Unavailable(f"the onnxruntime that is installed has no {self.provider}", self.install)
        return Available(version_of(*DISTRIBUTIONS))

    def offers(self, manifest: Manifest) -> list[Offer]:
        """The bundle's ONNX files."""
        return offered_by_bundle(manifest, self.reads, self.automatic)

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "OnnxSession":
        """Make a session of an offered artifact, as `Backend.load`.

        Raises `BackendError` where the provider does not start: no other takes its place.
        """
        model = bundle.open(artifact)
        with importing("onnxruntime", self.install):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        options.enable_mem_pattern = self.memory_pattern
        options.add_session_config_entry("session.force_spinning_stop", "1")  # after a run, the painters need the CPUs
        providers = list(dict.fromkeys([self.provider, CPU_PROVIDER]))  # the processor takes what a provider cannot
        provider_options = [dict(self.options) if provider == self.provider else {} for provider in providers]
        if self.preload:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
                onnxruntime.preload_dlls()
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=providers, provider_options=provider_options, enable_fallback=0
            )
        except Exception as error:  # its exceptions share no other base
            raise failure(f"{self.name} cannot load the model", error, "try another backend") from error
        if session.get_providers()[0] != self.provider:
            raise BackendError(f"{self.name}: {self.provider} does not start; what brings all it needs: {self.install}")
        names = [node.name for node in (*session.get_inputs(), *session.get_outputs())]
        if names != [INPUT, OUTPUT]:
            raise BackendError(f"the ONNX model must map 'lr' to 'sr', this one has {names}; export it again")
        return OnnxSession(session, self)


class OnnxSession:
    """An `onnxruntime.InferenceSession`, which is safe to run from several threads unless its provider is not."""

    max_batch = None

    def __init__(self, session: Any, backend: OnnxBackend) -> None:
        self._session = session
        self._name = backend.name
        self._turn = threading.Lock() if backend.one_at_a_time else contextlib.nullcontext()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1]; shape, range and errors of the result are those of `Session.run`."""
        try:
            with self._turn:
                (result,) = self._session.run([OUTPUT], {INPUT: batch})
        except Exception as error:  # its exceptions share no other base
            raise failure(f"{self._name} failed", error, "try a smaller tile or another backend") from error
        return np.asarray(result, dtype=np.float32)


PROCESSOR = OnnxBackend()
CUDA = OnnxBackend(
    name="onnx-cuda",
    device="NVIDIA GPU",
    provider="CUDAExecutionProvider",
    install='pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]>=1.21"',
    library="*onnxruntime_providers_cuda.*",
    options={"use_tf32": "0"},  # float32 is float32: TF32 has 10 bits of mantissa
    preload=True,
)
DIRECTML = OnnxBackend(
    name="onnx-directml",
    device="any DirectX 12 GPU",
    provider="DmlExecutionProvider",
    install="pip uninstall -y onnxruntime && pip install onnxruntime-directml",
    library="DirectML.dll",
    systems=("win32",),
    memory_pattern=False,
    one_at_a_time=True,
)
COREML = OnnxBackend(
    name="onnx-coreml",
    device="Core ML: neural engine, GPU, CPU",
    provider="CoreMLExecutionProvider",
    systems=("darwin",),
    options={"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"},
    automatic=False,  # files of free size leave it little: Core ML wants static shapes
)
