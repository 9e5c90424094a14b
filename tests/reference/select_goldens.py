"""Select from a full set of goldens what is committed: ``python -m tests.reference.select_goldens FULL OUT``.

Every kind of comparison stays, in at most 2 MB: of batches one picture, and no array that another one covers.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tadsr import commands

LIMIT = 2_000_000
"""Bytes of the whole selection."""


class Part(NamedTuple):
    """What is kept of a file; with its defaults all of it."""

    without: tuple[str, ...] = ()
    """Beginnings of the names of arrays that are left out."""
    sample: int | None = None
    """The one picture that is kept of batches."""
    channel: int | None = None
    """The one channel that is kept of pictures."""

    def of(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The kept arrays, cropped."""
        kept = {name: value for name, value in tensors.items() if not name.startswith(self.without or ("\0",))}
        if self.sample is not None:
            kept = {name: value[self.sample : self.sample + 1] for name, value in kept.items()}
        if self.channel is not None:
            kept = {name: value[:, self.channel : self.channel + 1] for name, value in kept.items()}
        return {name: value.clone() for name, value in kept.items()}


SELECTION: dict[str, Part] = {
    "meta.json": Part(),
    "schedule_s4.npz": Part(),
    "schedule_s15.npz": Part(),
    "degradation.npz": Part(),
    "tiling.safetensors": Part(channel=0),
    "autoencoder_small_io.safetensors": Part(without=("x_wide", "z_wide")),
    "unet_small_io.safetensors": Part(without=("native.input_blocks", "large.")),
    "unet_face_recipe_io.safetensors": Part(without=("lq_features",)),
    "trajectory_sinsr_deterministic_s15.safetensors": Part(),
    "training_loss_s4.safetensors": Part(sample=1),
    "sinsr_distill_losses.safetensors": Part(without=("grad_",), sample=0),
    "hsd_reference_s15.safetensors": Part(sample=1),
}
"""The committed files."""


def select(full: Path, out: Path) -> int:
    """Write the selection of the goldens in ``full`` into the folder ``out``; returns its size in bytes."""
    out.mkdir(parents=True, exist_ok=True)
    for name, part in SELECTION.items():
        if part == Part():
            shutil.copyfile(full / name, out / name)
            continue
        with safe_open(full / name, "pt") as stored:
            tensors, metadata = {key: stored.get_tensor(key) for key in stored.keys()}, stored.metadata()  # noqa: SIM118
        save_file(part.of(tensors), out / name, metadata)
    return sum((out / name).stat().st_size for name in SELECTION)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.select_goldens", description="Select goldens.")
    parser.add_argument("full", type=Path, metavar="FULL", help="a folder of goldens")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write to")
    options = parser.parse_args(argv)
    commands.say(f"{options.out}: {select(options.full, options.out)} of {LIMIT} bytes")


if __name__ == "__main__":
    commands.run(main)
