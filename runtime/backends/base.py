"""What an engine must offer."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Available:
    """The engine can be used here."""

    version: str


@dataclass(frozen=True)
class Unavailable:
    """The engine cannot be used here: why, and the command that brings it."""

    reason: str
    install: str


class Session(Protocol):
    """A model ready to run; safe to call from several threads at once."""

    @property
    def max_batch(self) -> int | None:
        """The most pictures that one call takes; None where any number will do."""
        ...

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1] and return float32 [N, 3, scale*H, scale*W].

        Raises `BackendError` where the engine fails.
        """
        ...


class Backend(Protocol):
    """An engine. Its package is imported by `load` at the earliest, so a missing one costs only its own row."""

    @property
    def name(self) -> str:
        """The name in manifests and in `backend=`."""
        ...

    def probe(self) -> Available | Unavailable:
        """Whether the engine's package is here, found out without importing it."""
        ...

    def load(self, model: bytes, threads: int | None) -> Session:
        """Make a session of an artifact's bytes; `threads` None leaves the number to the engine.

        Raises `BackendError` where the engine is missing or does not accept the model.
        """
        ...
