"""A model of any kind, opened by what its file is, with what a report's row says of its size."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open

import runtime
from tadsr.program import read_metadata
from train.engine.checkpoints import network_kind
from train.engine.errors import TrainError
from train.evaluation.macs import macs_per_pixel
from train.evaluation.predictors import NETWORKS, Predictor, SamplingOptions, open_predictor

SIDE = 64
"""Of the square LR picture that multiply-accumulates are counted on."""


class Opened(NamedTuple):
    """A model ready to run, and its size; None is not known."""

    predictor: Predictor
    size: int
    """Bytes of its files."""
    parameters: int | None
    macs_per_pixel: int | None


def open_model(path: Path, options: SamplingOptions, backend: str = "auto", precision: str = "auto") -> Opened:
    """A bundle, a program or a network; ``backend`` and ``precision`` choose a bundle's file.

    Raises ``TadsrError`` as ``train.evaluation.predictors.open_predictor`` and ``runtime.load``.
    """
    openers: dict[str, Callable[[], Opened]] = {
        ".tadsr": lambda: _open_bundle(path, backend, precision),
        ".pt2": lambda: _open_program(path, options),
        ".safetensors": lambda: _open_network(path, options),
    }
    if path.suffix not in openers:
        raise TrainError(f"{path}: not a model; give a file or folder that ends in {', '.join(openers)}")
    return openers[path.suffix]()


def _open_bundle(path: Path, backend: str, precision: str) -> Opened:
    upscaler = runtime.load(path, backend=backend, precision=precision)
    return Opened(lambda lr, hr: upscaler(lr), upscaler.artifact.size, None, None)


def _open_program(path: Path, options: SamplingOptions) -> Opened:
    predictor, card = open_predictor(path, options), read_metadata(path)
    return Opened(predictor, path.stat().st_size, card.parameters, card.macs_per_pixel)


def _open_network(path: Path, options: SamplingOptions) -> Opened:
    predictor = open_predictor(path, options)
    own = network_kind(path, *NETWORKS) in ("autoencoder", "vq")
    files = [path] if own else [path, options.autoencoder or path.parent / "autoencoder.safetensors"]
    return Opened(
        predictor, sum(file.stat().st_size for file in files), sum(map(_numbers, files)), count_macs(predictor, own)
    )


def count_macs(predictor: Predictor, of_hr: bool = False) -> int:
    """Multiply-accumulates per LR pixel (per HR pixel ``of_hr``) of all convolutions and matrix products in PyTorch."""
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    return macs_per_pixel(lambda: predictor(grey, grey if of_hr else None), SIDE)


def _numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(int(torch.Size(file.get_slice(key).get_shape()).numel()) for key in file.keys())  # noqa: SIM118
