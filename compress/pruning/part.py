"""One half of an autoencoder, which pruning is about, and the student with a pruned decoder."""

from typing import Literal

import torch
from torch import Tensor, nn

from compress.pruning.budget import layer_macs
from train.diffusion.pixels import to_model, to_picture
from train.engine.noise import Noise
from train.evaluation.predictors import Predictor, padded_predictor
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.inputs import StudentLatents
from train.networks.families import AnyAutoencoder


class Part(nn.Module):
    """The autoencoder used one way only: latents -> pictures ("decoder"), or pictures -> latents ("encoder")."""

    def __init__(self, autoencoder: AnyAutoencoder, name: Literal["decoder", "encoder"]) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.name = name

    @property
    def module(self) -> nn.Module:
        """The module of the autoencoder that is pruned and trained."""
        return self.autoencoder.get_submodule(self.name)

    @property
    def size(self) -> int:
        """Number of its parameters."""
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
        prefix = f"autoencoder.{self.name}."
        return round(sum(count for name, count in macs.items() if name.startswith(prefix)) / side**2)

    def forward(self, x: Tensor) -> Tensor:
        """Latents [N, C, h, w] <-> pictures [N, 3, f h, f w] in about [-1, 1]."""
        return self.autoencoder.decode(x) if self.name == "decoder" else self.autoencoder.encode(x)


def student_with(latents: StudentLatents, decoder: Part, seed: int) -> Predictor:
    """The student with its encoder and that decoder; pictures are reflected up to a multiple of the student's stride.

    Where a picture is enlarged, it keeps its colours as it does when deployed. The size in bytes is left open: the
    files have different precisions, and what counts is the folded program's.
    """
    encoder = latents.autoencoder.get_submodule("encoder") if latents.lr_encoder is None else latents.lr_encoder
    others = sum(parameter.numel() for part in (encoder, latents.student) for parameter in part.parameters())
    colour = ColourCorrection(latents.scale) if latents.scale > 1 else None

    def restore(lq: Tensor) -> Tensor:
        decoded = decoder(latents({"lq": lq}, Noise(seed, 0)))
        return to_picture(decoded if colour is None else colour.of_model(to_model(lq), decoded))

    align = latents.student.stride * latents.student.config.lq_factor
    return padded_predictor(restore, align, latents.scale, parameters=others + decoder.size)
