"""The student as it is finetuned: with its own LR encoder, without noise, and with a decoder where one is trained."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from train.diffusion import process
from train.diffusion.latents import Condition, bind
from train.diffusion.schedule import Schedule
from train.networks.autoencoder import Autoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.static_decoder import StaticDecoder
from train.networks.unet import UNet

Network = TypeVar("Network", bound=nn.Module)


class TrainedDecoder(nn.Module):
    """The mobile autoencoder's decoder, trained apart from its encoder."""

    mean: Tensor
    std: Tensor

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(autoencoder.decoder)
        self.register_buffer("mean", autoencoder.latent_mean)
        self.register_buffer("std", autoencoder.latent_std)

    def forward(self, latents: Tensor) -> Tensor:
        """Standardised latents [N, C, h, w] -> pictures [N, 3, 4h, 4w] in about [-1, 1]."""
        return self.decoder(latents * self.std + self.mean)


class LRStudent(nn.Module):
    """LR encoder and student with z_T = z_y, and the decoder where it is trained too.

    lq [N, 3, h, w] in [-1, 1] -> z_y and z_0, each [N, C, h, w], and the picture [N, 3, f h, f w] or None.
    """

    def __init__(
        self,
        lr_encoder: LREncoder,
        student: UNet,
        schedule: Schedule,
        decoder: StaticDecoder | TrainedDecoder | None = None,
    ) -> None:
        super().__init__()
        self.lr_encoder = lr_encoder
        self.student = student
        self.decoder = decoder
        self._schedule = schedule

    def forward(self, lq: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        z_y = self.lr_encoder(lq)
        z_0 = without_noise(self.student, self._schedule, Condition(lq, z_y))
        return z_y, z_0, None if self.decoder is None else self.decoder(z_0)


def without_noise(student: UNet, schedule: Schedule, condition: Condition) -> Tensor:
    """The student's one step from z_T = z_y -> z_0 [N, C, h, w]."""
    return process.one_step(schedule, bind(student, condition), condition.z_y, torch.zeros_like(condition.z_y))


@torch.no_grad()
def interpolate(before: Network, after: Network, weight: float) -> Network:
    """Network interpolation: a copy, on the CPU, with the weights (1 - weight) before + weight after.

    After an adversarial finetuning, most of its texture lies there already, and little of its artefacts (Wang et al.,
    "ESRGAN", ECCV Workshops 2018, section 3.4). The two networks have weights of equal names and shapes; buffers that
    are no floats are those of ``after``.
    """
    between = copy.deepcopy(after).cpu()
    start = before.state_dict()
    for name, value in between.state_dict().items():
        if value.is_floating_point():
            value.copy_(start[name].cpu().lerp(value, weight))
    return between
