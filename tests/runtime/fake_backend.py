"""An engine of the tests' own, which behaves as it is told to."""

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.backends import BACKENDS, Available, Offer, Session, Unavailable
from runtime.backends.base import CPU
from runtime.bundle import Artifact, Bundle
from runtime.errors import BackendError
from runtime.manifest import Manifest


@dataclass(frozen=True)
class FakeBackend:
    """Runs ONNX files in ONNX Runtime, unless `broken` says what its loading raises."""

    name: str
    reads: str = "onnx"
    device: str = CPU
    takes_threads: bool = True
    install: str = "pip install it"
    made_by: str = "make it"
    here: bool = True
    automatic: bool = True
    broken: str | None = None

    def probe(self) -> Available | Unavailable:
        return Available("1.2") if self.here else Unavailable("it is not installed", self.install)

    def offers(self, manifest: Manifest) -> Sequence[Offer]:
        return [Offer(each, self.automatic) for each in manifest.artifacts if each.backend == self.reads]

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> Session:
        if self.broken:
            raise BackendError(self.broken)
        return BACKENDS["onnx"].load(bundle, artifact, threads)
