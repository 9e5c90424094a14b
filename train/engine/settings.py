"""Settings of a training run: a preset (YAML), then whatever the command line overrides."""

import argparse
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from tadsr import commands
from train.data.crops import CropSettings
from train.data.degradation import DegradationSettings
from train.data.photos import Licences
from train.diffusion.process import ScheduleConfig
from train.engine.errors import TrainError
from train.engine.presets import now_called, preset_defaults
from train.engine.processes import world_size
from train.engine.suggestions import did_you_mean, readable
from train.networks.autoencoder import AutoencoderConfig
from train.networks.lr_encoder import LREncoderConfig
from train.networks.swin_unet import SwinUNetConfig
from train.networks.unet import UNetConfig
from train.networks.vq import VQConfig

SCALE = 4
"""That of every preset but the one for faces."""
SMALLEST_CROP = 48
"""The degradation's largest filter, on the LR grid, must be reflected at the borders."""

set_parsing_settings(docstring_parse_attribute_docstrings=True)  # the docstrings under the fields are the help texts


@dataclass(frozen=True)
class Model:
    """The networks and the diffusion of a preset: what all of its stages share."""

    diffusion: ScheduleConfig = field(default_factory=ScheduleConfig)
    """The noise schedule."""
    family: Literal["mobile", "resshift"] = "mobile"
    """Autoencoder and teacher: "mobile" takes those of --model.autoencoder and --model.teacher, "resshift" ResShift's,
    --model.vq and --model.swin_unet."""
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    """The mobile f4 autoencoder."""
    teacher: UNetConfig = field(default_factory=UNetConfig)
    """The mobile multi-step teacher."""
    vq: VQConfig = field(default_factory=VQConfig)
    """ResShift's VQ autoencoder."""
    swin_unet: SwinUNetConfig = field(default_factory=SwinUNetConfig)
    """ResShift's multi-step teacher."""
    student: UNetConfig = field(default_factory=UNetConfig)
    """The mobile one-step student; it may be smaller than the teacher."""
    lr_encoder: LREncoderConfig = field(default_factory=LREncoderConfig)
    """The deployed encoder on the LR grid."""

    @property
    def family_autoencoder(self) -> AutoencoderConfig | VQConfig:
        """The autoencoder, whose latent space teacher and student share."""
        configs: dict[str, AutoencoderConfig | VQConfig] = {"mobile": self.autoencoder, "resshift": self.vq}
        return configs[self.family]

    @property
    def family_teacher(self) -> UNetConfig | SwinUNetConfig:
        """The multi-step teacher."""
        configs: dict[str, UNetConfig | SwinUNetConfig] = {"mobile": self.teacher, "resshift": self.swin_unet}
        return configs[self.family]

    @property
    def scale(self) -> int:
        """How much larger HQ is than LQ along each axis; as ``train.diffusion.latents.scale_of`` finds it from the
        networks."""
        return self.family_autoencoder.factor // self.family_teacher.lq_factor


@dataclass(frozen=True)
class StageSettings:
    """What every stage needs to know that looks at photos."""

    out: Path
    """Folder of the stage: what it writes. A training found there is resumed."""
    photos: Path
    """Folder of sharp photos (searched deeply), or a .txt file with a path per line. For tar shards (WebDataset) a
    folder with .tar files in it, or a quoted pattern like 'train-{0000..0146}.tar'. Distillation also takes the folder
    that ``train.sample_teacher`` writes."""
    licences: Licences = "all"
    """"free" keeps only the photos that a MANIFEST.csv beside them shows as freely licensed."""
    workers: int = 1
    """Processes that load and degrade photos."""
    seed: int = 0
    """Seed of weights, crops, degradations and noise."""
    model: Model = field(default_factory=Model)
    """Networks and diffusion."""
    data: CropSettings = field(default_factory=CropSettings)
    """Crops and augmentations."""
    degradation: DegradationSettings = field(default_factory=DegradationSettings)
    """How low-resolution pictures are made from crops."""


@dataclass(frozen=True)
class TrainingSettings(StageSettings):
    """What every trainer needs to know."""

    steps: int = 10_000
    """Optimiser steps of the whole run; the learning rate's schedule spans them."""
    minutes: float | None = None
    """Stop after so many minutes, with a checkpoint; the same command goes on from there."""
    batch: int = 16
    """Crops per step, of all processes together."""
    accumulate: int = 1
    """Micro-batches that each process splits its part of the batch into: less memory, the same gradient."""
    lr: float = 2e-4
    """Peak learning rate of AdamW."""
    warmup: int = 200
    """Steps of linear warm-up."""
    final_lr: float = 0.05
    """Learning rate at the end of the cosine decay, as a fraction of the peak."""
    weight_decay: float = 0.0
    """AdamW's weight decay."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights, which is what a run exports."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    """Arithmetic of the networks; weights and optimiser are always float32. "16-mixed" is for GPUs without bf16: it
    scales the loss, and skips a step whose gradient overflows."""
    compile: bool = False
    """"true" compiles the networks with torch.compile: minutes at the start, faster steps."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """"auto" takes the best there is."""
    save_every: int = 500
    """Steps between checkpoints."""
    log_every: int = 20
    """Steps between entries of losses.jsonl and TensorBoard."""
    picture_every: int = 1000
    """Steps between sample pictures in TensorBoard."""


T = TypeVar("T", bound=StageSettings)


