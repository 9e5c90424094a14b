"""Compares deployment without noise with a fixed periodic field: `python docs/figures/noise.py PHOTOS OUT VAL [STEPS]`.

PHOTOS is what training takes, VAL holds HR and LR. Two finetunings of equal length start from train/weights/mobile and
differ only in the noise of z_T; OUT/zero and OUT/field hold the runs. Writes noise.json beside this file, which
`render.py` makes a table of.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from keeping import keep, today
from torch import Tensor

from tadsr import commands
from train.diffusion import process as diffusion
from train.diffusion.latents import Condition, bind
from train.diffusion.pixels import to_model, to_picture
from train.diffusion.process import Schedule
from train.engine.loop import train
from train.engine.settings import parse
from train.engine.sources import training_data
from train.evaluate import Pair, find_pairs
from train.evaluation import scoring
from train.evaluation.predictors import padded_predictor
from train.finetuning.settings import FoldSettings
from train.finetuning.task import FinetuneTask, LRStudent

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WEIGHTS = ROOT / "train/weights/mobile"
JSON = HERE / "noise.json"
OPTIONS = {"lr": 5e-4, "train_decoder": "false", "frequency_weight": 0.5} | dict.fromkeys(
    ("structure_weight", "coarse_weight", "border_weight"), 0
)
PERIOD = 16
"""Of the field, in LR pixels: a multiple of the student's stride that divides every crop and tile."""
COLUMNS = ("psnr_y", "ssim_y", "naturalness", "hf_ratio", "delta_e")


class FieldStudent(LRStudent):
    """The student with z_T = z_y + kappa sqrt(eta_T) field, the field repeated over the picture."""

    field: Tensor

    def __init__(self, like: LRStudent, schedule: Schedule) -> None:
        super().__init__(like.lr_encoder, like.student, schedule)
        shape = (1, like.student.latent_channels, PERIOD, PERIOD)
        self.register_buffer("field", torch.randn(shape, generator=torch.Generator().manual_seed(0)))

    def forward(self, lq: Tensor) -> tuple[Tensor, Tensor, None]:
        z_y = self.lr_encoder(lq)
        n, _, height, width = z_y.shape
        repeats = (n, 1, -(-height // PERIOD), -(-width // PERIOD))
        noise = self.field.repeat(repeats)[..., :height, :width]
        return z_y, diffusion.one_step(self._schedule, bind(self.student, Condition(lq, z_y)), z_y, noise), None


ARMS: dict[str, Callable[[LRStudent, Schedule], LRStudent]] = {
    "zero": lambda network, schedule: network,
    "field": FieldStudent,
}


def settings(photos: Path, out: Path, steps: int) -> FoldSettings:
    """From the committed weights, the decoder frozen, by L1 and spectrum."""
    files = {"autoencoder": "autoencoder", "student": "student", "lr_encoder": "deployed/lr_encoder"}
    given = [f"--{option}={WEIGHTS / name}.safetensors" for option, name in files.items()]
    given += [f"--{option}={value}" for option, value in OPTIONS.items()]
    given += [f"--photos={photos}", f"--out={out}", f"--steps={steps}"]
    return parse(FoldSettings, "compress.fold", "", given)


def measured(arm: str, photos: Path, out: Path, steps: int, pairs: list[Pair]) -> dict[str, Any]:
    """Finetune, or go on with it, and score."""
    chosen = settings(photos, out / arm, steps)
    task = FinetuneTask(chosen, dataset := training_data(chosen))
    plain = task.trainables["student"].network
    assert isinstance(plain, LRStudent)
    task.trainables["student"].network = ARMS[arm](plain, task.schedule)
    network, done = train(task, chosen, dataset)
    task.to(torch.device("cpu"))
    network.cpu()

    def restored(lr: Tensor) -> Tensor:
        return to_picture(task.autoencoder.decode(network(to_model(lr))[1]))

    restore = padded_predictor(restored, PERIOD, task.scale)
    rows = scoring.score_all((name, restore.predict(lr, hr), hr, lr) for name, lr, hr in pairs)
    return {"steps": done, "batch": chosen.batch, "lr": chosen.lr, "seed": chosen.seed, **scoring.as_json(rows)}


def difference(arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Field minus zero on the same picture: the mean over the pictures and its standard error."""
    field, zero = (arms[arm]["pictures"] for arm in ("field", "zero"))
    found = {column: np.array([field[name][column] - zero[name][column] for name in zero]) for column in COLUMNS}
    return {
        column: {"mean": float(each.mean()), "standard_error": float(each.std(ddof=1) / len(each) ** 0.5)}
        for column, each in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python docs/figures/noise.py", description="Without noise and with a field.")
    parser.add_argument("photos", type=Path, help="what training takes")
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("pairs", type=Path, help="a folder with HR and LR")
    parser.add_argument("steps", type=int, nargs="?", default=2000, help="of each finetuning (default: %(default)s)")
    given = parser.parse_args()
    pairs = list(find_pairs(given.pairs))
    arms = {arm: measured(arm, given.photos, given.out, given.steps, pairs) for arm in ARMS}
    differences = difference(arms)
    kept = {arm: {key: value for key, value in figures.items() if key != "pictures"} for arm, figures in arms.items()}
    found = {"date": today(), "period": PERIOD, "arms": kept, "difference": differences}
    keep(found, JSON)


if __name__ == "__main__":
    commands.run(main)
