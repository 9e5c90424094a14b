"""Inputs of an autoencoder's halves where they are used: the student's latents, the enlarged LQ pictures."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from train.data.crops import Sample, loader
from train.diffusion import process
from train.diffusion.latents import Condition, bind, condition, scale_of
from train.diffusion.pixels import enlarge, to_model
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import load_network, load_unet
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.networks.decoder_statistics import measure_statistics
from train.networks.families import AnyAutoencoder
from train.networks.lr_encoder import LREncoder
from train.networks.static_decoder import StaticDecoder, static_decoder
from train.networks.vq import VQAutoencoder

CALIBRATION_CROPS = 64
"""The constants of a VQ decoder are measured on so many."""
CROPS_PER_BATCH = 4
"""Crops that the full decoder decodes at once."""


class StudentLatents(nn.Module):
    """The student's one step on the LQ pictures of a batch, with the noise that it was trained for."""

    def __init__(self, autoencoder: AnyAutoencoder, student: Path, lr_encoder: Path | None) -> None:
        """Raises ``TrainError`` where a file is of another kind, or of another latent space than the autoencoder."""
        super().__init__()
        self.autoencoder = autoencoder
        self.student, sampling = load_unet(student)
        if sampling.steps != 1:
            raise TrainError(f"{student}: takes {sampling.steps} steps; give a one-step student")
        self.scale = scale_of(autoencoder, self.student)
        self.lr_encoder = None if lr_encoder is None else load_lr_encoder(lr_encoder, autoencoder.latent_channels)
        self._schedule, self._noise = make_schedule(sampling.diffusion), sampling.noise

    @torch.no_grad()
    def forward(self, batch: Mapping[str, Tensor], random: Noise) -> Tensor:
        """{"lq": [N, 3, h, w] in [0, 1]} -> z_0 [N, C, h, w]."""
        conditions = (
            condition(self.autoencoder, batch["lq"], self.scale)
            if self.lr_encoder is None
            else Condition(to_model(batch["lq"]), self.lr_encoder(to_model(batch["lq"])))
        )
        noise = self._noise * random.normal(conditions.z_y.shape)
        return process.one_step(self._schedule, bind(self.student, conditions), conditions.z_y, noise).float()


def calibrated_decoder(
    autoencoder: VQAutoencoder,
    student: Path,
    lr_encoder: Path | None,
    dataset: Dataset[Sample],
    workers: int,
    seed: int,
) -> StaticDecoder:
    """The decoder with constants measured on the student's latents of the data's first ``CALIBRATION_CROPS`` crops.

    Raises ``TrainError`` as ``StudentLatents``.
    """
    latents = StudentLatents(autoencoder, student, lr_encoder)
    batches = loader(dataset, CROPS_PER_BATCH, 0, CALIBRATION_CROPS // CROPS_PER_BATCH, workers)
    crops = (latents(batch, Noise(seed, step)) for step, batch in enumerate(batches))
    return static_decoder(autoencoder, measure_statistics(autoencoder, crops))


class EnlargedPictures(nn.Module):
    """Enlarged LQ pictures, of which the encoder makes z_y."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, batch: Mapping[str, Tensor], random: Noise) -> Tensor:
        """{"lq": [N, 3, h, w] in [0, 1]} -> [N, 3, scale h, scale w] in about [-1, 1]."""
        return enlarge(to_model(batch["lq"]), self.scale)


Inputs = StudentLatents | EnlargedPictures


def load_lr_encoder(path: Path, latent_channels: int) -> LREncoder:
    """The LR encoder of a file, frozen. Raises ``TrainError`` where it is missing or for other latents."""
    network, _ = load_network(path, "lr_encoder")
    assert isinstance(network, LREncoder)
    if network.latent_channels != latent_channels:
        raise TrainError(
            f"{path}: for latents of {network.latent_channels} channels, not {latent_channels}; give another"
        )
    return network.requires_grad_(False)
