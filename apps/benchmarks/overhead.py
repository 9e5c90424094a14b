"""What the runtime adds to the bare engine, and what the engine gains from two tiles at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from apps.benchmarks.compare_files import usable_files
from runtime.backends import Choice
from runtime.bundle import Bundle
from runtime.pictures.picture import open_picture
from runtime.tiles.halo import HALOS
from runtime.tiles.tiling import Floats, cut_tile, plan_tiles, take
from runtime.upscaler import Upscaler
from tadsr.measuring import Call, time_in_rounds


@dataclass(frozen=True)
class OverheadTiming:
    """A [side, side] picture in `tiles`: by the bare engine, by it with two tiles at once, and by the runtime.

    `overhead` is the median over the rounds of runtime / bare engine, less 1; `two_at_once` that of two at once / one
    after the other, less 1 (None for a single tile): below 0, the engine gains.
    """

    file: str
    backend: str
    precision: str
    side: int
    tiles: int
    bare_median_ms: float
    runtime_median_ms: float
    overhead: float
    two_at_once: float | None


def time_overhead(bundle: Bundle, side: int, *, threads: int | None, repeats: int) -> list[OverheadTiming]:
    """Time a picture of noise for each usable file, in rounds. Raises `BundleError` or `BackendError`."""
    return [_time(bundle, choice, side, threads, repeats) for choice in usable_files(bundle)]


def _time(bundle: Bundle, choice: Choice, side: int, threads: int | None, repeats: int) -> OverheadTiming:
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    engine, artifact = choice.backend, choice.artifact
    halo = HALOS["fast"](bundle.manifest, artifact)
    plan = plan_tiles(side, side, align=bundle.manifest.align, halo=halo, fixed=artifact.tile)
    (layer,) = open_picture(picture).layers
    tiles = [
        cut_tile(take(layer, plan.row_indices(row), 0), plan.column_indices(column))[None] for row, column in plan.tiles
    ]
    upscaler = Upscaler(bundle, backend=engine.name, precision=artifact.precision, threads=threads)
    session = upscaler.session(artifact)  # the very same: another's memory would be cold

    def bare() -> None:
        for tile in tiles:
            session.run(tile)

    def run(tile: Floats) -> None:
        session.run(tile)  # its result goes: many large ones would fill the memory, which is not what is timed

    def two_at_once() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, tiles))

    calls: dict[str, Call] = {"bare": bare, "runtime": lambda: upscaler(picture)}
    if len(tiles) > 1:
        calls["two at once"] = two_at_once
    timings = time_in_rounds(calls, repeats)
    alone = np.array(timings["bare"].seconds)
    ratios = {name: float(np.median(timing.seconds / alone)) - 1 for name, timing in timings.items()}
    return OverheadTiming(
        artifact.file,
        engine.name,
        artifact.precision,
        side,
        len(tiles),
        1e3 * timings["bare"].median,
        1e3 * timings["runtime"].median,
        ratios["runtime"],
        ratios.get("two at once"),
    )
