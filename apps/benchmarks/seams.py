"""``python -m apps.benchmarks.seams PHOTOS`` measures how far tiles differ from the whole picture; prints JSON."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import runtime
from runtime.tiles.tiling import Floats
from tadsr.commands import run, say

HEIGHT, WIDTH = 301, 523
"""Of every picture: odd, and longer than the largest tile."""
WHOLE = 524
CASES = (("exact", 512), ("exact", 256), ("fast", 512), ("fast", 256), ("fast", 128))
"""Seam and tile."""


def pictures(photos: Path) -> Iterator[tuple[str, Floats]]:
    """(kind, float32 RGB [HEIGHT, WIDTH, 3] in [0, 1]): the photos, repeated as far as needed, and drawn pictures."""
    for path in sorted(photos.glob("*.png")):
        with Image.open(path) as photo:
            levels = np.asarray(photo.convert("RGB"))
        tall, wide = -(-HEIGHT // levels.shape[0]), -(-WIDTH // levels.shape[1])
        yield "photo", np.tile(levels, (tall, wide, 1))[:HEIGHT, :WIDTH].astype(np.float32) / np.float32(255)
    ramp = np.linspace(0, 1, WIDTH, dtype=np.float32)
    yield "gradient", np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)))
    yield "grey", np.full((HEIGHT, WIDTH, 3), 119 / 255, np.float32)
    yield "noise", np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)


def differences(precision: str, photos: Path) -> Iterator[dict[str, Any]]:
    """A row for each kind of picture, seam and tile: the largest over all pictures of the kind, in levels of 255."""
    with runtime.load(precision=precision, threads=2) as upscaler:
        wholes: dict[str, list[tuple[Floats, Any]]] = {}
        for kind, picture in pictures(photos):
            wholes.setdefault(kind, []).append((picture, upscaler(picture, tile=WHOLE)))
        for seam, tile in CASES:
            for kind, pairs in wholes.items():
                errors = [
                    255 * np.abs(upscaler(picture, tile=tile, seam=seam).astype(np.float64) - whole)
                    for picture, whole in pairs
                ]
                yield {
                    "precision": precision,
                    "seam": seam,
                    "tile": tile,
                    "picture": kind,
                    "largest": max(float(error.max()) for error in errors),
                    "beyond_one_level": max(float((error > 1).mean()) for error in errors),
                }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.benchmarks.seams", description="Tiles beside whole pictures.")
    parser.add_argument("photos", type=Path, help="a folder of PNG files")
    photos = parser.parse_args(argv).photos
    rows = [row for precision in ("fp32", "int8") for row in differences(precision, photos)]
    say(json.dumps({"height": HEIGHT, "width": WIDTH, "rows": rows}, indent=2))


if __name__ == "__main__":
    run(main)
