"""Which engine runs which file of a bundle: as asked, or by the order of the table and the bundle's measured advice."""

import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..bundle import Bundle
from ..errors import BackendError, BackendWarning, BundleError
from ..manifest import Artifact, Manifest
from .base import CPU, Available, Backend, Offer, Session, middle_tile
from .table import BACKENDS

AUTO = "auto"
SAME_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What some systems call processors that others call by another name."""


@dataclass(frozen=True)
class Choice:
    """An engine, and the file that it runs."""

    backend: Backend
    artifact: Artifact
    automatic: bool = True
    """Whether `backend="auto"` may take it while there is another."""

    def __str__(self) -> str:
        return f"{self.artifact.file} on {self.backend.name}"


@dataclass(frozen=True)
class Opened:
    """A choice that was loaded."""

    choice: Choice
    session: Session


def open_session(
    bundle: Bundle,
    backend: str = AUTO,
    precision: str = AUTO,
    threads: int | None = None,
    table: Mapping[str, Backend] = BACKENDS,
) -> Opened:
    """Load the best choice for the request.

    Where `backend` is "auto" and the engine does not load, the next choice is taken and a `BackendWarning` says so. A
    backend that is named is never replaced by another. Raises `BackendError` or `BundleError`.
    """
    choices = choose(bundle.manifest, backend, precision, table)
    candidates = choices if backend == AUTO else choices[:1]
    for choice, following in pairwise(candidates):
        try:
            return Opened(choice, choice.backend.load(bundle, choice.artifact, threads))
        except (BackendError, OSError) as error:  # of the cache, too
            warnings.warn(f"{choice} cannot be used: {error}; taking {following}", BackendWarning, stacklevel=3)
    last = candidates[-1]
    return Opened(last, last.backend.load(bundle, last.artifact, threads))


def choose(
    manifest: Manifest, backend: str = AUTO, precision: str = AUTO, table: Mapping[str, Backend] = BACKENDS
) -> list[Choice]:
    """What matches the request and can run here, best first, and at least one.

    Raises `BackendError` where the engine is unknown or not installed, `BundleError` where the bundle has nothing for
    the request.

    >>> choose(read_bundle("photo.tadsr").manifest, backend="onnx")[0].artifact.precision  # doctest: +SKIP
    'int8'
    """
    if backend not in (AUTO, *table):
        raise BackendError(f"backend={backend}: unknown; choose one of {', '.join([AUTO, *table])}")
    if backend != AUTO and (missing := why_not(table[backend])):
        raise BackendError(missing)
    engines = table if backend == AUTO else {backend: table[backend]}
    choices = [choice for choice in runnable(manifest, engines) if precision in (AUTO, choice.artifact.precision)]
    if backend != AUTO and choices:
        return choices
    if choices:
        return [choice for choice in choices if choice.automatic] or choices
    raise _nothing(manifest, backend, precision, table)


def runnable(manifest: Manifest, table: Mapping[str, Backend] = BACKENDS) -> list[Choice]:
    """All that can run the bundle here: engines in the order of the table, and the best file of each first."""
    return [
        Choice(backend, offer.artifact, offer.automatic)
        for backend in table.values()
        if isinstance(backend.probe(), Available)
        for offer in _ranked(backend, manifest)
    ]


def why_not(backend: Backend) -> str | None:
    """Why an engine cannot be used here and what mends it, in one line; None where it can."""
    state = backend.probe()
    if isinstance(state, Available):
        return None
    return f"backend {backend.name} cannot be used: {state.reason}; install it with: {state.install}"


def _ranked(backend: Backend, manifest: Manifest) -> list[Offer]:
    """An engine's offers, best first: of several tile sizes the middle one, then as advised, then in bundle order."""
    speedups = _measured(manifest) if backend.device == CPU else {}
    usual = (None, middle_tile(manifest))
    return sorted(
        backend.offers(manifest),
        key=lambda offer: (offer.artifact.tile not in usual, -speedups.get(offer.artifact.file, 1.0)),
    )


def _measured(manifest: Manifest) -> dict[str, float]:
    """How many times faster a file is than the exact one beside it, on a machine such as this; 0 if not recommended."""
    here = _kind(platform.machine())
    return {
        row["file"]: float(row["speedup"]) if row["recommended"] is True else 0.0
        for row in manifest.advice
        if isinstance(row.get("file"), str)
        and isinstance(row.get("recommended"), bool)
        and isinstance(row.get("speedup"), int | float)
        and _kind(str(row.get("machine"))) == here
    }


def _kind(machine: str) -> str:
    return SAME_MACHINES.get(machine.lower(), machine.lower())


def _nothing(
    manifest: Manifest, backend: str, precision: str, table: Mapping[str, Backend]
) -> BundleError | BackendError:
    """Why nothing matches a request of known engines."""
    kinds = {artifact.backend for artifact in manifest.artifacts if precision in (AUTO, artifact.precision)}
    if backend == AUTO and kinds:
        reasons = [
            why_not(table[kind]) if kind in table else f"{kind} is unknown to this tadsr" for kind in sorted(kinds)
        ]
        return BackendError(f"{manifest.name}: no engine for it is here: {'; '.join(filter(None, reasons))}")
    offers = ", ".join(sorted({f"{artifact.backend}/{artifact.precision}" for artifact in manifest.artifacts}))
    remedy = "" if backend == AUTO else f"; what {backend} runs is made by: {table[backend].made_by}"
    return BundleError(f"{manifest.name}: has nothing for {backend}/{precision}; it offers {offers}{remedy}")
