"""Core ML, through coremltools: the neural engine of Macs. Every package is for one tile size, picture in and out."""

import logging
import platform
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..archives import unpack
from ..bundle import Bundle
from ..cache import DIGITS, cache_folder
from ..manifest import Artifact, Manifest
from .base import INPUT, OUTPUT, Available, Floats, Offer, Unavailable, offered_by_bundle
from .failures import failure
from .packages import importing, probe_packages

FIRST_MACOS = 13
"""The first that runs float16 packages; INT8 ones want 14, and say so when they are loaded."""
LEVELS = 255


@dataclass(frozen=True)
class CoremlBackend:
    """Runs `.mlpackage` folders, which bundles carry zipped, on whatever of a Mac's processors Core ML chooses.

    Pictures go in and come out in 8 bits. Core ML takes no `threads`.
    """

    name: str = "coreml"
    reads: str = "coreml"
    device: str = "Apple neural engine, GPU, CPU"
    takes_threads: bool = False
    install: str = 'pip install "tadsr[coreml]"'
    made_by: str = "python -m export.bundle PROGRAM.pt2 --all -o NAME.tadsr"

    def probe(self) -> Available | Unavailable:
        """Whether this is macOS 13 or newer and coremltools is installed."""
        release = platform.mac_ver()[0]
        if sys.platform != "darwin" or int(release.partition(".")[0] or 0) < FIRST_MACOS:
            return Unavailable(f"Core ML runs these files on macOS {FIRST_MACOS} and newer only", self.install)
        return probe_packages(self.install, "coremltools")

    def offers(self, manifest: Manifest) -> list[Offer]:
        """The bundle's packages."""
        return offered_by_bundle(manifest, self.reads)

    def load(self, bundle: Bundle, artifact: Artifact, threads: int | None) -> "CoremlSession":
        """Make a session of an offered artifact, as `Backend.load`.

        The package is unpacked into the cache, where it stays; `OSError` of that passes through.
        """
        data = bundle.open(artifact)
        folder = cache_folder() / f"{bundle.manifest.name}.{artifact.sha256[:DIGITS]}.mlpackage"
        if not folder.exists():
            unpack(data, folder, f"{bundle.path}: {artifact.file}")
        return CoremlSession(_open(folder, self.install))


def _open(folder: Path, install: str) -> Any:
    """A `coremltools.models.MLModel` that can predict. Raises `BackendError`."""
    # It remarks, when it is imported and later, on the versions of packages that we do not use.
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    with importing("coremltools", install):
        import coremltools
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # it only warns of a model that Core ML has refused
            model = coremltools.models.MLModel(str(folder))
        model.get_compiled_model_path()  # raises where Core ML is too old for the model
    except Exception as error:  # a bare Exception is what it raises
        raise failure("coreml cannot load the model", error, "INT8 wants macOS 14; try precision fp16") from error
    return model


class CoremlSession:
    """An `MLModel`, which Apple lets one thread use at a time: threads wait for their turn."""

    max_batch = None

    def __init__(self, model: Any) -> None:
        self._model = model
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """Run float32 RGB [N, 3, H, W] in [0, 1] as `Session.run`, rounded to 256 levels of a pixel on both sides."""
        levels = np.round(np.clip(batch, 0, 1) * LEVELS).astype(np.uint8).transpose(0, 2, 3, 1)
        try:
            with self._turn:
                answers = self._model.predict([{INPUT: Image.fromarray(tile)} for tile in levels])
            pictures = [np.asarray(answer[OUTPUT].convert("RGB"), dtype=np.float32) for answer in answers]
        except Exception as error:
            raise failure("coreml failed", error, "is the tile of the model's size?") from error
        return np.stack(pictures).transpose(0, 3, 1, 2) / np.float32(LEVELS)
