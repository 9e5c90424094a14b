"""One half of an autoencoder."""

from typing import Literal

import torch
from torch import Tensor, nn

from compress.pruning.budget import layer_macs
from train.networks.families import AnyAutoencoder


class Part(nn.Module):
    """The autoencoder used one way only: latents -> pictures ("decoder"), or pictures -> latents ("encoder")."""

    def __init__(self, autoencoder: AnyAutoencoder, name: Literal["decoder", "encoder"]) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.name = name

    @property
    def module(self) -> nn.Module:
        """What of the autoencoder is pruned and trained."""
        return self.autoencoder.get_submodule(self.name)

    @property
    def size(self) -> int:
        """Its parameters."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def macs(self, side: int = 16) -> int:
        """Multiply-accumulates of its convolutions per latent position."""
        factor = self.autoencoder.config.factor
        shapes = {
            "decoder": (self.autoencoder.latent_channels, side, side),
            "encoder": (3, factor * side, factor * side),
        }
        device = next(self.parameters()).device
        macs = layer_macs(self, torch.zeros(1, *shapes[self.name], device=device))
        own = f"autoencoder.{self.name}."
        return round(sum(count for name, count in macs.items() if name.startswith(own)) / side**2)

    def forward(self, x: Tensor) -> Tensor:
        """Latents [N, C, h, w] <-> pictures [N, 3, f h, f w] in about [-1, 1]."""
        return self.autoencoder.decode(x) if self.name == "decoder" else self.autoencoder.encode(x)
