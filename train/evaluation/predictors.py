"""Anything that makes a large picture of a small one, opened by what its file is, for evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import runtime
from runtime.backends import runnable
from runtime.backends.choice import AUTO
from runtime.manifest import PRECISIONS
from train.diffusion import process as diffusion
from train.diffusion.latents import bind, condition, scale_of
from train.diffusion.pixels import from_tensor, to_model, to_picture, to_tensor
from train.engine.checkpoints import load_autoencoder, load_unet, network_kind
from train.engine.errors import TrainError
from train.evaluation.programs import open_program
from train.networks.families import AnyAutoencoder, AnyUNet

Picture = NDArray[np.uint8]
Predictor = Callable[[Picture, Picture | None], Picture]
"""(lr [h, w, 3], hr [4h, 4w, 3] if there is one) -> sr [4h, 4w, 3]; only the autoencoder looks at hr."""


@dataclass(frozen=True)
class SamplingOptions:
    """What opening a diffusion network needs beside its file."""

    autoencoder: Path | None = None
    """Weights of the autoencoder; by default those beside the network."""
    steps: int | None = None
    """Sampling steps: 1 is the student's single step, more the deterministic sampler; by default as trained."""
    seed: int = 0
    """Seed of the prior's noise, the same for every picture."""


def padded_predictor(network: Callable[[Tensor], Tensor], align: int, scale: int, least: int = 1) -> Predictor:
    """A network [1, 3, h, w] -> [1, 3, scale h, scale w], both in [0, 1], that takes multiples of ``align``.

    The picture is reflected up to one, at least ``least`` times ``align``, and the result is cut.
    """
    return lambda lr, hr: from_tensor(_padded(network, to_tensor(lr), align, scale, least))


def open_predictor(path: Path, options: SamplingOptions) -> Predictor:
    """A bundle (NAME.tadsr), a program (.pt2) or a network (.safetensors: autoencoder, teacher, student).

    Raises ``TadsrError`` where the file is missing, damaged or of another kind.
    """
    opener = OPENERS.get(path.suffix)
    if opener is None:
        raise TrainError(
            f"{path}: not a model; give a file or folder that ends in {', '.join(OPENERS)} "
            "(`python -m train.official` makes .safetensors of an official .pth)"
        )
    return opener(path, options)


def open_precisions(bundle: Path) -> dict[str, Predictor]:
    """A bundle in each precision that an engine can run here, the most exact first, by their names.

    Raises ``TadsrError`` where it is missing or damaged, or nothing can run it.
    """
    found = {choice.artifact.precision for choice in runnable(runtime.read_bundle(bundle).manifest)}
    found = found or {AUTO}  # which tells why there is none
    return {
        precision: _bundle_predictor(runtime.load(bundle, precision=precision))
        for precision in sorted(found, key=(*PRECISIONS, AUTO).index)
    }


def _open_bundle(path: Path, options: SamplingOptions) -> Predictor:
    return _bundle_predictor(runtime.load(path))


def _bundle_predictor(upscaler: runtime.Upscaler) -> Predictor:
    return lambda lr, hr: upscaler(lr)


def _open_program(path: Path, options: SamplingOptions) -> Predictor:
    program, card = open_program(path)
    return padded_predictor(program.module(), card.align, card.scale, least=2)


def _open_network(path: Path, options: SamplingOptions) -> Predictor:
    return NETWORKS[network_kind(path, *NETWORKS)](path, options)


def _open_autoencoder(path: Path, options: SamplingOptions) -> Predictor:
    autoencoder = load_autoencoder(path)

    def both_ways(hr: Tensor) -> Tensor:
        return to_picture(autoencoder.decode(autoencoder.encode(to_model(hr))))

    def reconstruct(lr: Picture, hr: Picture | None) -> Picture:
        if hr is None:
            raise TrainError(f"{path}: an autoencoder is judged on HR pictures; give a folder that has HR beside LR")
        return from_tensor(_padded(both_ways, to_tensor(hr), autoencoder.config.factor, 1))

    return reconstruct


def _open_unet(path: Path, options: SamplingOptions) -> Predictor:
    network, sampling = load_unet(path)
    beside = path.parent / "autoencoder.safetensors"
    if options.autoencoder is None and not beside.is_file():
        raise TrainError(f"{path}: decodes by an autoencoder, and there is none beside it; name it with --autoencoder")
    autoencoder = load_autoencoder(options.autoencoder or beside)
    full = diffusion.schedule(sampling.diffusion)
    steps = sampling.steps if options.steps is None else options.steps
    try:
        schedule = full if steps in (1, full.steps) else diffusion.respace(full, steps)
    except ValueError as error:
        raise TrainError(f"{path}: {error}") from error
    restore = partial(_sample, network, autoencoder, schedule, steps == 1, sampling.noise, options.seed)
    align, scale = network.stride * network.config.lq_factor, scale_of(autoencoder, network)
    return padded_predictor(restore, align, scale)


def _sample(
    network: AnyUNet,
    autoencoder: AnyAutoencoder,
    schedule: diffusion.Schedule,
    once: bool,
    std: float,
    seed: int,
    lr: Tensor,
) -> Tensor:
    given = condition(autoencoder, lr, scale_of(autoencoder, network))
    noise = std * torch.randn(given.z_y.shape, generator=torch.Generator().manual_seed(seed))
    denoiser = bind(network, given)
    if once:
        z_0 = diffusion.one_step(schedule, denoiser, given.z_y, noise)
    else:
        z_0 = diffusion.last_sample(diffusion.deterministic_trajectory(schedule, denoiser, given.z_y, noise))
    return to_picture(autoencoder.decode(z_0))


OPENERS: dict[str, Callable[[Path, SamplingOptions], Predictor]] = {
    ".tadsr": _open_bundle,
    ".pt2": _open_program,
    ".safetensors": _open_network,
}
NETWORKS: dict[str, Callable[[Path, SamplingOptions], Predictor]] = {
    "autoencoder": _open_autoencoder,
    "vq": _open_autoencoder,
    "unet": _open_unet,
    "swin_unet": _open_unet,
}


@torch.no_grad()
def _padded(network: Callable[[Tensor], Tensor], lr: Tensor, align: int, scale: int, least: int = 1) -> Tensor:
    """Reflect the picture up to a multiple of the network's alignment, at least ``least`` times it; cut the result."""
    height, width = lr.shape[2:]
    below, right = (max(-side % align, least * align - side) for side in (height, width))
    pad = ((0, 0), (0, 0), (0, below), (0, right))
    padded = torch.from_numpy(np.pad(lr.numpy(), pad, mode="reflect"))
    return network(padded)[:, :, : scale * height, : scale * width]
