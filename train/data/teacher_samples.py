"""The teacher's answers on disk, in place of photos: `python -m train.sample_teacher` writes them, distillation reads.

Sampling all of the teacher's steps is most of the cost of a distillation step; samples are made once for many runs.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import SeedSequence
from safetensors import safe_open
from torch.utils.data import Dataset

from train.data.crops import Sample
from train.engine.errors import TrainError

DESCRIPTION = "teacher_samples.json"
TENSORS = ("hq", "lq", "noise", "teacher_z_0")
"""In every file: the pictures [N, 3, H, W] uint8, z_T's noise and the sample from it [N, C, h, w] float16."""


class TeacherSamples(Dataset[Sample]):
    """Endless: every epoch goes through all samples in another order, a pure function of (seed, epoch)."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Raises ``TrainError`` where ``folder`` is not, or not wholly, what ``train.sample_teacher`` writes."""
        self.description = read_description(folder)
        self._folder, self._seed = folder, seed
        missing = sum(not samples_file(folder, batch).exists() for batch in range(self.description["batches"]))
        if missing:
            raise TrainError(
                f"{folder}: {missing} of {self.description['batches']} files are not there yet; "
                "give the command that makes them again, it goes on where it was"
            )

    def __len__(self) -> int:
        return int(self.description["batches"] * self.description["batch"])

    def __getitem__(self, index: int) -> Sample:
        """Any index >= 0 -> "hq" and "lq" as crops of photos have them, "noise" and "teacher_z_0"; all float32."""
        epoch, place = divmod(index, len(self))
        order = np.random.default_rng(SeedSequence([self._seed, epoch])).permutation(len(self))
        batch, row = divmod(int(order[place]), self.description["batch"])
        with safe_open(samples_file(self._folder, batch), framework="pt") as file:
            sample = {name: file.get_slice(name)[row].float() for name in TENSORS}
        return sample | {name: sample[name] / 255 for name in ("hq", "lq")}

    def check(self, teacher: Path, autoencoder: Path) -> None:
        """Raise ``TrainError`` where the samples were made with other weights than those in these files."""
        for name, path in (("teacher", teacher), ("autoencoder", autoencoder)):
            if self.description[name] != file_hash(path):
                raise TrainError(f"{self._folder}: made with another {name} than {path}; make the samples again")


def holds_samples(folder: Path) -> bool:
    """Whether ``folder`` is one of teacher samples, whole or not."""
    return (folder / DESCRIPTION).is_file()


def read_description(folder: Path) -> dict[str, Any]:
    """What the folder holds. Raises ``TrainError`` where it holds none."""
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder}: no teacher samples; make them with `python -m train.sample_teacher`") from error
    return description


def samples_file(folder: Path, batch: int) -> Path:
    """The file of one batch."""
    return folder / f"{batch:06}.safetensors"


def file_hash(path: Path) -> str:
    """SHA-256 of a file. Raises ``TrainError`` where it is missing."""
    if not path.is_file():
        raise TrainError(f"{path}: no such file; train that stage first, or give the path of its weights")
    return sha256(path.read_bytes()).hexdigest()
