"""Pixels as a file, and what a file holds."""

from pathlib import Path

import numpy as np

from runtime.pictures.frames import Timing, read_timing
from runtime.pictures.metadata import Metadata
from runtime.pictures.picture_file import PictureFile
from runtime.pictures.saving import check_output, write_levels


def save_levels(levels: np.ndarray, metadata: Metadata, path: Path) -> None:
    """Save pixels [H, W, 1 to 4] of uint8, uint16 or float32, in the format that the suffix names."""
    write_levels(levels, metadata, check_output(path), path, None)


def timing_of(path: Path) -> Timing | None:
    """The timing of a file, None for a single picture."""
    with PictureFile(path) as file:
        return read_timing(file)
