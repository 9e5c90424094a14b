"""``python -m train.distill``: turn the multi-step teacher into a one-step student.

The objective is a sum of named terms. Here it is the vanilla distillation of TAD-SR's Eq. 6; score distillation and
the adversarial term are further entries of ``DistillTask.losses``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runtime import commands
from train import diffusion
from train.checkpoints import load_autoencoder, load_unet
from train.latents import Condition, bind, condition
from train.loop import train
from train.losses import vanilla_distillation
from train.networks.memory import channels_last
from train.networks.unet import UNet
from train.pixels import enlarge, to_picture
from train.settings import TrainingSettings, parse


@dataclass(frozen=True)
class DistillSettings(TrainingSettings):
    """Settings of the distillation."""

    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder."""
    teacher: Path = Path("runs/teacher/teacher.safetensors")
    """Weights of the teacher; its schedule comes with them."""


class DistillTask:
    """The student's single step is pulled to the teacher's multi-step deterministic sample from the same z_T."""

    name = "distill"

    def __init__(self, settings: DistillSettings) -> None:
        self.autoencoder = load_autoencoder(settings.autoencoder)
        self.teacher, sampling = load_unet(settings.teacher)
        self.diffusion = sampling.diffusion
        self.schedule = diffusion.schedule(self.diffusion)
        torch.manual_seed(settings.seed)
        student = UNet(settings.model.student, self.teacher.latent_channels)
        if student.config == self.teacher.config:
            student.load_state_dict(self.teacher.state_dict())  # Algorithm 1: a student of the same shape is its copy
        self.network: nn.Module = student

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)
        channels_last(self.teacher, device)

    def losses(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        given = condition(self.autoencoder, batch["lq"])
        noise = torch.randn(given.z_y.shape, generator=generator, device=given.z_y.device)
        teacher_z_0 = self.sample_teacher(given, noise)
        student_z_0 = self.student_step(self.network, given, noise)
        return {"distill": vanilla_distillation(student_z_0, teacher_z_0)}

    @torch.no_grad()
    def sample_teacher(self, given: Condition, noise: Tensor) -> Tensor:
        """The teacher's multi-step deterministic sample from z_T = z_y + kappa sqrt(eta_T) noise -> z_0."""
        trajectory = diffusion.deterministic_trajectory(self.schedule, bind(self.teacher, given), given.z_y, noise)
        return diffusion.last_sample(trajectory).float()

    def student_step(self, student: nn.Module, given: Condition, noise: Tensor) -> Tensor:
        """One network call at t = T - 1 on the same z_T -> z_0."""
        return diffusion.one_step(self.schedule, bind(student, given), given.z_y, noise)  # type: ignore[arg-type]

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = condition(self.autoencoder, batch["lq"])
        noise = torch.randn(given.z_y.shape, generator=torch.Generator().manual_seed(0)).to(given.z_y.device)
        return {
            "bicubic": enlarge(batch["lq"]),
            "teacher": to_picture(self.autoencoder.decode(self.sample_teacher(given, noise))),
            "student": to_picture(self.autoencoder.decode(self.student_step(network, given, noise))),
            "hq": batch["hq"],
        }

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        return {"student": network}

    def description(self) -> dict[str, Any]:
        return {"diffusion": asdict(self.diffusion), "sampling_steps": 1}


def main() -> None:
    settings = parse(DistillSettings, "train.distill", "Distil the teacher into a one-step student.")
    train(DistillTask(settings), settings)


if __name__ == "__main__":
    commands.run(main)
