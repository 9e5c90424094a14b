"""``python -m train.evaluate``: figures of any stage's model over a folder of pictures, beside bicubic."""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from PIL import Image
from rich.console import Console
from rich.progress import track

import runtime
from runtime.bundle import SUFFIX
from tadsr import commands
from train.data.photos import find_photos, load_photo
from train.engine.errors import TrainError
from train.engine.settings import SCALE
from train.evaluation import scoring
from train.evaluation.perceptual import Perceptual, open_metrics
from train.evaluation.predictors import Picture, Predictor, SamplingOptions, open_precisions, open_predictor
from train.evaluation.scoring import Result, Scores

Pair = tuple[str, Picture, Picture | None]
"""Name, lr [h, w, 3], and hr [4h, 4w, 3] if there is one."""
Model = Callable[[list[Pair]], Iterator[Result]]
"""What makes, or finds, a result for every pair."""


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


def _scale(lr: Picture, hr: Picture | None) -> int:
    return SCALE if hr is None else hr.shape[0] // lr.shape[0]


def restored(predictor: Predictor, pairs: list[Pair], save: Path | None = None) -> Iterator[Result]:
    """The result for every pair; they are saved as PNG into the folder ``save`` if there is one."""
    results = ((name, predictor(lr, hr), hr, lr) for name, lr, hr in pairs)
    return results if save is None else saved(results, save)


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


def open_models(name: str, path: Path, options: SamplingOptions) -> dict[str, Model]:
    """What a file or folder stands for, by the names of its rows, which begin with ``name``.

    A bundle is one model in each of its precisions, "NAME, int8"; a folder that is none holds finished pictures. Raises
    ``TadsrError`` as ``open_predictor``.
    """
    if path.suffix == SUFFIX:
        return {f"{name}, {each}": partial(restored, predictor) for each, predictor in open_precisions(path).items()}
    if path.is_dir():
        return {name: partial(finished, path)}
    return {name: partial(restored, open_predictor(path, options))}


def saved(results: Iterable[Result], folder: Path) -> Iterator[Result]:
    """The same, each result's picture saved as PNG on its way."""
    for name, sr, hr, lr in results:
        target = (folder / name).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        runtime.save_picture(Image.fromarray(sr), target)
        yield name, sr, hr, lr


class Figures(NamedTuple):
    """What is known of one model's results."""

    pictures: dict[str, Scores]
    """By the pictures' names."""
    of_set: Scores
    """Of all pictures together."""


class Judge:
    """Scores sets of results; ``references`` is a folder with their HR pictures, for metrics that compare folders."""

    def __init__(self, metrics: Perceptual, references: Path | None) -> None:
        self._metrics, self._references = metrics, references

    def __call__(self, results: Iterable[Result]) -> Figures:
        """Raises ``TadsrError`` where a picture cannot be scored."""
        measure, folders = self._metrics.of_pictures, self._metrics.of_folders
        if self._references is None:
            return Figures(scoring.score_all(results, measure), dict.fromkeys(folders, math.nan))
        with TemporaryDirectory(prefix="tadsr-") as name:
            pictures = scoring.score_all(saved(results, Path(name)), measure)
            return Figures(pictures, {key: compare(Path(name), self._references) for key, compare in folders.items()})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description="Figures of models over a folder of pictures, beside bicubic.",
        epilog="example: python -m train.evaluate photos/val teacher.safetensors --autoencoder autoencoder.safetensors",
    )
    parser.add_argument("data", type=Path, help="a folder with HR and LR inside, or a folder of small pictures")
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        help="bundles (.tadsr), programs (.pt2), networks (.safetensors), folders of pictures that something else "
        "enlarged; by default the shipped bundle",
    )
    parser.add_argument(
        "--autoencoder", type=Path, help="for networks: the autoencoder's weights, else those beside the network"
    )
    parser.add_argument(
        "--steps", type=int, help="for networks: sampling steps, 1 is a single network call; else as trained"
    )
    parser.add_argument("--seed", type=int, default=0, help="for networks: seed of the noise")
    parser.add_argument(
        "--json", action="store_true", help="print JSON with a row per picture instead of a table of means"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep the results as PNG, one folder per model")
    parser.add_argument(
        "--perceptual",
        metavar="NAMES",
        type=lambda text: text.split(","),
        default=[],
        help="further metrics by pyiqa's names: lpips,clipiqa,musiq,fid (FID wants thousands of pictures)",
    )
    arguments = parser.parse_args()

    metrics = open_metrics(arguments.perceptual)
    options = SamplingOptions(arguments.autoencoder, arguments.steps, arguments.seed)
    given = {str(path): path for path in arguments.models} or {"shipped": runtime.DEFAULT_BUNDLE}
    models = {row: model for name, path in given.items() for row, model in open_models(name, path, options).items()}
    pairs = find_pairs(arguments.data)
    originals: list[Result] = [(name, hr, hr, lr) for name, lr, hr in pairs if hr is not None]
    with ExitStack() as stack:
        references = None
        if metrics.of_folders and originals:
            references = Path(stack.enter_context(TemporaryDirectory(prefix="tadsr-")))
            list(saved(originals, references))
        judge = Judge(metrics, references)
        rows = {"bicubic": judge((name, scoring.bicubic(lr, _scale(lr, hr)), hr, lr) for name, lr, hr in pairs)}
        for model, results_of in models.items():
            results = results_of(pairs)
            if arguments.save:
                results = saved(results, arguments.save / model.strip("/").replace("/", "-"))
            rows[model] = judge(track(results, model, len(pairs), console=Console(stderr=True), transient=True))
        if originals:
            rows["HR"] = judge(originals)
    if arguments.json:
        commands.say(json.dumps({model: scoring.as_json(*figures) for model, figures in rows.items()}, indent=2))
    else:
        means = {model: scoring.mean(pictures.values()) | of_set for model, (pictures, of_set) in rows.items()}
        commands.say(scoring.table(means))


if __name__ == "__main__":
    commands.run(main)
