"""How far tiles differ from the whole picture: `python docs/figures/tiling.py > docs/figures/tiling.json`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import runtime

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "tests" / "photos" / "HR"
HEIGHT, WIDTH = 301, 523
"""Of every picture: odd, and longer than the largest tile."""
WHOLE = 524
CASES = (("exact", 512), ("exact", 256), ("fast", 512), ("fast", 256), ("fast", 128))


def pictures() -> Iterator[tuple[str, Any]]:
    """(kind, float32 RGB [HEIGHT, WIDTH, 3] in [0, 1])."""
    for path in sorted(PHOTOS.glob("*.png")):
        with Image.open(path) as photo:
            levels = np.asarray(photo.convert("RGB"))
        tall, wide = -(-HEIGHT // levels.shape[0]), -(-WIDTH // levels.shape[1])
        yield "photo", np.tile(levels, (tall, wide, 1))[:HEIGHT, :WIDTH].astype(np.float32) / 255
    ramp = np.linspace(0, 1, WIDTH, dtype=np.float32)
    yield "gradient", np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)))
    yield "grey", np.full((HEIGHT, WIDTH, 3), 119 / 255, np.float32)
    yield "noise", np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)


def differences(precision: str) -> Iterator[dict[str, Any]]:
    """A row for each kind of picture, seam and tile: the largest over all pictures of the kind, in levels of 255."""
    with runtime.load(precision=precision, threads=2) as upscaler:
        wholes = [(kind, picture, upscaler(picture, tile=WHOLE)) for kind, picture in pictures()]
        for seam, tile in CASES:
            for kind in dict.fromkeys(kind for kind, _, _ in wholes):
                errors = [
                    255 * np.abs(upscaler(picture, tile=tile, seam=seam).astype(np.float64) - whole)
                    for each, picture, whole in wholes
                    if each == kind
                ]
                yield {
                    "precision": precision,
                    "seam": seam,
                    "tile": tile,
                    "picture": kind,
                    "largest": max(float(error.max()) for error in errors),
                    "beyond_one_level": max(float((error > 1).mean()) for error in errors),
                }


def main() -> None:
    rows = [row for precision in ("fp32", "int8") for row in differences(precision)]
    sys.stdout.write(json.dumps({"height": HEIGHT, "width": WIDTH, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
