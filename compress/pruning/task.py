"""Finetuning after pruning: the pruned part of an autoencoder learns to give the full one's outputs."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from compress.pruning.channels import pruned
from compress.pruning.part import Part
from compress.pruning.settings import PruneSettings, check
from train.data.crops import Sample
from train.diffusion.pixels import to_picture
from train.engine import checkpoints
from train.engine.noise import Noise
from train.engine.pretrained import load_autoencoder
from train.engine.run_folder import CHECKPOINT
from train.engine.task import OptimiserStep, Trainable
from train.finetuning.inputs import EnlargedPictures, Inputs, StudentLatents
from train.networks.memory import channels_last
from train.objectives.losses import frequency_l1, l1


class PruneTask:
    """The full part is the teacher, the pruned one the student; nothing else is trained."""

    name = "prune"

    def __init__(self, settings: PruneSettings, dataset: Dataset[Sample]) -> None:
        """Measure on ``dataset``, choose the widths and cut; where ``settings.out`` holds a run, take those of it.

        Raises ``TrainError`` where no width meets the budgets, and for files that do not fit each other.
        """
        check(settings)
        self.settings = settings
        full = load_autoencoder(settings.autoencoder, settings.model)
        self.full = Part(full, settings.part)
        self.inputs: Inputs = (
            StudentLatents(full, settings.student, settings.lr_encoder)
            if settings.part == "decoder"
            else EnlargedPictures(settings.model.scale)
        )
        if (settings.out / CHECKPOINT).exists():
            autoencoder = checkpoints.load_autoencoder(settings.out / "autoencoder.safetensors")
        else:
            autoencoder = load_autoencoder(settings.autoencoder, settings.model)
            autoencoder.register_module(settings.part, pruned(self.full, self.inputs, dataset, settings))
        trainable = Part(autoencoder, settings.part)
        trainable.module.requires_grad_(True)
        self.trainables = {"autoencoder": Trainable(trainable)}

    def to(self, device: torch.device) -> None:
        channels_last(self.full, device)
        self.inputs.to(device)

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        with torch.no_grad():
            x = self.inputs(batch, random)
            target = self.full(x)
        output = self.trainables["autoencoder"].network(x)
        terms = {"l1": l1(output, target)}
        if self.settings.part == "decoder":
            terms["frequency"] = self.settings.frequency_weight * frequency_l1(output, target)
        yield OptimiserStep("autoencoder", terms)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(network, Part)
        x = self.inputs(batch, Noise(self.settings.seed, 0, batch["lq"].device))
        sides = {"full": self.full, "pruned": network}
        if self.settings.part == "decoder":
            return {name: to_picture(part(x)) for name, part in sides.items()}
        return {name: to_picture(self.full.autoencoder.decode(part(x))) for name, part in sides.items()}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        assert isinstance(network, Part)
        return {"autoencoder": network.autoencoder}

    def description(self) -> dict[str, Any]:
        return {}
