"""Comparing an artifact's answers in its own engine with the program's, on tiles that are hard in different ways."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from export.errors import ExportError
from export.protocol import Engine, Report, Tile
from tadsr.program import Program

EQUAL_PSNR = 200.0
"""What stands for the infinite PSNR of equal pictures, in dB: above anything that float32 pictures can differ by."""

Shape = tuple[int, int, int, int]


def noise(shape: Shape) -> Tile:
    """Uniform noise in [0, 1]."""
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def gradient(shape: Shape) -> Tile:
    """From 0 at the left to 1 at the right."""
    return _picture(np.linspace(0, 1, shape[3])[None, :], shape)


def edges(shape: Shape) -> Tile:
    """Diagonal stripes of 0 and 1, three pixels wide."""
    return _picture(np.indices(shape[2:]).sum(0) // 3 % 2, shape)


def grey(shape: Shape) -> Tile:
    """0.5 everywhere."""
    return _picture(np.full((1, 1), 0.5), shape)


def photo_like(shape: Shape) -> Tile:
    """Noise whose amplitude falls with 1/f as that of photos does, mean 0.5 and deviation 0.2, cut to [0, 1]."""
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(shape[2])[:, None], np.fft.rfftfreq(shape[3])[None, :])
    amplitude = 1 / np.maximum(frequency, 1 / max(shape))
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * amplitude, s=shape[2:])
    return np.clip(0.5 + 0.2 * field / field.std(), 0, 1).astype(np.float32)


def tiles_for(align: int, tile: int | None) -> list[Tile]:
    """Every kind of tile: of square, oblong and smallest sizes, one and two at a time, or all of the one size."""
    free: list[tuple[Callable[[Shape], Tile], int, int, int]] = [
        (noise, 1, 16, 16),
        (noise, 2, 8, 12),
        (noise, 1, 2, 2),
        (gradient, 1, 8, 16),
        (edges, 1, 12, 12),
        (grey, 1, 8, 8),
        (photo_like, 1, 20, 24),
    ]
    if tile is None:
        return [kind((batch, 3, align * height, align * width)) for kind, batch, height, width in free]
    return [kind((1, 3, tile, tile)) for kind in (noise, gradient, edges, grey, photo_like)]


def compare_tiles(program: Program, engine: Engine, tiles: Sequence[Tile] | None = None) -> Report:
    """Compare the engine's answers with the program's, over all tiles; a NaN anywhere makes both figures NaN.

    ``tiles`` None takes those of ``tiles_for`` that the program takes.
    """
    module = program.exported.module()
    if tiles is None:
        tiles = tiles_for(program.metadata.align, program.tile)
    with torch.no_grad():
        return measure([(engine(tile), module(torch.from_numpy(tile)).numpy()) for tile in tiles])


def measure(pairs: list[tuple[Tile, Tile]]) -> Report:
    """Measure answers against the right ones; a NaN anywhere makes both figures NaN."""
    differences = [answer.astype(np.float64) - right for answer, right in pairs]
    # numpy's reductions keep a NaN, where Python's min and max drop it and would call a broken artifact perfect.
    error = np.max([np.mean(difference**2) for difference in differences])
    largest = np.max([np.abs(difference).max() for difference in differences])
    worst_psnr = -10 * np.log10(np.maximum(error, 10 ** (-EQUAL_PSNR / 10)))
    return Report(float(worst_psnr), float(largest))


def require_psnr(report: Report, psnr: float, what: str) -> None:
    """Raises ``ExportError`` where the report is below ``psnr`` dB."""
    if not report.worst_psnr >= psnr:
        raise ExportError(
            f"{what}: {report.worst_psnr:.1f} dB from the program, {psnr:g} dB are required; nothing was kept"
        )


def _picture(values: np.ndarray, shape: Shape) -> Tile:
    return np.ascontiguousarray(np.broadcast_to(values.astype(np.float32), shape))
