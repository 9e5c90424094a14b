"""Measures the curve of pruning and shows it: `python docs/figures/pruning.py FINETUNED PRUNED VAL`.

FINETUNED is a run of `compress.fold` that trained the decoder, every folder in PRUNED one of `compress.prune` that
started there; VAL holds HR and LR. Writes pruning.json beside this file, which `render.py` makes a table of, and
docs/pictures/pruning.jpg.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from keeping import keep, today

from compress.pruning.part import Part, student_with
from tadsr import commands
from train.engine.checkpoints import load_autoencoder
from train.evaluate import Pair, find_pairs
from train.evaluation import metrics, scoring
from train.evaluation.ablation_page import picture_sheet
from train.evaluation.predictors import Picture, Predictor
from train.finetuning.inputs import StudentLatents

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PHOTOS = ROOT / "tests/photos"
JSON, PICTURE = HERE / "pruning.json", ROOT / "docs/pictures/pruning.jpg"
SETTINGS = ("steps", "batch", "lr", "seed", "multiple", "measured_batches")


def deployed(finetuned: Path, run: Path) -> tuple[Part, Predictor]:
    """The decoder of a run, and the finetuned student with it."""
    full = load_autoencoder(finetuned / "autoencoder.safetensors")
    latents = StudentLatents(full, finetuned / "deployed_student.safetensors", finetuned / "lr_encoder.safetensors")
    decoder = Part(load_autoencoder(run / "autoencoder.safetensors"), "decoder")
    return decoder, student_with(latents, decoder, seed=0)


def point(
    model: tuple[Part, Predictor], pairs: list[Pair], full: list[Picture]
) -> tuple[dict[str, Any], list[Picture]]:
    """Sizes and mean scores, those against HR and the PSNR (RGB) against the full decoder's pictures; the pictures."""
    decoder, restore = model
    pictures = [restore.predict(lr, None) for _, lr, _ in pairs]
    rows = scoring.score_all((name, sr, hr, lr) for (name, lr, hr), sr in zip(pairs, pictures, strict=True))
    mean = scoring.as_json(rows)["mean"]
    near = [metrics.psnr_rgb(a, b) for a, b in zip(pictures, full, strict=False)]
    against = {"mean": float(np.mean(near)), "worst": min(near)} if near else None
    sizes = {"macs_per_latent_position": decoder.macs(), "parameters": decoder.size}
    return {**sizes, "scores": mean, "psnr_to_full": against}, pictures


def curve(finetuned: Path, runs: Mapping[float, Path], pairs: list[Pair]) -> list[dict[str, Any]]:
    """A point per run, the full decoder's first."""
    first, full = point(deployed(finetuned, finetuned), pairs, [])
    points = [{"macs": 1.0, "finetuning": None} | first]
    for share, run in runs.items():
        chosen = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        measured, _ = point(deployed(finetuned, run), pairs, full)
        points.append({"macs": share, "finetuning": {name: chosen[name] for name in SETTINGS}} | measured)
    return points


def main() -> None:
    parser = argparse.ArgumentParser(prog="python docs/figures/pruning.py", description="The curve of pruning.")
    parser.add_argument("finetuned", type=Path, help="a run of compress.fold that trained the decoder")
    parser.add_argument("pruned", type=Path, help="folder of the runs of compress.prune that started there")
    parser.add_argument("pairs", type=Path, help="a folder with HR and LR")
    given = parser.parse_args()
    finetuned, pairs = given.finetuned, find_pairs(given.pairs)
    found = [run for run in given.pruned.iterdir() if (run / "autoencoder.safetensors").exists()]
    shares = {yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["macs"]: run for run in found}
    runs = dict(sorted(shares.items(), reverse=True))
    points = curve(finetuned, runs, pairs)
    keep({"date": today(), "pictures": len(pairs), "points": points}, JSON)
    shown = {"1.0 (full)": finetuned} | {f"{share:g}": run for share, run in runs.items()}
    models = {name: deployed(finetuned, run)[1].predict for name, run in shown.items()}
    picture_sheet(find_pairs(PHOTOS), models).save(PICTURE, quality=88)


if __name__ == "__main__":
    commands.run(main)