def parse(settings: type[T], stage: str, description: str, argv: Sequence[str] | None = None) -> T:
    """The settings of ``python -m train.<stage>``: defaults, then the preset's sections, then the command line.

    Exits with code 2 and one line for an unknown key or a bad value. Raises ``TrainError`` for a preset that is not
    there or holds an unknown key.
    """
    argv = _as_users_write(sys.argv[1:] if argv is None else argv, settings)
    parser = _Parser(
        prog=commands.prog(stage), description=description, usage="%(prog)s --photos DIR --out DIR [options]"
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


def _as_users_write(argv: Sequence[str], settings: type[StageSettings]) -> list[str]:
    """``--keep-float`` for ``--keep_float``, and ``--ptq`` alone for ``--ptq true``."""
    switches = {f"--{field.name}" for field in fields(settings) if isinstance(field.default, bool)}
    found: list[str] = []
    for word, following in zip(argv, [*argv[1:], "--"], strict=True):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = f"--{name[2:].replace('-', '_')}"
            if name in switches and not equals and following.startswith("--"):
                equals, value = "=", "true"
        found.append(f"{name}{equals}{value}")
    return found


def preset_model(preset: str) -> Model:
    """The networks and the diffusion of a preset alone. Raises ``TrainError`` as ``parse``."""
    return parse(StageSettings, "train.engine.settings", "", ["--preset", preset, "--out", ".", "--photos", "."]).model


def check(settings: StageSettings) -> None:
    """Raise ``TrainError`` for the first value that cannot work."""
    model, crop = settings.model, settings.data.crop
    _check_levels(model)
    if isinstance(settings, TrainingSettings):
        _check_training(settings)
    for name in ("workers", "seed"):
        _check_least(settings, name, 0)
    grid = model.family_autoencoder.factor * math.lcm(model.family_teacher.stride, model.student.stride)
    if crop < SMALLEST_CROP or crop % grid:
        raise TrainError(f"--data.crop {crop}: give a multiple of {grid} from {-(-SMALLEST_CROP // grid) * grid} on")
    scale = model.scale
    if settings.degradation.kind == "gfpgan" and scale != 1:
        raise TrainError(f"--degradation.kind gfpgan: keeps the size, and these networks enlarge by {scale}")
    if model.diffusion.steps < 2:
        raise TrainError(f"--model.diffusion.steps {model.diffusion.steps}: give 2 or more")


def _check_least(settings: StageSettings, name: str, least: int) -> None:
    if getattr(settings, name) < least:
        raise TrainError(f"--{name.replace('_', '-')} {getattr(settings, name)}: give {least} or more")


def _check_training(settings: TrainingSettings) -> None:
    for name in ("steps", "batch", "accumulate", "save_every", "log_every", "picture_every"):
        _check_least(settings, name, 1)
    _check_least(settings, "warmup", 0)
    world, parts = world_size(), settings.accumulate
    if settings.batch % (world * parts):
        raise TrainError(
            f"--batch {settings.batch} --accumulate {parts}: cannot be split evenly over {world} processes of {parts} "
            f"micro-batches; give a batch that is a multiple of {world * parts}"
        )
    if settings.lr <= 0 or not 0 <= settings.ema < 1:
        raise TrainError(f"--lr {settings.lr} --ema {settings.ema}: the rate is above 0, the decay from 0 to below 1")


def _check_levels(model: Model) -> None:
    levels: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        "teacher": (model.teacher.widths, model.teacher.blocks),
        "student": (model.student.widths, model.student.blocks),
        "swin_unet": (model.swin_unet.widths, model.swin_unet.res_blocks),
        "vq.ddconfig": (model.vq.ddconfig.widths, model.vq.ddconfig.res_blocks),
    }
    for name, (widths, blocks) in levels.items():
        if not widths or len(widths) != len(blocks):
            raise TrainError(f"--model.{name}: {len(widths)} widths and {len(blocks)} blocks; give as many")
    if model.swin_unet.cond_mask:
        raise TrainError("--model.swin_unet.cond_mask: inpainting is not trained here; leave it out")
    side, halved = model.swin_unet.image_size, 1 << (len(model.swin_unet.channel_mult) - 1)
    if side < halved or side % halved:
        raise TrainError(f"--model.swin_unet.image_size {side}: its levels halve it; give a multiple of {halved}")


def _check_preset(settings: type[StageSettings], preset: str, defaults: Mapping[str, Any]) -> None:
    """Raise ``TrainError`` where a preset has an unknown key or a bad value: defaults are not looked at by parsing."""
    parser = _Parser(exit_on_error=False)
    parser.add_class_arguments(settings, None)
    known = [option.removeprefix("--") for option in parser.options()]
    for key in defaults:
        if key not in known:
            hint = now_called(key) or did_you_mean(key, known)
            raise TrainError(f"preset {preset}: unknown key {key}{hint} --help shows all keys")
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in defaults.items()}
    try:
        parser.parse_args(["--out=o", "--photos=p", *(f"--{key}={text}" for key, text in texts.items())])
    except ArgumentError as error:
        raise TrainError(f"preset {preset}: {readable(str(error))}") from error


class _Parser(ArgumentParser):
    def options(self) -> list[str]:
        """What may be set: "--lr", "--model.diffusion.steps"."""
        return [option for action in self._actions for option in action.option_strings if not option.endswith("help")]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """One line, where the library would list every option first."""
        if not self.exit_on_error:
            super().error(message, ex)
        unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message, re.IGNORECASE)
        if unknown:
            hint = now_called(unknown[1].removeprefix("--")) or did_you_mean(unknown[1], self.options())
            line = f"{unknown[1]}: no such option{hint}"
        else:
            line = f"{readable(message)};"
        sys.stderr.write(f"error: {line} see `{self.prog} --help`\n")
        sys.exit(2)
