"""What a stage brings to the training loop: its trainables, and the optimiser steps of a training step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from train.engine.noise import Noise


class OptimiserStep(NamedTuple):
    """One step of one trainable's optimiser: what it minimises."""

    trainable: str
    terms: dict[str, Tensor]
    """The weighted terms of its loss, scalars; their sum is minimised."""
    watched: dict[str, Tensor] = {}  # noqa: RUF012 - never written to
    """Further scalars to log."""
    outputs: dict[str, Tensor] = {}  # noqa: RUF012 - never written to
    """What the trainable made, [N, ...], as each term has seen it: how strongly every term pulls is logged."""


@dataclass
class Trainable:
    """A network that is trained."""

    network: nn.Module
    """From the start of the loop Fabric's wrapper, which computes in the run's precision; ``network.module`` is the
    network then."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of AdamW's moments."""


class Task(Protocol):
    """What a stage adds to the loop."""

    name: str
    """Name of the stage, in logs and messages."""
    trainables: dict[str, Trainable]
    """What is trained, by name. The first is what the stage is for: it is averaged and exported."""

    def to(self, device: torch.device) -> None:
        """Move the frozen helpers to the device."""

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        """The optimiser steps of a training step, the first trainable's last.

        What follows a ``yield`` runs when the weights that it was about have changed: so a generator's loss sees the
        discriminator as its step has left it. ``batch`` holds "hq" [N, 3, H, W] and mostly "lq" [N, 3, h, w], both in
        [0, 1], by the names that files of the teacher's samples have; it may be a part of the global batch. Take what
        is random from ``random`` only, and let every term be a mean over samples: the parts' means are averaged.
        """

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named pictures [N, 3, H, W] in [0, 1] to look at, made with the averaged ``network``."""

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        """What the averaged ``network`` is saved as: {"teacher": ...} becomes teacher.safetensors in the folder."""

    def description(self) -> dict[str, Any]:
        """What the exported files say beside their networks' sizes; JSON-able."""
