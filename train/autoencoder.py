"""``python -m train.autoencoder``: train the f4 autoencoder whose latent space teacher and student share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tadsr import commands
from train.data.crops import CropDataset, loader
from train.diffusion.pixels import to_model, to_picture
from train.engine.checkpoints import describe, save_network
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.noise import Noise
from train.engine.processes import is_first
from train.engine.settings import TrainingSettings, parse
from train.engine.sources import training_crops, training_photos
from train.engine.task import OptimiserStep, Trainable
from train.networks.autoencoder import Autoencoder
from train.objectives.losses import frequency_l1, l1

_STATISTICS_MOMENTUM = 0.01


@dataclass(frozen=True)
class AutoencoderSettings(TrainingSettings):
    """Settings of the autoencoder's training."""

    frequency_weight: float = 0.5
    """Weight of the frequency loss beside L1."""
    latent_noise: float = 0.05
    """Standard deviation of the noise on the (standardised) latents before decoding; it makes the latent smooth."""


class AutoencoderTask:
    """L1 and frequency loss of a reconstruction from slightly noisy latents."""

    name = "autoencoder"

    def __init__(self, settings: AutoencoderSettings) -> None:
        if settings.model.family != "mobile":
            raise TrainError(
                f"the {settings.model.family} family's autoencoder is not trained here: give its official .pth with "
                "--autoencoder to the other stages, or another --preset"
            )
        self.settings = settings
        torch.manual_seed(settings.seed)
        self.trainables = {"autoencoder": Trainable(Autoencoder(settings.model.autoencoder))}

    def to(self, device: torch.device) -> None:
        """Nothing beside the network."""

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        hq = to_model(batch["hq"])
        n, _, height, width = hq.shape
        shape = (n, self.settings.model.autoencoder.latent_channels, height // 4, width // 4)
        noise = random.normal(shape) * self.settings.latent_noise
        reconstruction, latents = self.trainables["autoencoder"].network(hq, noise)
        self._follow_statistics(latents)
        terms = {
            "l1": l1(reconstruction, hq),
            "frequency": self.settings.frequency_weight * frequency_l1(reconstruction, hq),
        }
        yield OptimiserStep("autoencoder", terms)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"hq": batch["hq"], "reconstruction": to_picture(network(to_model(batch["hq"]))[0])}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        return {"autoencoder": network}

    def description(self) -> dict[str, Any]:
        return {}

    @torch.no_grad()
    def _follow_statistics(self, latents: Tensor) -> None:
        """Keep the latents near zero mean and unit variance, so that the noise on them means the same all along."""
        network = self.trainables["autoencoder"].network.module
        assert isinstance(network, Autoencoder)
        raw = latents.float() * network.latent_std + network.latent_mean
        mean, std = raw.mean((0, 2, 3), keepdim=True), raw.std((0, 2, 3), keepdim=True)
        network.latent_mean = torch.lerp(
            network.latent_mean, mean, _STATISTICS_MOMENTUM
        )  # not in place: backward needs
        network.latent_std = torch.lerp(network.latent_std, std, _STATISTICS_MOMENTUM)  # the values that it went with


@torch.no_grad()
def measure_latents(network: Autoencoder, dataset: CropDataset, batches: int = 64) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [C] of the raw latents over crops of the training photos."""
    device = network.latent_mean.device
    raw = [network.encoder(to_model(batch["hq"].to(device))) for batch in loader(dataset, 16, 0, batches, 0)]
    latents = torch.cat(raw).double()
    return latents.mean((0, 2, 3)).float(), latents.std((0, 2, 3)).float()


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(AutoencoderSettings, "train.autoencoder", "Train the f4 autoencoder.", argv)
    network, steps = train(AutoencoderTask(settings), settings, training_crops(settings, degraded=False))
    if not is_first():
        return
    assert isinstance(network, Autoencoder)
    dataset = CropDataset(training_photos(settings), settings.data, seed=settings.seed + 1)
    network.standardise(*measure_latents(network, dataset))
    save_network(settings.out / "autoencoder.safetensors", network.state_dict(), describe(network, steps=steps))


if __name__ == "__main__":
    commands.run(main, resumes=True)
