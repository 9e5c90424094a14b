"""``python -m train.evaluate``: figures of any stage's model over a folder of pictures, beside bicubic."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track

import runtime
from runtime import commands
from train import scoring
from train.errors import TrainError
from train.photos import find_photos, load_photo
from train.restorers import Picture, Restorer, SamplingOptions, open_restorer
from train.settings import SCALE

Pair = tuple[str, Picture, Picture | None]
"""Name, lr [h, w, 3], and hr [4h, 4w, 3] if there is one."""


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs of ``folder``/LR and ``folder``/HR (same file names), or the pictures of a folder without these two.

    Raises ``TrainError`` where an HR picture is missing or not four times as large.
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
        if hr.shape[:2] != (SCALE * lr.shape[0], SCALE * lr.shape[1]):
            raise TrainError(f"{other}: is {hr.shape[1]}x{hr.shape[0]}, not {SCALE} times its LR picture")
        pairs.append((str(name), lr, hr))
    return pairs


def restored(
    restorer: Restorer, pairs: list[Pair], save: Path | None
) -> Iterator[tuple[str, Picture, Picture | None, Picture]]:
    """(name, sr, hr, lr) of every pair; the results are saved as PNG into the folder ``save`` if there is one."""
    for name, lr, hr in pairs:
        sr = restorer(lr, hr)
        if save is not None:
            target = (save / name).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            runtime.save_picture(Image.fromarray(sr), target)
        yield name, sr, hr, lr


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
        help="bundles (.tadsr), programs (.pt2), networks (.safetensors); by default the shipped bundle",
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
    arguments = parser.parse_args()

    options = SamplingOptions(arguments.autoencoder, arguments.steps, arguments.seed)
    models = {str(path): path for path in arguments.models} or {"shipped": runtime.DEFAULT_BUNDLE}
    restorers = {name: open_restorer(path, options) for name, path in models.items()}
    pairs = find_pairs(arguments.data)
    rows = {"bicubic": scoring.score_all((name, scoring.bicubic(lr, SCALE), hr, lr) for name, lr, hr in pairs)}
    for model, restorer in restorers.items():
        folder = arguments.save / model.strip("/").replace("/", "-") if arguments.save else None
        results = restored(restorer, pairs, folder)
        shown = track(results, model, total=len(pairs), console=Console(stderr=True), transient=True)
        rows[model] = scoring.score_all(shown)
    if all(hr is not None for _, _, hr in pairs):
        rows["HR"] = scoring.score_all((name, hr, hr, lr) for name, lr, hr in pairs if hr is not None)
    if arguments.json:
        commands.say(json.dumps({model: scoring.as_json(scores) for model, scores in rows.items()}, indent=2))
    else:
        commands.say(scoring.table({model: scoring.mean(scores.values()) for model, scores in rows.items()}))


if __name__ == "__main__":
    commands.run(main)
