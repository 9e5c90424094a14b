"""Proof of an artifact: its own engine's answers beside the program's, on tiles that are hard in different ways."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from export.errors import ExportError
from export.protocol import Report

EQUAL_PSNR = 200.0
"""What stands for the infinite PSNR of equal pictures, in dB: above anything that float32 pictures can differ by."""

Tile = NDArray[np.float32]
Engine = Callable[[Tile], Tile]
"""[N, 3, h, w] in [0, 1] -> [N, 3, scale h, scale w] in [0, 1]."""


def test_tiles(align: int) -> list[Tile]:
    """Noise, gradients, flat grey and hard edges, of square, oblong and smallest sizes, one and two at a time."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 16 * align, dtype=np.float32)
    gradient = np.broadcast_to(ramp, (1, 3, 8 * align, 16 * align))
    edges = (np.indices((12 * align, 12 * align)).sum(0) // 3 % 2).astype(np.float32)
    return [
        rng.random((1, 3, 16 * align, 16 * align), dtype=np.float32),
        rng.random((2, 3, 8 * align, 12 * align), dtype=np.float32),
        rng.random((1, 3, 2 * align, 2 * align), dtype=np.float32),
        np.ascontiguousarray(gradient),
        np.ascontiguousarray(np.broadcast_to(edges, (1, 3, *edges.shape))),
        np.full((1, 3, 8 * align, 8 * align), 0.5, dtype=np.float32),
    ]


@torch.no_grad()
def compare(program: ExportedProgram, engine: Engine, tiles: list[Tile]) -> Report:
    """The engine's answers beside the program's, over all tiles; a NaN anywhere makes both figures NaN."""
    module = program.module()
    differences = [engine(tile).astype(np.float64) - module(torch.from_numpy(tile)).numpy() for tile in tiles]
    # numpy's reductions keep a NaN, where Python's min and max drop it and would call a broken artifact perfect.
    error = np.max([np.mean(difference**2) for difference in differences])
    largest = np.max([np.abs(difference).max() for difference in differences])
    worst_psnr = -10 * np.log10(np.maximum(error, 10 ** (-EQUAL_PSNR / 10)))
    return Report(float(worst_psnr), float(largest))


def require(report: Report, psnr: float, what: str) -> None:
    """Raises ``ExportError`` where the report is below ``psnr`` dB."""
    if not report.worst_psnr >= psnr:
        raise ExportError(
            f"{what}: {report.worst_psnr:.1f} dB from the program, {psnr:g} dB are required; nothing was kept"
        )
