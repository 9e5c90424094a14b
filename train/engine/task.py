"""What a stage brings to the training loop: its trainables, and the rounds of a step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from train.engine.noise import Noise


class OptimiserStep(NamedTuple):
    """One trainable's move."""

    trainable: str
    terms: dict[str, Tensor]
    """The weighted terms of its loss, scalars; their sum is minimised."""
    watched: dict[str, Tensor] = {}  # noqa: RUF012 - never written to
    """Further scalars to log."""
    outputs: dict[str, Tensor] = {}  # noqa: RUF012 - never written to
    """What the trainable made, [N, ...], as each term has seen it: how strongly every term pulls is logged."""


@dataclass
class Trainable:
    """A network that is trained. The loop replaces ``network`` by a wrapped one (device, precision)."""

    network: nn.Module
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
        """Who moves in this step, one after the other; a round is computed after those before it were applied.

        ``batch`` may be a part of the global one. Take what is random from ``random`` only, and let every term be a
        mean over samples: the parts' means are averaged.
        """

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named pictures [N, 3, H, W] in [0, 1] to look at, made with the averaged ``network``."""

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        """What the averaged ``network`` is saved as: {"teacher": ...} becomes teacher.safetensors in the folder."""

    def description(self) -> dict[str, Any]:
        """What the exported files say beside their networks' sizes; JSON-able."""
