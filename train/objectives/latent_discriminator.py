"""TAD-SR's time-aware latent discriminator, Eq. 9-12: trained heads on the frozen teacher's encoder."""

from dataclasses import dataclass

import torch
from torch import Tensor

from train.diffusion import process
from train.diffusion.latents import Condition
from train.diffusion.schedule import Schedule
from train.engine.task import OptimiserStep, Trainable
from train.networks.families import AnyUNet
from train.networks.frozen import frozen
from train.objectives.adversarial import Reduction, discriminator_loss, generator_loss

ADVERSARIAL_BETAS = (0.5, 0.999)
"""Decay rates of AdamW's moments for a discriminator: a short memory of an opponent that changes."""


@dataclass(frozen=True)
class LatentDiscriminator:
    """Tells latents of HQ pictures from those that somebody made of LQ ones, both brought to the same time.

    Latents and noise are [N, C, h, w], times [N].
    """

    teacher: AnyUNet
    schedule: Schedule
    trainable: Trainable
    """The heads, a ``Discriminator``, which are what is trained."""
    scales: Reduction

    def discriminator_step(
        self, real: Tensor, fake: Tensor, condition: Condition, t: Tensor, noise: Tensor
    ) -> OptimiserStep:
        """Eq. 12 for the discriminator, on both latents at t with the same noise."""
        with torch.no_grad():
            features = [self._features(z_0.detach(), condition, t, noise) for z_0 in (real, fake)]
        real_logits, fake_logits = (self.trainable.network(maps, t) for maps in features)
        watched = {"logits_real": _mean(real_logits), "logits_fake": _mean(fake_logits)}
        loss = discriminator_loss(real_logits, fake_logits, self.scales)
        return OptimiserStep("discriminator", {"discriminator": loss}, watched)

    def generator_loss(self, z_0: Tensor, condition: Condition, t: Tensor, noise: Tensor) -> Tensor:
        """Eq. 11, best at the t and noise that the discriminator has just seen; the gradient is that of ``z_0``."""
        with frozen(self.trainable.network):
            logits = self.trainable.network(self._features(z_0, condition, t, noise), t)
        return generator_loss(logits, self.scales)

    def _features(self, z_0: Tensor, condition: Condition, t: Tensor, noise: Tensor) -> list[Tensor]:
        """Enc(z_t, t, y): the frozen teacher encoder's output of every level."""
        z_t = process.forward_process(self.schedule, z_0, condition.z_y, t, noise)
        return self.teacher.features(process.scale_input(self.schedule, z_t, t), t, *condition)


def _mean(logits: list[Tensor]) -> Tensor:
    return torch.stack([scale.detach().mean() for scale in logits]).mean()
