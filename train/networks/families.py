"""The networks of the two families, mobile and ResShift's, that can stand in for each other, and how they are built."""

from train.engine.errors import TrainError
from train.networks.autoencoder import Autoencoder, AutoencoderConfig
from train.networks.swin_unet import SwinUNet, SwinUNetConfig
from train.networks.unet import UNet, UNetConfig
from train.networks.vq import VQAutoencoder, VQConfig

AnyAutoencoder = Autoencoder | VQAutoencoder
"""``encode``, ``decode``, ``latent_channels``, and ``config.factor``: pixels per latent position."""
AnyUNet = UNet | SwinUNet
"""f(z_t, t, lq, z_y) -> z_0, ``features`` and ``feature_widths`` of its encoder, ``latent_channels``, ``stride``, and
``config.lq_factor``: LQ pixels per latent position."""


def build_autoencoder(config: AutoencoderConfig | VQConfig) -> AnyAutoencoder:
    """The autoencoder of these sizes with random weights. Raises ``TrainError`` where they do not fit each other."""
    try:
        return Autoencoder(config) if isinstance(config, AutoencoderConfig) else VQAutoencoder(config)
    except (ValueError, IndexError) as error:
        raise _impossible("autoencoder", error) from error


def build_unet(config: UNetConfig | SwinUNetConfig, latent_channels: int) -> AnyUNet:
    """The UNet of these sizes with random weights, for latents of so many channels.

    Raises ``TrainError`` where the sizes do not fit each other or the latents.
    """
    try:
        network = UNet(config, latent_channels) if isinstance(config, UNetConfig) else SwinUNet(config)
    except (ValueError, IndexError) as error:
        raise _impossible("UNet", error) from error
    if network.latent_channels != latent_channels:
        raise TrainError(
            f"a UNet of out_channels={network.latent_channels} for latents of {latent_channels} channels: "
            "give the preset that the autoencoder belongs to"
        )
    return network


def _impossible(network: str, error: Exception) -> TrainError:
    return TrainError(f"a {network} of these sizes cannot be built ({error}); correct the preset's model section")
