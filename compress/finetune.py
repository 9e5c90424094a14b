"""The student as it will be deployed: its own LR encoder, no noise, judged by pixels."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train import diffusion
from train.checkpoints import load_autoencoder, load_unet
from train.diffusion import Schedule
from train.errors import TrainError
from train.latents import Condition, bind, condition
from train.losses import colour_shift, frequency_l1, l1, mse
from train.networks.autoencoder import Autoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.memory import channels_last
from train.networks.unet import UNet
from train.noise import Noise
from train.pixels import enlarge, to_model, to_picture
from train.settings import SCALE, TrainingSettings
from train.task import Player, Round


@dataclass(frozen=True)
class FoldSettings(TrainingSettings):
    """Settings of folding and of the finetuning before it."""

    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder; its decoder is deployed as it is."""
    student: Path = Path("runs/distill/student.safetensors")
    """Weights of the distilled student."""
    name: str = "mobile"
    """Name of the model, and of the bundle made of it."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""
    encoder_weight: float = 1.0
    """Weight of the LR encoder's distance to E(bicubic(lq))."""
    pixel_weight: float = 1.0
    """Weight of L1 between the decoded student and HQ."""
    frequency_weight: float = 0.5
    """Weight of the frequency loss between the decoded student and HQ."""
    colour_weight: float = 0.5
    """Weight of the colour shift between the decoded student and LQ: a restored photo keeps its colours."""


class LRStudent(nn.Module):
    """LR encoder and student with z_T = z_y: lq [N, 3, h, w] in [-1, 1] -> (z_y, z_0), each [N, C, h, w]."""

    def __init__(self, lr_encoder: LREncoder, student: UNet, schedule: Schedule) -> None:
        super().__init__()
        self.lr_encoder = lr_encoder
        self.student = student
        self._schedule = schedule

    def forward(self, lq: Tensor) -> tuple[Tensor, Tensor]:
        z_y = self.lr_encoder(lq)
        no_noise = torch.zeros_like(z_y)
        return z_y, diffusion.one_step(self._schedule, bind(self.student, Condition(lq, z_y)), z_y, no_noise)


class FinetuneTask:
    """The LR encoder is distilled from the full one while the student learns to live with it and without noise.

    Without noise there is nothing to sample: the student answers with one picture for each LQ picture, so the target
    is HQ itself, through the frozen decoder.
    """

    name = "finetune"

    def __init__(self, settings: FoldSettings) -> None:
        self.settings = settings
        autoencoder = load_autoencoder(settings.autoencoder)
        student, sampling = load_unet(settings.student)
        if not isinstance(autoencoder, Autoencoder) or not isinstance(student, UNet):
            other = settings.student if isinstance(autoencoder, Autoencoder) else settings.autoencoder
            raise TrainError(f"{other}: this stage takes the mobile autoencoder, and a mobile student in its latents")
        self.autoencoder = autoencoder
        self.diffusion = sampling.diffusion
        torch.manual_seed(settings.seed)
        lr_encoder = LREncoder(settings.model.lr_encoder, student.latent_channels)
        self.schedule = diffusion.schedule(self.diffusion)
        self.players = {"student": Player(LRStudent(lr_encoder, student.requires_grad_(True), self.schedule))}

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)

    def rounds(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[Round]:
        settings, hq = self.settings, to_model(batch["hq"])
        target = condition(self.autoencoder, batch["lq"], SCALE)
        z_y, z_0 = self.players["student"].network(target.lq)
        sr = self.autoencoder.decode(z_0)
        terms = {
            "encoder": settings.encoder_weight * mse(z_y, target.z_y),
            "l1": settings.pixel_weight * l1(sr, hq),
            "frequency": settings.frequency_weight * frequency_l1(sr, hq),
            "colour": settings.colour_weight * colour_shift(sr, target.lq),
        }
        yield Round("student", terms)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sr = to_picture(self.autoencoder.decode(network(to_model(batch["lq"]))[1]))
        return {"bicubic": to_picture(enlarge(to_model(batch["lq"]))), "deployed": sr, "hq": batch["hq"]}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        assert isinstance(network, LRStudent)
        return {"deployed_student": network.student, "lr_encoder": network.lr_encoder}

    def description(self) -> dict[str, Any]:
        return {"diffusion": asdict(self.diffusion), "sampling": {"steps": 1, "noise": 0.0}}
