"""What an engine must offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..bundle import Bundle
from ..manifest import Artifact, Manifest

Floats = npt.NDArray[np.float32]

INPUT, OUTPUT = "lr", "sr"
"""What the network's picture in and picture out are called in every file that names them."""

CPU = "CPU"
"""`Backend.device` of the engines for which the bundle's measured advice holds."""


@dataclass(frozen=True)
class Available:
    """The engine can be used here."""

    version: str


@dataclass(frozen=True)
class Unavailable:
    """The engine cannot be used here: why, and the command that brings it."""

    reason: str
    install: str


@dataclass(frozen=True)
class Offer:
    """A file that an engine can run for a bundle."""

    artifact: Artifact
    """One of the bundle, or of the same form what was built of the bundle on this machine."""
    automatic: bool = True
    """Whether `backend="auto"` may take it while there is another: False for what takes minutes or is unproven."""


class Session(Protocol):
    """A model ready to run; safe to call from several threads at once."""

    @property
    def max_batch(self) -> int | None:
        """The most pictures that `run` takes at once; None for any number."""
        ...

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1] and return float32 [N, 3, scale*H, scale*W].

        Raises `OutOfMemoryError` where the engine says that it has not enough of it, `BackendError` where it fails
        otherwise.
        """
        ...


class Backend(Protocol):
    """An engine. Its package is imported by `load` at the earliest, so a missing one costs only its own row."""

    @property
    def name(self) -> str:
        """The name in `backend=`."""
        ...

    @property
    def reads(self) -> str:
        """The name by which manifests call the files that it runs: its own, or that of another engine."""
        ...

    @property
    def device(self) -> str:
        """What it runs on, in words; `CPU` for an engine of processors alone."""
        ...

    @property
    def takes_threads(self) -> bool:
        """Whether `threads=` reaches it."""
        ...

    @property
    def install(self) -> str:
        """The command that brings it."""
        ...

    @property
    def made_by(self) -> str:
        """The command that makes what it runs, for a bundle that has nothing for it."""
        ...

    def probe(self) -> Available | Unavailable:
        """Whether the engine can be used here, found out without importing it."""
        ...

    def offers(self, manifest: Manifest) -> Sequence[Offer]:
        """What it can run for the bundle of the manifest, in the bundle's order; asked only where it is available."""
        ...

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> Session:
        """Make a session of an artifact that it offered; `threads` None leaves the number to the engine.

        Raises `BackendError` where the engine is missing or does not accept the model, `BundleError` where the file is
        missing or damaged.
        """
        ...


def offered_by_bundle(manifest: Manifest, reads: str, automatic: bool = True) -> list[Offer]:
    """The offers of an engine that takes the bundle's files as they are."""
    return [Offer(artifact, automatic) for artifact in manifest.artifacts if artifact.backend == reads]


def middle_tile(manifest: Manifest) -> int | None:
    """The tile size to take where a bundle has several, as `export.bundle` does; None where it names none.

    Small ones waste most of their work at the seams, large ones most of it on small pictures.
    """
    return manifest.tiles[len(manifest.tiles) // 2] if manifest.tiles else None


def writable_contiguous(batch: Floats) -> Floats:
    """`batch` in contiguous, writable memory, which torch wants of an array that becomes a tensor."""
    return np.require(batch, requirements=["C_CONTIGUOUS", "WRITEABLE"])
