"""``python -m train.evaluate``: metrics of any stage's model over a folder of pictures, beside bicubic."""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

import runtime
from runtime.bundle import SUFFIX
from tadsr import commands
from train.evaluation import scoring
from train.evaluation.pairs import Pair, bicubic, find_pairs, finished, originals, restored, saved
from train.evaluation.perceptual import Perceptual, open_metrics
from train.evaluation.predictors import SamplingOptions, open_precisions, open_predictor
from train.evaluation.scoring import Result, Scores

Model = Callable[[list[Pair]], Iterator[Result]]
"""What makes, or finds, a result for every pair."""


def open_models(name: str, path: Path, options: SamplingOptions) -> dict[str, Model]:
    """What a file or folder stands for, by the names of its rows, which begin with ``name``.

    A bundle is one model in each of its precisions, "NAME, int8"; a folder that is none holds finished pictures. Raises
    ``TadsrError`` as ``open_predictor``.
    """
    if path.suffix == SUFFIX:
        return {f"{name}, {model.precision}": partial(restored, model.predict) for model in open_precisions(path)}
    if path.is_dir():
        return {name: partial(finished, path)}
    return {name: partial(restored, open_predictor(path, options).predict)}


class SetScores(NamedTuple):
    """Scores of one model's results."""

    pictures: dict[str, Scores]
    """By the pictures' names."""
    of_set: Scores
    """Of all pictures together."""


def score_set(results: Iterable[Result], metrics: Perceptual, references: Path | None) -> SetScores:
    """Scores of results, picture by picture and together; ``references`` is a folder with their HR pictures.

    Raises ``TadsrError`` where a picture cannot be scored.
    """
    if references is None:
        return SetScores(scoring.score_all(results, metrics.of_pictures), dict.fromkeys(metrics.of_folders, math.nan))
    with TemporaryDirectory(prefix="tadsr-") as name:
        pictures = scoring.score_all(saved(results, Path(name)), metrics.of_pictures)
        return SetScores(pictures, {key: metric(Path(name), references) for key, metric in metrics.of_folders.items()})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=commands.prog("train.evaluate"),
        description="Metrics of models over a folder of pictures, beside bicubic.",
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
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    metrics = open_metrics(arguments.perceptual)
    options = SamplingOptions(arguments.autoencoder, arguments.steps, arguments.seed)
    paths = {str(path): path for path in arguments.models} or {"shipped": runtime.DEFAULT_BUNDLE}
    models = {row: model for name, path in paths.items() for row, model in open_models(name, path, options).items()}
    pairs = find_pairs(arguments.data)
    with ExitStack() as stack:
        references = None
        if metrics.of_folders and originals(pairs):
            references = Path(stack.enter_context(TemporaryDirectory(prefix="tadsr-")))
            list(saved(originals(pairs), references))

        def score(results: Iterable[Result]) -> SetScores:
            return score_set(results, metrics, references)

        rows = {"bicubic": score(restored(bicubic, pairs))}
        for model, results_of in models.items():
            results = results_of(pairs)
            if arguments.save:
                results = saved(results, arguments.save / model.strip("/").replace("/", "-"))
            rows[model] = score(track(results, model, len(pairs), console=Console(stderr=True), transient=True))
        if originals(pairs):
            rows["HR"] = score(originals(pairs))
    if arguments.json:
        commands.say(json.dumps({model: scoring.as_json(*scores) for model, scores in rows.items()}, indent=2))
    else:
        means = {model: scoring.mean(pictures.values()) | of_set for model, (pictures, of_set) in rows.items()}
        commands.say(scoring.table(means))


if __name__ == "__main__":
    commands.run(main)
