"""Settings of a training run: a preset (YAML), then whatever the command line overrides."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import yaml
from jsonargparse import ArgumentParser, set_parsing_settings

from train.data import CropSettings
from train.degradation import DegradationSettings
from train.diffusion import ScheduleConfig
from train.errors import TrainError
from train.networks.autoencoder import AutoencoderConfig
from train.networks.lr_encoder import LREncoderConfig
from train.networks.unet import UNetConfig
from train.photos import Licences

PRESETS = Path(__file__).parent / "configs"
SCALE = 4

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
    device: str = "auto"
    """"cpu", "cuda", "mps", or "auto" for the best there is."""
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
    for key, value in preset_defaults(str(known.preset), stage.rpartition(".")[2]).items():
        try:
            parser.set_defaults({key: value})
        except KeyError as error:
            raise TrainError(
                f"preset {known.preset}: unknown key {key!r}; `python -m {stage} --help` lists them"
            ) from error
    values = parser.instantiate(parser.parse_args(argv))
    return settings(**{field.name: values[field.name] for field in fields(settings)})


class _Parser(ArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """One line, where the library would list every option first."""
        sys.stderr.write(f"error: {' '.join(message.split())}; see `{self.prog} --help`\n")
        sys.exit(2)


def preset_defaults(preset: str, stage: str) -> dict[str, Any]:
    """The flat defaults {"model.teacher.widths": ..., "steps": ...} that a preset gives to one stage."""
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.yaml")))
        raise TrainError(f"{preset}: no such preset; choose one of {known}, or give the path of a YAML file")
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TrainError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    shared = {name: sections[name] for name in ("model", "data", "degradation") if name in sections}
    return _flatten(shared) | _flatten(sections.get(stage, {}))


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
