"""A process of its own for one measurement, so that nothing is warm or held from the one before.

Run as a script it does a task of `TASKS` with the arguments that follow and prints what it returns, as JSON.
"""

import time

START = time.perf_counter()

import json  # noqa: E402  (the clock must start before any import)
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

RUNS = 3
CODEC_ROWS = 1024


def measure_in_worker(task: str, *arguments: object) -> Any:
    """What a task returns, done by a fresh process. Raises `CommandError` where that fails."""
    import os
    import subprocess

    from apps.errors import CommandError

    # The process finds this same tadsr, and never a `runtime.py` or `train.py` in the folder where the user stands.
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    words = [task, *map(str, arguments)]
    done = subprocess.run(
        [sys.executable, "-P", __file__, *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CommandError(f"the process that measures {' '.join(words)} failed: {reason}")
    return json.loads(done.stdout)


def picture(bundle: str, side: str, repeats: str, threads: str, backend: str, precision: str) -> dict[str, Any]:
    """Seconds from the start of this script to the first finished picture, and of each run after it; bytes; what ran
    how many tiles. With 0 threads the engine chooses.
    """
    import numpy as np

    import runtime

    upscaler = runtime.load(bundle, backend=backend, precision=precision, threads=int(threads) or None)
    loaded = time.perf_counter() - START
    noise = np.random.default_rng(0).integers(0, 256, (int(side), int(side), 3), np.uint8)
    seconds, tiles = [], set()
    for _ in range(int(repeats) + 1):
        before = time.perf_counter()
        upscaler(noise, progress=lambda _done, total: tiles.add(total))
        seconds.append(time.perf_counter() - before)
    return {
        "backend": upscaler.backend,
        "precision": upscaler.artifact.precision,
        "tiles": max(tiles),
        "cold": loaded + seconds[0],
        "warm": seconds[1:],
        "peak_memory": peak_memory(),
    }


def base() -> int | None:
    """The most bytes held after the imports that every other task of memory needs."""
    import numpy  # noqa: F401

    import runtime.backends
    import runtime.pictures.metadata  # noqa: F401

    return peak_memory()


def engine(bundle: str, file: str, side: str, threads: str) -> int | None:
    """The most bytes held when one tile of noise has run a few times, as the runtime runs it."""
    import numpy as np

    from runtime import read_bundle
    from runtime.backends import BACKENDS

    opened = read_bundle(bundle)
    artifact = next(artifact for artifact in opened.manifest.artifacts if artifact.file == file)
    session = BACKENDS[artifact.backend].load(opened, artifact, int(threads) or None)
    batch = np.random.default_rng(0).random((1, 3, int(side), int(side)), np.float32)
    for _ in range(RUNS):
        session.run(batch)
    return peak_memory()


def codec(suffix: str, width: str) -> int | None:
    """The most bytes held when rows of noise have been encoded, and decoded again."""
    import numpy as np

    from runtime.pictures import streaming
    from runtime.pictures.formats import FORMATS
    from runtime.pictures.metadata import Metadata
    from runtime.shape import Shape

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"picture{suffix}"
        form, shape = FORMATS[suffix], Shape(CODEC_ROWS, int(width), 3, np.dtype(np.uint8))
        noise = np.random.default_rng(0)
        with streaming.encoding(file, form, shape, Metadata()) as stream:
            for _ in range(CODEC_ROWS):
                stream.write(noise.integers(0, 256, (1, int(width), 3), np.uint8))
        streaming.decode(file, Path(folder) / "rows", form, file)
    return peak_memory()


def peak_memory() -> int | None:
    """As `tadsr.measuring.peak_memory`, imported when the clock need not run any more."""
    from tadsr import measuring

    return measuring.peak_memory()


TASKS: Mapping[str, Callable[..., Any]] = {"picture": picture, "base": base, "engine": engine, "codec": codec}

if __name__ == "__main__":
    name, *options = sys.argv[1:]
    sys.stdout.write(json.dumps(TASKS[name](*options)))
