"""ExecuTorch with XNNPACK: the engine of phones, in its Python runtime. Every file is for one tile size."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..errors import BackendError
from ..manifest import Artifact, Manifest
from .base import CPU, Available, Floats, Offer, Unavailable, offered_by_bundle, writable_contiguous
from .failures import failure
from .packages import importing, probe_packages

METHOD = "forward"
INSTALL = 'pip install "tadsr[executorch]"'


@dataclass(frozen=True)
class ExecutorchBackend:
    """Runs `.pte` files on the processor.

    ExecuTorch has one pool of threads for the whole process, which the models that are loaded hold on to: `threads` of
    the first session holds for all, and a later one that asks for another number is refused.
    """

    name: str = "executorch"
    reads: str = "executorch"
    device: str = CPU
    takes_threads: bool = True
    install: str = INSTALL
    made_by: str = "python -m export.bundle PROGRAM.pt2 --all -o NAME.tadsr"

    def probe(self) -> Available | Unavailable:
        """Whether executorch and torch, which it needs in Python, are installed."""
        return probe_packages(self.install, "executorch", "torch")

    def offers(self, manifest: Manifest) -> list[Offer]:
        """The bundle's `.pte` files."""
        return offered_by_bundle(manifest, self.reads)

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "ExecutorchSession":
        """Make a session of an offered artifact, as `Backend.load`.

        Also raises `BackendError` where the process runs with another number of threads.
        """
        return open_model(bundle.open(artifact), threads)


def open_model(model: bytes, threads: int | None = None) -> "ExecutorchSession":
    """A session of a `.pte` file's bytes. Raises `BackendError`."""
    with importing("executorch", INSTALL):
        from executorch.runtime import Runtime
    POOL.settle(threads)
    try:
        program = Runtime.get().load_program(model)
        return ExecutorchSession(program, program.load_method(METHOD))
    except Exception as error:
        raise failure("executorch cannot load the model", error, "export it again") from error


class ThreadPool:
    """The process's pool. It can be set while no model is loaded; set later, it takes the threads from those that are,
    which ends the process."""

    def __init__(self) -> None:
        self._settled = False
        self._turn = threading.Lock()

    def settle(self, threads: int | None) -> None:
        """Have that many threads from now on; None takes what there is. Raises `BackendError` where it is too late."""
        from executorch.extension.pybindings import portable_lib

        with self._turn:
            there = portable_lib._threadpool_get_thread_count()
            if threads not in (None, there):
                if self._settled:
                    raise BackendError(
                        f"threads={threads}: executorch runs with {there} in this process, as its first model was "
                        f"loaded; use threads={there} or start anew"
                    )
                portable_lib._unsafe_reset_threadpool(threads)
            self._settled = True


POOL = ThreadPool()


class ExecutorchSession:
    """A method of a program; calls share its memory, so threads wait for their turn."""

    max_batch = 1

    def __init__(self, program: Any, method: Any) -> None:
        self._program = program  # the method lives in it
        self._method = method
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1]; shape, range and errors of the result are those of `Session.run`."""
        import torch

        contiguous = torch.from_numpy(writable_contiguous(batch))
        try:
            with self._turn:
                (result,) = self._method.execute([contiguous])
        except Exception as error:
            raise failure("executorch failed", error, "is the tile of the model's size?") from error
        return np.asarray(result.numpy(), dtype=np.float32)
