"""Settings of a training run: a preset (YAML), then whatever the command line overrides."""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import tyro

from tadsr import commands
from train.data.crops import CropSettings
from train.data.degradation import DegradationSettings
from train.data.photos import Licences
from train.diffusion.schedule import ScheduleConfig
from train.engine.command_line import as_words, read
from train.engine.errors import TrainError
from train.engine.presets import flatten, hint, preset_defaults, preset_names
from train.engine.processes import world_size
from train.networks.autoencoder import AutoencoderConfig
from train.networks.lr_encoder import LREncoderConfig
from train.networks.swin_unet import SwinUNetConfig
from train.networks.unet import UNetConfig
from train.networks.vq import VQConfig

SCALE = 4
"""That of every preset but the one for faces."""
SMALLEST_CROP = 48
"""The degradation's largest filter, on the LR grid, must be reflected at the borders."""


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


@dataclass(frozen=True)
class _Preset:
    preset: str = "mobile"


def parse(settings: type[T], stage: str, description: str, argv: Sequence[str] | None = None) -> T:
    """The settings of ``python -m train.<stage>``: defaults, then the preset's sections, then the command line.

    ``argv`` are the words after the command's name; without, those of this process. Raises ``TrainError`` in one line
    for an unknown key or a bad value, of the preset or of the command line.
    """
    prog = commands.prog(stage)
    chosen, words = read(_Preset, sys.argv[1:] if argv is None else argv, prog, add_help=False)
    preset = preset_defaults(chosen.preset, stage.rpartition(".")[2])
    try:
        defaults, unknown = read(settings, ["--out=.", "--photos=.", *as_words(preset)], prog)
    except TrainError as error:
        raise TrainError(f"preset {chosen.preset}: {error}") from error
    known = flatten(asdict(defaults))
    if unknown:
        key = unknown[0].partition("=")[0].removeprefix("--")
        raise TrainError(f"preset {chosen.preset}: unknown key {key}{hint(key, known)} `{prog} --help` shows all keys")
    made, unknown = read(
        settings,
        words,
        prog,
        description=f"{description} --preset NAME takes a preset ({', '.join(preset_names())}), or a YAML file.",
        default=replace(defaults, out=tyro.MISSING, photos=tyro.MISSING),
    )
    if unknown:
        option = unknown[0].partition("=")[0]
        key = option.removeprefix("--").replace("-", "_")
        raise TrainError(f"{option}: no such option{hint(key, known, '--').replace('_', '-')} see `{prog} --help`")
    check(made)
    return made


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
