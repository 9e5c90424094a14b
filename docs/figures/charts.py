"""The charts of the pages."""

from typing import Any

from scatter import Axis, Dot, scatter
from tables.quality import AUTOENCODER, ROWS, gathered
from tables.targets import PSNR_Y, most_natural

OF_THE_ORIGINALS = (AUTOENCODER, "HR")
"""Rows that have seen what the others are to restore."""


def fidelity_and_naturalness(quality: dict[str, Any], report: dict[str, Any]) -> str:
    """Every row of the quality table that was made of small pictures, and the corner that the targets ask for."""
    known = gathered(quality, report)
    dots = [
        Dot(row.short or row.label, known[row.key]["psnr_y"], known[row.key]["naturalness"])
        for row in ROWS
        if row.key not in OF_THE_ORIGINALS
    ]
    return scatter(
        "Faithful and natural",
        "32 validation pairs. Right: nearer to the original. Up: more like a sharp photo. Tinted: the targets",
        dots,
        Axis("PSNR-Y, dB", goal=PSNR_Y),
        Axis("naturalness, lower is better", goal=most_natural(known), reversed=True),
    )
