"""TensorRT: engines for NVIDIA GPUs, built on the machine that runs them, out of the bundle's ONNX for TensorRT."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle import Bundle
from ..cache import cache_folder, cache_path
from ..errors import BackendError, BackendWarning
from ..manifest import Artifact, Manifest
from .base import INPUT, OUTPUT, Available, Floats, Offer, Unavailable, middle_tile, writable_contiguous
from .failures import failure
from .packages import importing, probe_packages, version_of

if TYPE_CHECKING:
    from .build_engine import Settings

INSTALL = 'pip install "tadsr[tensorrt]"'
DISTRIBUTIONS = ("tensorrt", "tensorrt-cu13", "tensorrt-cu13-bindings", "tensorrt-cu12", "tensorrt-cu12-bindings")
"""All of them bring the package tensorrt, in the same version."""


@dataclass(frozen=True)
class TensorrtBackend:
    """Builds an engine of a `.trt.onnx` file for the bundle's middle tile size, once, and runs it with torch's memory.

    A GPU is not asked for `threads`.
    """

    name: str = "tensorrt"
    reads: str = "tensorrt"
    device: str = "NVIDIA GPU"
    takes_threads: bool = False
    install: str = INSTALL
    made_by: str = "python -m export.bundle PROGRAM.pt2 --all -o NAME.tadsr"

    def probe(self) -> Available | Unavailable:
        """Whether tensorrt and torch are installed and CUDA sees a GPU."""
        state = probe_packages(self.install, "tensorrt", "torch")
        if isinstance(state, Unavailable):
            return state
        from .build_engine import BuildError, find_gpu

        try:
            find_gpu()
        except BuildError as error:
            return Unavailable(str(error), self.install)
        return Available(version_of(*DISTRIBUTIONS))

    def offers(self, manifest: Manifest) -> list[Offer]:
        """The bundle's files, each for the tile size of the engine; unasked only where that is built already."""
        tile = middle_tile(manifest)
        files = [artifact for artifact in manifest.artifacts if artifact.backend == self.reads]
        return [
            Offer(replace(artifact, tile=tile), automatic=_built(artifact, tile, manifest).exists())
            for artifact in files
            if tile is not None
        ]

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "TensorrtSession":
        """Make a session of an offered artifact, as `Backend.load`.

        Building an engine takes minutes, which a `BackendWarning` says.
        """
        from .build_engine import BuildError, build

        if artifact.tile is None:
            raise BackendError(f"{artifact.file}: an engine is built for a tile size; this bundle names none")
        if not _built(artifact, artifact.tile, bundle.manifest).exists():
            what = f"{artifact.file} for tiles of {artifact.tile}"
            warnings.warn(f"building a TensorRT engine of {what}: once, minutes", BackendWarning, stacklevel=2)
        try:
            settings = _settings(artifact, artifact.tile, bundle.manifest)
            path = build(artifact.file, bundle.open(artifact), cache_folder(), settings)
        except BuildError as error:
            raise failure("tensorrt cannot build an engine", error, "try another backend") from error
        return open_engine(path)


def _settings(artifact: Artifact, tile: int, manifest: Manifest) -> "Settings":
    """Only float32 files promise float32; between integers TF32 loses nothing that anyone would see."""
    from .build_engine import Settings

    return Settings((tile,), align=manifest.align, tf32=artifact.precision != "fp32")


def _built(artifact: Artifact, tile: int, manifest: Manifest) -> Path:
    """Where the artifact's engine for this GPU and this TensorRT is, built or not."""
    from .build_engine import engine_path, find_gpu

    settings, version = _settings(artifact, tile, manifest), version_of(*DISTRIBUTIONS)
    return engine_path(artifact.file, artifact.sha256, cache_path(), settings, find_gpu(), version)


def open_engine(path: Path) -> "TensorrtSession":
    """A session of an engine file. Raises `BackendError` where it is of another machine."""
    with importing("tensorrt", INSTALL):
        import tensorrt
        import torch  # noqa: F401  (its memory is what the engine works in)
    from .build_engine import ErrorLog

    log = ErrorLog(tensorrt)
    engine = tensorrt.Runtime(log.logger).deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise BackendError(f"{path}: not an engine for this machine; delete it, and it will be built anew")
    context = engine.create_execution_context()
    if context is None:
        raise failure("tensorrt cannot load the model", RuntimeError(log.last()), "try another backend")
    with _failures("tensorrt cannot load the model"):
        return TensorrtSession(engine, context, log)


class TensorrtSession:
    """An execution context, which is one thread's at a time: threads wait for their turn."""

    def __init__(self, engine: Any, context: Any, log: Any) -> None:
        import torch

        count = engine.num_optimization_profiles
        self._largest = [tuple(engine.get_tensor_profile_shape(INPUT, index)[2]) for index in range(count)]
        self.max_batch: int | None = min(shape[0] for shape in self._largest)
        self._engine = engine  # the context lives in it
        self._context = context
        self._log = log
        self._stream = torch.cuda.Stream()
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1] as `Session.run`; tiles are of a size that the engine has."""
        fitting = [i for i, most in enumerate(self._largest) if most[2:] == batch.shape[2:] and len(batch) <= most[0]]
        if not fitting:
            raise BackendError(f"tensorrt failed: this engine takes no {batch.shape}, but {self._largest}")
        with self._turn, _failures("tensorrt failed"):
            return self._run(batch, fitting[0])

    def _run(self, batch: Floats, profile: int) -> Floats:
        import torch

        context, stream = self._context, self._stream
        with torch.cuda.stream(stream):
            lr = torch.from_numpy(writable_contiguous(batch)).cuda()
            context.set_optimization_profile_async(profile, stream.cuda_stream)
            context.set_input_shape(INPUT, tuple(batch.shape))
            sr = torch.empty(tuple(context.get_tensor_shape(OUTPUT)), device="cuda")
            context.set_tensor_address(INPUT, lr.data_ptr())
            context.set_tensor_address(OUTPUT, sr.data_ptr())
            if not context.execute_async_v3(stream.cuda_stream):
                raise RuntimeError(self._log.last())
        stream.synchronize()
        result: Floats = sr.cpu().numpy()
        return result


@contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        raise failure(what, error, "try another backend") from error
