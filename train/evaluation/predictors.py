"""Anything that makes a large picture of a small one, opened by what its file is, with what is known of its size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

import runtime
from runtime.backends import runnable
from runtime.backends.choice import AUTO
from runtime.manifest import PRECISIONS
from tadsr.program import open_program
from train.diffusion import process
from train.diffusion.latents import bind, condition, scale_of
from train.diffusion.pixels import from_tensor, to_model, to_picture, to_tensor
from train.diffusion.schedule import Schedule, make_schedule, respace
from train.engine.checkpoints import load_autoencoder, load_unet, network_kind
from train.engine.errors import TrainError
from train.evaluation.macs import macs_per_pixel
from train.evaluation.scoring import Picture
from train.networks.families import AnyAutoencoder, AnyUNet

Predict = Callable[[Picture, Picture | None], Picture]
"""(lr [h, w, 3], hr [4h, 4w, 3] if there is one) -> sr [4h, 4w, 3]; only the autoencoder looks at hr."""

SUFFIXES = (".tadsr", ".pt2", ".safetensors")
SIDE = 64
"""Of the square LR picture that multiply-accumulates are counted on."""


@dataclass(frozen=True)
class SamplingOptions:
    """What opening a diffusion network needs beside its file."""

    autoencoder: Path | None = None
    """Weights of the autoencoder; by default those beside the network."""
    steps: int | None = None
    """Sampling steps: 1 is the student's single step, more the deterministic sampler; by default as trained."""
    seed: int = 0
    """Seed of the prior's noise, the same for every picture."""


