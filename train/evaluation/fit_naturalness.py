"""Fits the Gaussian that `train.evaluation.metrics.naturalness` compares with.

`python -m train.evaluation.fit_naturalness --photos PHOTOS -o FILE.npz`

It was fitted once, before the first distillation, and is not refitted: scores would no longer compare.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from runtime.atomic import replacing
from tadsr import commands
from train.data.photos import find_photos, load_photo
from train.engine.errors import TrainError
from train.evaluation import niqe
from train.evaluation.metrics import luma


class Fit(NamedTuple):
    """A fitted Gaussian and what it was fitted on."""

    gaussian: niqe.Gaussian
    photos: list[Path]
    """The pictures that gave at least one patch."""
    patches: int


def sharp_features(path: Path) -> niqe.Array:
    """Features (N, 36) of a photo's patches at least 0.75 times as sharp as its sharpest; N is 0 for a small photo.

    Raises `PhotoError` where the file cannot be decoded.
    """
    features, sharpness = niqe.patch_features(luma(load_photo(path)))
    return features[sharpness > niqe.SHARPNESS * sharpness.max(initial=0)]


def fit(photos: Iterable[Path]) -> Fit:
    """Fits the Gaussian over the sharp patches of all photos.

    Raises `TrainError` where the photos give too few patches for 36 features (fewer than 72).
    """
    of_photos = ((path, sharp_features(path)) for path in photos)
    features = {path: patches for path, patches in of_photos if len(patches)}
    patches = sum(map(len, features.values()))
    if patches < 2 * niqe.FEATURES:
        raise TrainError(
            f"{patches} sharp patches from {len(features)} photos are too few to fit {niqe.FEATURES} features; "
            f"give more photos of at least {niqe.PATCH}x{niqe.PATCH}"
        )
    return Fit(niqe.fit_gaussian(np.concatenate(list(features.values()))), list(features), patches)


def save(fitted: Fit, path: Path, command: str) -> None:
    """Writes `mean`, `covariance`, `photos` (names), `patches` and `command` as one .npz."""
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(
            file,
            mean=fitted.gaussian.mean,
            covariance=fitted.gaussian.covariance,
            photos=np.array([photo.name for photo in fitted.photos]),
            patches=np.array(fitted.patches),
            command=np.array(command),
        )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluation.fit_naturalness", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of sharp photos, or a .txt list of them")
    parser.add_argument("--licences", choices=["free", "all"], default="all", help="which photos of the folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(argv)
    photos = find_photos(options.photos, options.licences)
    fitted = fit(track(photos, "photos", console=Console(stderr=True), transient=True))
    save(
        fitted,
        options.output,
        f"python -m train.evaluation.fit_naturalness --photos PHOTOS --licences {options.licences}",
    )
    commands.say(f"{fitted.patches} patches of {len(fitted.photos)} photos -> {options.output}")


if __name__ == "__main__":
    commands.run(main)
