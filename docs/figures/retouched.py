"""What grain and sharpening do to the scores of the shipped model's results: `python docs/figures/retouched.py VAL`.

VAL holds HR and LR. Writes retouched.json beside this file, which `render.py` makes a table of: how much of a better
naturalness no model would have to earn.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from keeping import keep, today
from numpy.typing import NDArray
from rich.progress import track
from scipy.ndimage import gaussian_filter

import runtime
from tadsr import commands
from train.evaluate import find_pairs
from train.evaluation import scoring
from train.evaluation.scoring import Picture

JSON = Path(__file__).with_name("retouched.json")
NEIGHBOURHOOD = 4.0
"""Standard deviation in pixels of the Gaussian that local contrast is measured in."""
RADIUS = 1.0
"""Of the unsharp mask, in pixels."""

Array = NDArray[np.float64]


def grain(picture: Array, share: float) -> Array:
    """White grey noise, its deviation this share of the local contrast; [H, W, 3] in 0..255, not rounded."""
    grey = picture.mean(axis=2)
    mean, square = (gaussian_filter(plane, NEIGHBOURHOOD) for plane in (grey, grey**2))
    contrast = np.sqrt(np.maximum(square - mean**2, 0))
    noise = np.random.default_rng(0).standard_normal(grey.shape)
    return picture + (share * contrast * noise)[..., None]


def sharpened(picture: Array, amount: float) -> Array:
    """The unsharp mask: what a blur takes away, added once more; [H, W, 3] in 0..255, not rounded."""
    return picture + amount * (picture - gaussian_filter(picture, (RADIUS, RADIUS, 0)))


WAYS: dict[str, tuple[Callable[[Array, float], Array], tuple[float, ...]]] = {
    "grain": (grain, (0.04, 0.07, 0.1, 0.2)),
    "sharpened": (sharpened, (0.3, 0.6, 1.0)),
}


def retouched(picture: Picture) -> Iterator[tuple[str, float, Picture]]:
    """(way, amount, result) of every way and amount, the picture itself first."""
    yield "as it is", 0, picture
    for way, (change, amounts) in WAYS.items():
        for amount in amounts:
            changed = change(picture.astype(np.float64), amount)
            yield way, amount, np.clip(np.round(changed), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python docs/figures/retouched.py", description="Grain, sharpening, scores.")
    parser.add_argument("pairs", type=Path, help="a folder with HR and LR")
    given = parser.parse_args()
    results: dict[tuple[str, float], list[scoring.Result]] = {}
    for name, lr, hr in track(find_pairs(given.pairs), "enlarged and retouched"):
        for way, amount, changed in retouched(runtime.upscale(lr)):
            results.setdefault((way, amount), []).append((name, changed, hr, lr))
    rows = [
        {"way": way, "amount": amount, "mean": scoring.mean(scoring.score_all(pictures).values())}
        for (way, amount), pictures in track(results.items(), "measured")
    ]
    keep({"date": today(), "rows": rows}, JSON)


if __name__ == "__main__":
    commands.run(main)