AS_TRAINED = SamplingOptions()


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to enlarge pictures, and its size; None is not known."""

    predict: Predict
    size: int | None = None
    """Bytes of its files."""
    parameters: int | None = None
    """Numbers in the weights."""
    precision: str | None = None
    """``fp32``, ``int8``, ..., of a program or of the one file of a bundle that runs."""
    count_macs: Callable[[], int | None] = lambda: None
    """Counts for ``macs_per_pixel``."""

    @cached_property
    def macs_per_pixel(self) -> int | None:
        """Multiply-accumulates per LR pixel (per HR pixel of an autoencoder), counted when first asked for."""
        return self.count_macs()


def open_predictor(
    path: Path, options: SamplingOptions = AS_TRAINED, *, backend: str = AUTO, precision: str = AUTO
) -> Predictor:
    """A bundle (NAME.tadsr), a program (.pt2) or a network (.safetensors: autoencoder, teacher, student).

    ``backend`` and ``precision`` choose a bundle's file. Raises ``TadsrError`` where the file is missing, damaged or of
    another kind, or nothing here can run it.
    """
    match path.suffix:
        case ".tadsr":
            return _open_bundle(path, backend, precision)
        case ".pt2":
            return _open_program(path)
        case ".safetensors":
            return NETWORKS[network_kind(path, *NETWORKS)](path, options)
    raise TrainError(
        f"{path}: not a model; give a file or folder that ends in {', '.join(SUFFIXES)} "
        "(`python -m train.official` makes .safetensors of an official .pth)"
    )


def open_precisions(bundle: Path) -> list[Predictor]:
    """A bundle in each precision that an engine can run here, the most exact first.

    Raises ``TadsrError`` where it is missing or damaged, or nothing can run it.
    """
    precisions = {choice.artifact.precision for choice in runnable(runtime.read_bundle(bundle).manifest)}
    precisions = precisions or {AUTO}  # opening says why there is none
    return [_open_bundle(bundle, AUTO, name) for name in sorted(precisions, key=(*PRECISIONS, AUTO).index)]


def padded_predictor(
    network: Callable[[Tensor], Tensor],
    align: int,
    scale: int,
    *,
    size: int | None = None,
    parameters: int | None = None,
) -> Predictor:
    """A network [1, 3, h, w] -> [1, 3, scale h, scale w], both in [0, 1], that takes multiples of ``align``.

    The picture is reflected up to one, and the result is cut.
    """

    def predict(lr: Picture, hr: Picture | None) -> Picture:
        return _padded(network, lr, align, scale)

    return Predictor(predict, size, parameters, count_macs=partial(count_macs, predict))


def count_macs(predict: Predict, of_hr: bool = False) -> int:
    """Multiply-accumulates per LR pixel (per HR pixel ``of_hr``) of all convolutions and matrix products in PyTorch."""
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    return macs_per_pixel(lambda: predict(grey, grey if of_hr else None), SIDE)


def _open_bundle(path: Path, backend: str, precision: str) -> Predictor:
    upscaler = runtime.load(path, backend=backend, precision=precision)
    artifact = upscaler.artifact
    return Predictor(lambda lr, hr: upscaler(lr), artifact.size, precision=artifact.precision)


def _open_program(path: Path) -> Predictor:
    program = open_program(path)
    network, metadata = program.exported.module(), program.metadata
    return Predictor(
        lambda lr, hr: _padded(network, lr, metadata.align, metadata.scale, least=2),
        path.stat().st_size,
        metadata.parameters,
        program.precision,
        count_macs=lambda: metadata.macs_per_pixel,
    )


def _open_autoencoder(path: Path, options: SamplingOptions) -> Predictor:
    autoencoder = load_autoencoder(path)

    def both_ways(hr: Tensor) -> Tensor:
        return to_picture(autoencoder.decode(autoencoder.encode(to_model(hr))))

    def reconstruct(lr: Picture, hr: Picture | None) -> Picture:
        if hr is None:
            raise TrainError(f"{path}: an autoencoder is measured on HR pictures; give a folder that has HR beside LR")
        return _padded(both_ways, hr, autoencoder.config.factor, 1)

    return Predictor(reconstruct, *_size([path]), count_macs=partial(count_macs, reconstruct, of_hr=True))


def _open_unet(path: Path, options: SamplingOptions) -> Predictor:
    network, sampling = load_unet(path)
    beside = options.autoencoder or path.parent / "autoencoder.safetensors"
    if options.autoencoder is None and not beside.is_file():
        raise TrainError(f"{path}: decodes by an autoencoder, and there is none beside it; name it with --autoencoder")
    autoencoder = load_autoencoder(beside)
    full = make_schedule(sampling.diffusion)
    steps = sampling.steps if options.steps is None else options.steps
    try:
        schedule = full if steps in (1, full.steps) else respace(full, steps)
    except ValueError as error:
        raise TrainError(f"{path}: {error}") from error
    sample = partial(_sample, network, autoencoder, schedule, steps == 1, sampling.noise, options.seed)
    align, scale = network.stride * network.config.lq_factor, scale_of(autoencoder, network)
    size, parameters = _size([path, beside])
    return padded_predictor(sample, align, scale, size=size, parameters=parameters)


def _sample(
    network: AnyUNet,
    autoencoder: AnyAutoencoder,
    schedule: Schedule,
    once: bool,
    std: float,
    seed: int,
    lr: Tensor,
) -> Tensor:
    conditions = condition(autoencoder, lr, scale_of(autoencoder, network))
    noise = std * torch.randn(conditions.z_y.shape, generator=torch.Generator().manual_seed(seed))
    denoiser = bind(network, conditions)
    if once:
        z_0 = process.one_step(schedule, denoiser, conditions.z_y, noise)
    else:
        z_0 = process.last_sample(process.deterministic_trajectory(schedule, denoiser, conditions.z_y, noise))
    return to_picture(autoencoder.decode(z_0))


NETWORKS: dict[str, Callable[[Path, SamplingOptions], Predictor]] = {
    "autoencoder": _open_autoencoder,
    "vq": _open_autoencoder,
    "unet": _open_unet,
    "swin_unet": _open_unet,
}


@torch.no_grad()
def _padded(network: Callable[[Tensor], Tensor], lr: Picture, align: int, scale: int, least: int = 1) -> Picture:
    """Reflect the picture up to a multiple of the network's alignment, at least ``least`` times it; cut the result."""
    height, width = lr.shape[:2]
    below, right = (max(-side % align, least * align - side) for side in (height, width))
    padded = np.pad(lr, ((0, below), (0, right), (0, 0)), mode="reflect")
    return from_tensor(network(to_tensor(padded))[:, :, : scale * height, : scale * width])


def _size(files: Sequence[Path]) -> tuple[int, int]:
    """Bytes of weights' files, and how many numbers they hold."""
    return sum(file.stat().st_size for file in files), sum(map(_numbers, files))


def _numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(int(torch.Size(file.get_slice(key).get_shape()).numel()) for key in file.keys())  # noqa: SIM118
