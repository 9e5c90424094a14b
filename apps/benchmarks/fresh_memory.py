"""Started by `apps.benchmarks.memory` as a script in a fresh process: does one thing, prints the most bytes the
process held.

Arguments: "base"; or "engine", bundle, file, side, threads (0: the engine's choice); or "codec", suffix, width.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from runtime import read_bundle
from runtime.backends import BACKENDS
from runtime.pictures.formats import FORMATS
from runtime.pictures.metadata import Metadata
from runtime.shape import Shape

RUNS = 3
CODEC_ROWS = 1024


def engine(bundle: str, file: str, side: str, threads: str) -> None:
    """Run one tile of noise a few times, as the runtime would."""
    opened = read_bundle(bundle)
    artifact = next(artifact for artifact in opened.manifest.artifacts if artifact.file == file)
    session = BACKENDS[artifact.backend].load(opened, artifact, int(threads) or None)
    batch = np.random.default_rng(0).random((1, 3, int(side), int(side)), np.float32)
    for _ in range(RUNS):
        session.run(batch)


def codec(suffix: str, width: str) -> None:
    """Encode rows of noise, and decode them again."""
    from runtime.pictures import streaming

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / f"picture{suffix}"
        form, shape = FORMATS[suffix], Shape(CODEC_ROWS, int(width), 3, np.dtype(np.uint8))
        noise = np.random.default_rng(0)
        with streaming.encoding(picture, form, shape, Metadata()) as stream:
            for _ in range(CODEC_ROWS):
                stream.write(noise.integers(0, 256, (1, int(width), 3), np.uint8))
        streaming.decode(picture, Path(folder) / "rows", form, picture)


TASKS: Mapping[str, Callable[..., None]] = {"base": lambda: None, "engine": engine, "codec": codec}

if __name__ == "__main__":
    from tadsr.measuring import peak_memory

    task, *arguments = sys.argv[1:]
    TASKS[task](*arguments)
    sys.stdout.write(str(peak_memory()))
