"""Settings of a training run: a preset (YAML), then whatever the command line overrides."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from train.data import CropSettings
from train.degradation import DegradationSettings
from train.diffusion import ScheduleConfig
from train.errors import TrainError
from train.networks.autoencoder import AutoencoderConfig
from train.networks.lr_encoder import LREncoderConfig
from train.networks.unet import UNetConfig
from train.photos import Licences
from train.presets import preset_defaults

SCALE = 4
SMALLEST_CROP = 48
"""The degradation's largest filter, on the LR grid, must be reflected at the borders."""

set_parsing_settings(docstring_parse_attribute_docstrings=True)  # the docstrings under the fields are the help texts


@dataclass(frozen=True)
class Model:
    """The networks and the diffusion of a preset: what all of its stages share."""

    diffusion: ScheduleConfig = field(default_factory=ScheduleConfig)
    """The noise schedule."""
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    """The f4 autoencoder, whose latent space teacher and student share."""
    teacher: UNetConfig = field(default_factory=UNetConfig)
    """The multi-step teacher."""
    student: UNetConfig = field(default_factory=UNetConfig)
    """The one-step student; it may be smaller than the teacher."""
    lr_encoder: LREncoderConfig = field(default_factory=LREncoderConfig)
    """The deployed encoder on the LR grid."""


@dataclass(frozen=True)
class TrainingSettings:
    """What every trainer needs to know."""

    out: Path
    """Folder of the run: checkpoint, weights, losses, TensorBoard. A run found there is resumed."""
    photos: Path
    """Folder of sharp photos (searched deeply), or a .txt file with a path per line."""
    licences: Licences = "all"
    """"free" keeps only the photos that a MANIFEST.csv beside them shows as freely licensed."""
    steps: int = 10_000
    """Optimiser steps of the whole run; the learning rate's schedule spans them."""
    minutes: float | None = None
    """Stop after so many minutes, with a checkpoint; the same command goes on from there."""
    batch: int = 16
    """Crops per step."""
    lr: float = 2e-4
    """Peak learning rate of AdamW."""
    warmup: int = 200
    """Steps of linear warm-up."""
    final_lr: float = 0.05
    """Learning rate at the end of the cosine decay, as a share of the peak."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights, which is what a run exports."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """Arithmetic of the networks; weights and optimiser are always float32."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """"auto" takes the best there is."""
    workers: int = 1
    """Processes that load and degrade photos."""
    seed: int = 0
    """Seed of weights, crops, degradations and noise."""
    save_every: int = 500
    """Steps between checkpoints."""
    log_every: int = 20
    """Steps between entries of losses.jsonl and TensorBoard."""
    picture_every: int = 1000
    """Steps between sample pictures in TensorBoard."""
    model: Model = field(default_factory=Model)
    """Networks and diffusion."""
    data: CropSettings = field(default_factory=CropSettings)
    """Crops and augmentations."""
    degradation: DegradationSettings = field(default_factory=DegradationSettings)
    """How low-resolution pictures are made from crops."""


T = TypeVar("T", bound=TrainingSettings)


def parse(settings: type[T], stage: str, description: str, argv: Sequence[str] | None = None) -> T:
    """The settings of ``python -m train.<stage>``: defaults, then the preset's sections, then the command line.

    Exits with code 2 and one line for an unknown key or a bad value. Raises ``TrainError`` for a preset that is not
    there or holds an unknown key.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = _Parser(
        prog=f"python -m {stage}", description=description, usage="%(prog)s --photos DIR --out DIR [options]"
    )
    parser.add_argument("--preset", default="mobile", help="name of a preset, or the path of a YAML file of that shape")
    parser.add_class_arguments(settings, None)
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--preset", default="mobile")
    known, _ = chosen.parse_known_args(argv)
    defaults = preset_defaults(str(known.preset), stage.rpartition(".")[2])
    _check_preset(settings, str(known.preset), defaults)
    parser.set_defaults(defaults)
    values = parser.instantiate(parser.parse_args(argv))
    made = settings(**{field.name: values[field.name] for field in fields(settings)})
    check(made)
    return made


def check(settings: TrainingSettings) -> None:
    """Raise ``TrainError`` for the first value that cannot work."""
    model, crop = settings.model, settings.data.crop
    levels = max(len(model.teacher.widths), len(model.student.widths))
    grid = SCALE * 2 ** (levels - 1)
    at_least = {
        **dict.fromkeys(("steps", "batch", "save_every", "log_every", "picture_every"), 1),
        **dict.fromkeys(("workers", "warmup", "seed"), 0),
    }
    for name, least in at_least.items():
        if getattr(settings, name) < least:
            raise TrainError(f"--{name} {getattr(settings, name)}: give {least} or more")
    if settings.lr <= 0 or not 0 <= settings.ema < 1:
        raise TrainError(f"--lr {settings.lr} --ema {settings.ema}: the rate is above 0, the decay from 0 to below 1")
    if crop < SMALLEST_CROP or crop % grid:
        raise TrainError(f"--data.crop {crop}: give a multiple of {grid} from {-(-SMALLEST_CROP // grid) * grid} on")
    if model.diffusion.steps < 2:
        raise TrainError(f"--model.diffusion.steps {model.diffusion.steps}: give 2 or more")
    for name, network in (("teacher", model.teacher), ("student", model.student)):
        if len(network.widths) != len(network.blocks):
            raise TrainError(
                f"--model.{name}: {len(network.widths)} widths and {len(network.blocks)} blocks; give as many"
            )


def _check_preset(settings: type[TrainingSettings], preset: str, defaults: Mapping[str, Any]) -> None:
    """Raise ``TrainError`` where a preset has an unknown key or a bad value: defaults are not looked at by parsing."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(settings, None)
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in defaults.items()}
    try:
        parser.parse_args(["--out=o", "--photos=p", *(f"--{key}={text}" for key, text in texts.items())])
    except ArgumentError as error:
        raise TrainError(f"preset {preset}: {' '.join(str(error).split())}") from error


class _Parser(ArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """One line, where the library would list every option first."""
        sys.stderr.write(f"error: {' '.join(message.split())}; see `{self.prog} --help`\n")
        sys.exit(2)
