"""A discriminator of pictures, for what latents do not show: the texture within a latent's side."""

from dataclasses import dataclass

import torch
from torch import Tensor

from train.engine.task import OptimiserStep, Trainable
from train.networks.frozen import frozen
from train.objectives.adversarial import discriminator_loss, generator_loss


@dataclass(frozen=True)
class PictureDiscriminator:
    """Tells HQ pictures from those that somebody made, patch by patch; pictures are [N, 3, H, W] in about [-1, 1]."""

    trainable: Trainable
    """A ``PatchDiscriminator``."""

    def discriminator_step(self, real: Tensor, fake: Tensor) -> OptimiserStep:
        """Eq. 12's hinge loss for the discriminator."""
        logits = self.trainable.network(torch.cat([real, fake.detach()]))
        real_logits, fake_logits = logits.chunk(2)
        loss = discriminator_loss([real_logits], [fake_logits])
        watched = {"patches_real": real_logits.detach().mean(), "patches_fake": fake_logits.detach().mean()}
        return OptimiserStep("patch_discriminator", {"patches": loss}, watched)

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Eq. 11; the gradient is that of ``fake``."""
        with frozen(self.trainable.network):
            return generator_loss([self.trainable.network(fake)])
