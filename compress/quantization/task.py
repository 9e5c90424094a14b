"""Quantisation-aware finetuning: the INT8 program learns to give the float program's pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from compress.quantization.fake_quantised import FakeQuantised
from compress.quantization.settings import QuantizeSettings
from train.engine.noise import Noise
from train.engine.task import OptimiserStep, Trainable
from train.networks.memory import channels_last
from train.objectives.losses import frequency_l1, l1


class QuantizeTask:
    """Distils the float program into its fake-quantised copy."""

    name = "quantize"

    def __init__(self, settings: QuantizeSettings, exact: GraphModule, student: FakeQuantised) -> None:
        self.settings = settings
        self.exact = exact
        self.trainables = {"student": Trainable(student)}

    def to(self, device: torch.device) -> None:
        channels_last(self.exact, device)

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        settings = self.settings
        with torch.no_grad():
            target = self.exact(batch["lq"])
        sr = self.trainables["student"].network(batch["lq"])
        terms = {
            "distillation": settings.distillation_weight * l1(sr, target),
            "frequency": settings.frequency_weight * frequency_l1(sr, target),
            "l1": settings.pixel_weight * l1(sr, batch["hq"]),
        }
        yield OptimiserStep("student", terms)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"float": self.exact(batch["lq"]), "int8": network(batch["lq"]), "hq": batch["hq"]}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        """Nothing: what comes of it is a program, written when the run ends."""
        return {}

    def description(self) -> dict[str, Any]:
        return {}
