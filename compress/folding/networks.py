"""The trained networks that a deployed graph is folded of, opened by their files."""

from dataclasses import dataclass, replace

from compress.folding.settings import FoldSettings
from train.diffusion.latents import scale_of
from train.diffusion.schedule import Schedule, make_schedule
from train.engine.checkpoints import OFFICIAL, Sampling, load_network, load_unet
from train.engine.errors import TrainError
from train.engine.pretrained import load_autoencoder, load_teacher
from train.engine.sources import training_data
from train.finetuning.inputs import calibrated_decoder, load_lr_encoder
from train.networks.autoencoder import Autoencoder
from train.networks.families import AnyAutoencoder, AnyUNet
from train.networks.lr_encoder import LREncoder
from train.networks.static_decoder import StaticDecoder
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder


@dataclass(frozen=True)
class Networks:
    """A mobile student with what surrounds it."""

    autoencoder: AnyAutoencoder
    """The whole one; its encoder is not deployed."""
    decoder: Autoencoder | StaticDecoder
    """What decodes on the device: the mobile autoencoder, or what became of a VQ autoencoder's decoder."""
    student: UNet
    lr_encoder: LREncoder
    schedule: Schedule
    scale: int
    """How much larger the picture becomes."""


def load_student(settings: FoldSettings) -> tuple[AnyUNet, Sampling]:
    """The student of a file, .safetensors or of the official layout (.pth), which does not say how many steps it takes.

    Raises ``TrainError`` as ``train.engine.pretrained.load_teacher``, and for a network of more steps than one.
    """
    if settings.student.suffix in OFFICIAL:
        network, sampling = load_teacher(settings.student, settings.model)
        return network, replace(sampling, steps=1)
    network, sampling = load_unet(settings.student)
    if sampling.steps != 1:
        raise TrainError(f"{settings.student}: takes {sampling.steps} steps; give a one-step student")
    return network, sampling


def load_networks(settings: FoldSettings, student: UNet, sampling: Sampling) -> Networks:
    """What belongs to a mobile student. Raises ``TrainError`` for files that are missing or do not fit each other."""
    autoencoder = load_autoencoder(settings.autoencoder, settings.model)
    lr_encoder = load_lr_encoder(settings.lr_encoder, student.latent_channels)
    scale = scale_of(autoencoder, student)
    decoder = autoencoder if isinstance(autoencoder, Autoencoder) else _static(settings, autoencoder)
    return Networks(autoencoder, decoder, student, lr_encoder, make_schedule(sampling.diffusion), scale)


def _static(settings: FoldSettings, autoencoder: VQAutoencoder) -> StaticDecoder:
    if settings.decoder is None:
        return calibrated_decoder(
            autoencoder,
            settings.student,
            settings.lr_encoder,
            training_data(settings),
            settings.workers,
            settings.seed,
        )
    decoder, _ = load_network(settings.decoder, "static_decoder")
    assert isinstance(decoder, StaticDecoder)
    if decoder.config.embed_dim != autoencoder.config.embed_dim:
        raise TrainError(f"{settings.decoder}: decodes other latents than {settings.autoencoder}; give its own")
    return decoder
