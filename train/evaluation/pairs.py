"""Pairs of pictures, LR and HR, and what models or others have made of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

import runtime
from train.data.photos import find_photos, load_photo
from train.engine.errors import TrainError
from train.engine.settings import SCALE
from train.evaluation.predictors import Picture, Predict
from train.evaluation.scoring import Result
from train.evaluation.scoring import bicubic as enlarge

Pair = tuple[str, Picture, Picture | None]
"""Name, lr [h, w, 3], and hr [4h, 4w, 3] if there is one."""


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs of ``folder``/LR and ``folder``/HR (same file names), or the pictures of a folder without these two.

    Raises ``TrainError`` where an HR picture is missing, or has neither its LR picture's size, as faces do, nor four
    times that.
    """
    if not (folder / "LR").is_dir():
        return [(str(path.relative_to(folder)), load_photo(path), None) for path in find_photos(folder)]
    pairs: list[Pair] = []
    for path in find_photos(folder / "LR"):
        name = path.relative_to(folder / "LR")
        other = folder / "HR" / name
        if not other.is_file():
            raise TrainError(f"{other}: no such file; every picture of LR needs one of the same name in HR")
        lr, hr = load_photo(path), load_photo(other)
        if hr.shape[:2] not in [(scale * lr.shape[0], scale * lr.shape[1]) for scale in (1, SCALE)]:
            raise TrainError(f"{other}: is {hr.shape[1]}x{hr.shape[0]}, not {SCALE} times its LR picture")
        pairs.append((str(name), lr, hr))
    return pairs


def originals(pairs: Iterable[Pair]) -> list[Result]:
    """The HR pictures as if a model had made them, of the pairs that have one."""
    return [(name, hr, hr, lr) for name, lr, hr in pairs if hr is not None]


def restored(predict: Predict, pairs: Iterable[Pair]) -> Iterator[Result]:
    """A model's result for every pair, one at a time."""
    return ((name, predict(lr, hr), hr, lr) for name, lr, hr in pairs)


def bicubic(lr: Picture, hr: Picture | None) -> Picture:
    """The baseline as a model: lr [h, w, 3] enlarged to the size of hr, or four times where there is none."""
    return enlarge(lr, SCALE if hr is None else hr.shape[0] // lr.shape[0])


def finished(folder: Path, pairs: list[Pair]) -> Iterator[Result]:
    """What lies in a folder of pictures that something else has enlarged, under the names of the pairs, any suffix.

    Raises ``TrainError`` where a picture is missing.
    """
    pictures = {path.relative_to(folder).with_suffix(""): path for path in find_photos(folder)}
    for name, lr, hr in pairs:
        path = pictures.get(Path(name).with_suffix(""))
        if path is None:
            raise TrainError(f"{folder}: has no picture {Path(name).stem}; it needs one for each of {len(pairs)} pairs")
        yield name, load_photo(path), hr, lr


def saved(results: Iterable[Result], folder: Path) -> Iterator[Result]:
    """Pass results on, each one's picture saved as PNG on its way."""
    for name, sr, hr, lr in results:
        target = (folder / name).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        runtime.save_picture(Image.fromarray(sr), target)
        yield name, sr, hr, lr
