"""``python -m train.teacher``: train the multi-step diffusion teacher in the autoencoder's latent space."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tadsr import commands
from train.diffusion import process
from train.diffusion.latents import bind, condition, scale_of
from train.diffusion.pixels import enlarge, to_model, to_picture
from train.diffusion.schedule import make_schedule
from train.engine.loop import train
from train.engine.noise import Noise
from train.engine.pretrained import load_autoencoder, load_teacher, start_from
from train.engine.settings import TrainingSettings, parse
from train.engine.sources import training_crops
from train.engine.task import OptimiserStep, Trainable
from train.networks.families import build_unet
from train.networks.memory import channels_last
from train.objectives.losses import mse


@dataclass(frozen=True)
class TeacherSettings(TrainingSettings):
    """Settings of the teacher's training."""

    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder: .safetensors, or an official .pth of the preset's."""
    init: Path | None = None
    """Weights of a teacher that this one starts from, in the same latents; for larger crops, say, or your own photos.
    Without, it starts at random."""


class TeacherTask:
    """ResShift's loss: the mean squared error of the predicted z_0, unweighted, at a uniform time per sample."""

    name = "teacher"

    def __init__(self, settings: TeacherSettings) -> None:
        self.settings = settings
        self.schedule = make_schedule(settings.model.diffusion)
        self.autoencoder = load_autoencoder(settings.autoencoder, settings.model)
        torch.manual_seed(settings.seed)
        teacher = build_unet(settings.model.family_teacher, self.autoencoder.latent_channels)
        if settings.init is not None:
            start_from(load_teacher(settings.init, settings.model)[0], teacher, settings.init)
        self.scale = scale_of(self.autoencoder, teacher)
        self.trainables = {"teacher": Trainable(teacher)}

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        conditions = condition(self.autoencoder, batch["lq"], self.scale)
        with torch.no_grad():
            z_0 = self.autoencoder.encode(to_model(batch["hq"])).float()
        noise = random.normal(z_0.shape)
        t = random.times(self.schedule.steps, len(z_0))
        z_t = process.forward_process(self.schedule, z_0, conditions.z_y, t, noise)
        scaled = process.scale_input(self.schedule, z_t, t)
        predicted = self.trainables["teacher"].network(scaled, t, *conditions)
        yield OptimiserStep("teacher", {"mse": mse(predicted, z_0)})

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        conditions = condition(self.autoencoder, batch["lq"], self.scale)
        noise = torch.randn(conditions.z_y.shape, generator=torch.Generator().manual_seed(0)).to(conditions.z_y.device)
        denoiser = bind(network, conditions)
        sample = process.last_sample(process.deterministic_trajectory(self.schedule, denoiser, conditions.z_y, noise))
        return {
            "bicubic": to_picture(enlarge(to_model(batch["lq"]), self.scale)),
            f"{self.schedule.steps} steps": to_picture(self.autoencoder.decode(sample)),
            "hq": batch["hq"],
        }

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        return {"teacher": network}

    def description(self) -> dict[str, Any]:
        return {
            "diffusion": asdict(self.settings.model.diffusion),
            "sampling": {"steps": self.settings.model.diffusion.steps},
        }


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(TeacherSettings, "train.teacher", "Train the multi-step diffusion teacher.", argv)
    train(TeacherTask(settings), settings, training_crops(settings))


if __name__ == "__main__":
    commands.run(main, resumes=True)
