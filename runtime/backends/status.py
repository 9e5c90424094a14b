"""What there is to know of every engine: what `runtime.backends()` returns and `tadsr doctor` shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..manifest import Manifest
from .base import Backend, Unavailable
from .choice import runnable
from .table import BACKENDS


@dataclass(frozen=True)
class Status:
    """One engine on this machine, for one bundle."""

    device: str
    """What it runs on, in words."""
    takes_threads: bool
    """Whether `threads=` reaches it."""
    version: str | None
    """Of the engine's package; None where the engine cannot be used."""
    problem: str | None
    """Why it cannot be used, or not for this bundle; None where it can."""
    remedy: str | None
    """The command that mends it."""
    precision: str | None
    """What it would compute the bundle in, left to itself; None where it cannot run it."""
    file: str | None
    """The file that it would take for that."""

    @property
    def available(self) -> bool:
        """Whether it can run the bundle here."""
        return self.problem is None


def statuses(manifest: Manifest, table: Mapping[str, Backend] = BACKENDS) -> dict[str, Status]:
    """Every engine of the table, in its order, by name."""
    return {name: _status(backend, manifest) for name, backend in table.items()}


def _status(backend: Backend, manifest: Manifest) -> Status:
    state = backend.probe()
    if isinstance(state, Unavailable):
        return Status(backend.device, backend.takes_threads, None, state.reason, state.install, None, None)
    known = backend.device, backend.takes_threads, state.version
    best = next(iter(runnable(manifest, {backend.name: backend})), None)
    if best is None:
        return Status(*known, f"{manifest.name} has nothing for it", backend.made_by, None, None)
    return Status(*known, None, None, best.artifact.precision, best.artifact.file)
