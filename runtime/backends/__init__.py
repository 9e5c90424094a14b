"""The table of engines, and the choice of a bundle's file for one of them.

To add an engine, write a module with a class that satisfies `Backend` and give it a row in `BACKENDS`.
"""

from collections.abc import Mapping

from ..errors import BackendError, BundleError
from ..manifest import Artifact, Manifest
from .base import Available, Backend, Session, Unavailable
from .onnx import OnnxBackend

__all__ = ["BACKENDS", "Available", "Backend", "Session", "Unavailable", "select_artifact"]

AUTO = "auto"

BACKENDS: Mapping[str, Backend] = {backend.name: backend for backend in (OnnxBackend(),)}


def select_artifact(
    manifest: Manifest, backend: str = AUTO, precision: str = AUTO, table: Mapping[str, Backend] = BACKENDS
) -> Artifact:
    """The first artifact of the manifest that matches the request and whose engine is here.

    A backend that is named is never replaced by another. Raises `BackendError` where the engine is unknown or not
    installed, `BundleError` where the bundle has no such file.

    >>> select_artifact(read_bundle("photo.tadsr").manifest, backend="onnx").precision  # doctest: +SKIP
    'fp32'
    """
    if backend != AUTO and backend not in table:
        raise BackendError(f"backend={backend}: unknown; choose one of {', '.join([AUTO, *table])}")
    if backend != AUTO and (missing := _why_not(table[backend])):
        raise BackendError(missing)
    matching = [
        artifact
        for artifact in manifest.artifacts
        if backend in (AUTO, artifact.backend) and precision in (AUTO, artifact.precision)
    ]
    if not matching:
        offers = ", ".join(sorted({f"{artifact.backend}/{artifact.precision}" for artifact in manifest.artifacts}))
        raise BundleError(f"{manifest.name}: has nothing for {backend}/{precision}; it offers {offers}")
    for artifact in matching:
        if artifact.backend in table and not _why_not(table[artifact.backend]):
            return artifact
    names = sorted({artifact.backend for artifact in matching})
    reasons = [_why_not(table[name]) if name in table else f"{name} is unknown to this tadsr" for name in names]
    raise BackendError(f"{manifest.name}: no engine for it is here: {'; '.join(filter(None, reasons))}")


def _why_not(backend: Backend) -> str | None:
    state = backend.probe()
    if isinstance(state, Available):
        return None
    return f"backend {backend.name} cannot be used: {state.reason}; install it with: {state.install}"
