"""AOTInductor: native packages that `python -m export.aoti` has built on this machine, in torch. No bundle has them."""

import platform
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..bundle import Bundle
from ..cache import place, places
from ..errors import BackendError
from ..manifest import Artifact, Manifest
from .base import Available, Floats, Offer, Unavailable, writable_contiguous
from .failures import failure
from .packages import importing, probe_packages

NAME, SUFFIX = "aoti", ".aoti.pt2"
PRECISIONS = ("fp32", "fp16")
INSTALL = 'pip install "tadsr[onnx]"'
BUILD = "python -m export.aoti PROGRAM.pt2"


@dataclass(frozen=True)
class AotiBackend:
    """Runs what lies in the cache for the programs that a bundle was made of; it is taken unasked where CUDA has a GPU.

    `threads` is set for all of torch, which has one pool of them; loops that were fused when the package was built
    keep the number of then.
    """

    name: str = NAME
    reads: str = NAME
    device: str = "NVIDIA GPU where there is one, else CPU"
    takes_threads: bool = True
    install: str = INSTALL
    made_by: str = BUILD

    def probe(self) -> Available | Unavailable:
        """Whether torch is installed."""
        return probe_packages(self.install, "torch")

    def offers(self, manifest: Manifest) -> list[Offer]:
        """What the cache has of the bundle's programs: built here, though perhaps for another torch or device."""
        return [
            Offer(Artifact(path.name, self.reads, precision, program.tile), automatic=_has_gpu())
            for program in _programs(manifest)
            for precision in PRECISIONS
            for path in places(stem(manifest.name, precision), program.sha256, SUFFIX)[:1]
        ]

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "AotiSession":
        """Make a session of an offered artifact, as `Backend.load`.

        Also raises `BackendError` where the package was built for another torch or device.
        """
        with importing(self.name, self.install):
            import torch  # noqa: F401
        program = next(each for each in _programs(bundle.manifest) if each.tile == artifact.tile)
        path = package_path(bundle.manifest.name, artifact.precision, program.sha256)
        if not path.exists():
            raise BackendError(
                f"{artifact.file}: built for another torch or another device than are here; build it anew: {BUILD}"
            )
        return open_package(path, threads)


class _Program(NamedTuple):
    """What a bundle tells of a program that it was made of."""

    sha256: str
    tile: int | None


def _programs(manifest: Manifest) -> Iterator[_Program]:
    """The float programs, as `export.bundle` lists them. Anybody writes provenance: what is no such row is skipped."""
    rows = manifest.provenance.get("programs")
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or row.get("precision") != "fp32":
            continue
        sha256, tile = row.get("sha256"), row.get("tile")
        if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256) and (tile is None or type(tile) is int):
            yield _Program(sha256, tile)


def _has_gpu() -> bool:
    from .build_engine import BuildError, find_gpu

    try:
        find_gpu()
    except BuildError:
        return False
    return True


def stem(name: str, precision: str) -> str:
    """How the names of a model's packages begin."""
    return f"{name}.{NAME}.{precision}"


def package_path(name: str, precision: str, sha256: str) -> Path:
    """Where this machine's package of the program with that hash is, built or not."""
    return place(stem(name, precision), sha256, machine(), SUFFIX)


def machine() -> tuple[str, ...]:
    """What a package depends on beside the program: torch's version, the device, what the processor's code may use."""
    import torch

    return (torch.__version__, device_name(), platform.machine(), torch.backends.cpu.get_cpu_capability())


def device_kind() -> str:
    """`cuda` where torch sees a GPU (`CUDA_VISIBLE_DEVICES=` hides it), else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name() -> str:
    """The device as the cache tells it from others."""
    import torch

    if device_kind() == "cpu":
        return "cpu"
    return f"{torch.cuda.get_device_name()} {torch.cuda.get_device_capability()}"


def exact_float32() -> AbstractContextManager[None]:
    """Convolutions of float32 in float32: by default cuDNN computes them in TF32, with 10 bits of mantissa."""
    import torch

    context: AbstractContextManager[None] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return context


def open_package(path: Path, threads: int | None = None) -> "AotiSession":
    """A session of a package that was built here. Raises `BackendError`."""
    import torch
    from torch._inductor import aoti_load_package

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return AotiSession(aoti_load_package(str(path)), device_kind())
    except Exception as error:
        raise failure(f"aoti cannot load {path}", error, f"delete it and build it anew: {BUILD}") from error


class AotiSession:
    """A package in torch. Threads wait for their turn, for what keeps float32 exact is set for all of torch."""

    max_batch = None

    def __init__(self, package: Any, device: str) -> None:
        self._package = package
        self._device = device
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1]; shape, range and errors of the result are those of `Session.run`."""
        import torch

        try:
            with self._turn, torch.no_grad(), exact_float32():
                answer: torch.Tensor = self._package(torch.from_numpy(writable_contiguous(batch)).to(self._device))
                result: Floats = answer.cpu().numpy()
        except Exception as error:
            raise failure("aoti failed", error, "is the tile of the model's size?") from error
        return result
