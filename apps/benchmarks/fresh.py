"""Started by `apps.benchmarks.bench` as a script in a fresh process: times the first picture and some more, prints
JSON.

Arguments: bundle, side in pixels, repeats, threads (0: the engine's choice), backend, precision.
"""

import time

START = time.perf_counter()

import json  # noqa: E402  (the clock must start before any import)
import sys  # noqa: E402


def measure(
    bundle: str, side: int, repeats: int, threads: int | None, backend: str, precision: str
) -> dict[str, object]:
    """Seconds from the start of this script to the first finished picture, and of each run after it; bytes; what ran
    how many tiles.
    """
    import numpy as np

    import runtime
    from tadsr.measuring import peak_memory

    upscaler = runtime.load(bundle, backend=backend, precision=precision, threads=threads)
    loaded = time.perf_counter() - START
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    seconds, tiles = [], set()
    for _ in range(repeats + 1):
        before = time.perf_counter()
        upscaler(picture, progress=lambda _done, total: tiles.add(total))
        seconds.append(time.perf_counter() - before)
    return {
        "backend": upscaler.backend,
        "precision": upscaler.artifact.precision,
        "tiles": max(tiles),
        "cold": loaded + seconds[0],
        "warm": seconds[1:],
        "peak_memory": peak_memory(),
    }


if __name__ == "__main__":
    bundle, side, repeats, threads, backend, precision = sys.argv[1:]
    found = measure(bundle, int(side), int(repeats), int(threads) or None, backend, precision)
    sys.stdout.write(json.dumps(found))
