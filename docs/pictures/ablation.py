"""Makes ablation.jpg of the runs of an ablation: `python docs/pictures/ablation.py runs/ablation`.

The pictures are those of scikit-image that are free of rights, degraded as in training, with fixed seeds.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from skimage import data

from train.ablate import restorers
from train.ablation_page import picture_sheet
from train.degradation import DegradationSettings, degrade
from train.evaluate import Pair
from train.restorers import Picture

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "train/weights/mobile"
SIDE = 256
PARTS = {"astronaut": (20, 120), "chelsea": (20, 100), "coffee": (60, 180), "rocket": (100, 190)}
"""Top and left of the part of each picture that is degraded and restored."""


def pairs() -> list[Pair]:
    """(name, lr, hr): what the models see, and what they should see."""
    return [_pair(name, seed, *place) for seed, (name, place) in enumerate(PARTS.items())]


def _pair(name: str, seed: int, top: int, left: int) -> Pair:
    hr: Picture = np.ascontiguousarray(getattr(data, name)()[top : top + SIDE, left : left + SIDE])
    sharp = torch.from_numpy(hr.transpose(2, 0, 1).astype(np.float32)) / 255
    lr = degrade(sharp, np.random.default_rng(seed), DegradationSettings(), 4)
    return name, (lr * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy(), hr


def main() -> None:
    models = restorers(Path(sys.argv[1]), 0, WEIGHTS / "teacher.safetensors", WEIGHTS / "autoencoder.safetensors")
    picture_sheet(pairs(), models).save(HERE / "ablation.jpg", quality=88)


if __name__ == "__main__":
    main()
