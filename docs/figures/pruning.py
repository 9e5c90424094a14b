"""Measures the curve of pruning and shows it: `python docs/figures/pruning.py runs/prune VAL`.

Every folder in runs/prune is a run of `compress.prune`; VAL holds HR and LR. Writes pruning.json beside this file,
which `render.py` makes a table of, and docs/pictures/pruning.jpg.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from compress.pruning.inputs import StudentLatents
from compress.pruning.part import Part
from compress.pruning.restorer import restorer
from runtime import metrics
from train import scoring
from train.ablation_page import picture_sheet
from train.checkpoints import load_autoencoder
from train.evaluate import Pair, find_pairs
from train.restorers import Picture, Restorer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WEIGHTS, PHOTOS = ROOT / "train/weights/mobile", ROOT / "tests/photos"
JSON, PICTURE = HERE / "pruning.json", ROOT / "docs/pictures/pruning.jpg"
SETTINGS = ("steps", "batch", "lr", "seed", "multiple", "measured_batches")


def deployed(autoencoder: Path) -> tuple[Part, Restorer]:
    """The decoder of a file, and the deployed student with it."""
    full = load_autoencoder(WEIGHTS / "autoencoder.safetensors")
    latents = StudentLatents(full, WEIGHTS / "deployed_student.safetensors", WEIGHTS / "lr_encoder.safetensors")
    decoder = Part(load_autoencoder(autoencoder), "decoder")
    return decoder, restorer(latents, decoder, seed=0)


def point(autoencoder: Path, pairs: list[Pair], full: list[Picture]) -> tuple[dict[str, Any], list[Picture]]:
    """Sizes and mean scores, those against HR and the PSNR (RGB) against the full decoder's pictures; the pictures."""
    decoder, restore = deployed(autoencoder)
    pictures = [restore(lr, None) for _, lr, _ in pairs]
    rows = scoring.score_all((name, sr, hr, lr) for (name, lr, hr), sr in zip(pairs, pictures, strict=True))
    mean = scoring.as_json(rows)["mean"]
    near = [metrics.psnr_rgb(a, b) for a, b in zip(pictures, full, strict=False)]
    against = {"mean": float(np.mean(near)), "worst": min(near)} if near else None
    sizes = {"macs_per_latent_position": decoder.macs(), "parameters": decoder.size}
    return {**sizes, "scores": mean, "psnr_to_full": against}, pictures


def curve(runs: Mapping[float, Path], pairs: list[Pair]) -> list[dict[str, Any]]:
    """A point per run, the full decoder's first."""
    first, full = point(WEIGHTS / "autoencoder.safetensors", pairs, [])
    points = [{"macs": 1.0, "finetuning": None} | first]
    for share, run in runs.items():
        chosen = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        measured, _ = point(run / "autoencoder.safetensors", pairs, full)
        points.append({"macs": share, "finetuning": {name: chosen[name] for name in SETTINGS}} | measured)
    return points


def main() -> None:
    folder, pairs = Path(sys.argv[1]), find_pairs(Path(sys.argv[2]))
    found = [run for run in folder.iterdir() if (run / "autoencoder.safetensors").exists()]
    shares = {yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["macs"]: run for run in found}
    runs = dict(sorted(shares.items(), reverse=True))
    points = curve(runs, pairs)
    made = {"date": datetime.now(UTC).date().isoformat(), "pictures": len(pairs), "points": points}
    JSON.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    shown = {"1.0 (full)": WEIGHTS} | {f"{share:g}": run for share, run in runs.items()}
    models = {name: deployed(run / "autoencoder.safetensors")[1] for name, run in shown.items()}
    picture_sheet(find_pairs(PHOTOS), models).save(PICTURE, quality=88)


if __name__ == "__main__":
    main()
