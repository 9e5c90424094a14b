"""The student as it will be deployed: its own LR encoder, no noise, judged by pixels."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from train.data.crops import Sample
from train.diffusion.latents import Condition, condition, scale_of
from train.diffusion.pixels import enlarge, grey_gradient, to_model, to_picture
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import load_unet
from train.engine.errors import TrainError
from train.engine.noise import Noise
from train.engine.pretrained import load_autoencoder, load_teacher
from train.engine.task import OptimiserStep, Trainable
from train.finetuning.colour_correction import ColourCorrection
from train.finetuning.discriminator_inputs import DiscriminatorInputs, encode_again, hidden_border
from train.finetuning.inputs import calibrated_decoder, load_lr_encoder
from train.finetuning.settings import FinetuneSettings
from train.finetuning.student import LRStudent, TrainedDecoder, interpolate
from train.networks.autoencoder import Autoencoder
from train.networks.discriminator import Discriminator
from train.networks.lr_encoder import LREncoder
from train.networks.memory import channels_last
from train.networks.patch_discriminator import PatchDiscriminator
from train.networks.static_decoder import StaticDecoder
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder
from train.objectives.latent_discriminator import ADVERSARIAL_BETAS, LatentDiscriminator
from train.objectives.losses import border_l1, coarse_l1, colour_shift, frequency_l1, l1, mse, structure
from train.objectives.picture_discriminator import PictureDiscriminator

BORDER = 8
"""Width in HR pixels of the frame that ``border_weight`` is about."""


class FinetuneTask:
    """The LR encoder is distilled from the full one while the student learns to live with it and without noise.

    Without noise there is nothing to sample: the student answers with one picture for each LQ picture, so the target
    is HQ itself, through the decoder; what pixels average away, a discriminator can ask for. The mobile decoder
    is frozen, or trained too. A VQ decoder is deployed with constants in place of its statistics and its codebook (see
    ``train.networks.static_decoder``): it learns to answer as the full one does.
    """

    name = "finetune"

    def __init__(self, settings: FinetuneSettings, dataset: Dataset[Sample]) -> None:
        """The constants of a VQ decoder are measured on ``dataset``.

        Raises ``TrainError`` for files that do not fit each other.
        """
        self.settings = settings
        if not 0 <= settings.interpolation <= 1:
            raise TrainError(
                f"--interpolation {settings.interpolation:g}: give 0, where it starts, to 1, where it ends"
            )
        if settings.interpolation < 1 and settings.lr_encoder is None:
            raise TrainError(
                f"--interpolation {settings.interpolation:g}: needs an LR encoder to start from; give --lr-encoder too"
            )
        autoencoder = load_autoencoder(settings.autoencoder, settings.model)
        student, sampling = load_unet(settings.student)
        if not isinstance(student, UNet):
            raise TrainError(f"{settings.student}: not a mobile student; it cannot be finetuned for deployment")
        self.scale = scale_of(autoencoder, student)
        self.colour = ColourCorrection(self.scale)
        self.autoencoder = autoencoder
        self.diffusion = sampling.diffusion
        self.schedule = make_schedule(self.diffusion)
        decoder = self._decoder(dataset)
        torch.manual_seed(settings.seed)
        lr_encoder = (
            LREncoder(settings.model.lr_encoder, student.latent_channels)
            if settings.lr_encoder is None
            else load_lr_encoder(settings.lr_encoder, student.latent_channels)
        )
        network = LRStudent(lr_encoder, student, self.schedule, decoder)
        self._start = copy.deepcopy(network)
        self.trainables = {"student": Trainable(network.requires_grad_(True))}
        self.latent_discriminator = self._latent_discriminator() if settings.lambda_2 else None
        self.picture_discriminator = self._picture_discriminator() if settings.texture_weight else None

    def _decoder(self, dataset: Dataset[Sample]) -> StaticDecoder | TrainedDecoder | None:
        settings, autoencoder = self.settings, self.autoencoder
        if isinstance(autoencoder, VQAutoencoder):
            if settings.train_decoder:
                raise TrainError(
                    "--train-decoder: is for the mobile autoencoder, a VQ decoder is trained anyway; give false"
                )
            return calibrated_decoder(
                autoencoder, settings.student, settings.lr_encoder, dataset, settings.workers, settings.seed
            )
        return TrainedDecoder(autoencoder) if settings.train_decoder else None

    def _latent_discriminator(self) -> LatentDiscriminator:
        settings = self.settings
        if settings.teacher is None:
            raise TrainError("--lambda_2: the discriminator reads the teacher's features; give --teacher")
        teacher, sampling = load_teacher(settings.teacher, settings.model)
        if (
            scale_of(self.autoencoder, teacher) != self.scale
            or teacher.latent_channels != self.autoencoder.latent_channels
        ):
            raise TrainError(f"{settings.teacher}: a teacher in other latents than {settings.student}; give its own")
        least = self.autoencoder.config.factor * (2 * hidden_border(teacher) + teacher.stride)
        if settings.train_decoder and settings.data.crop < least:
            raise TrainError(
                f"--data.crop {settings.data.crop}: the discriminator does not see the border, and nothing is left; "
                f"give {least} or more"
            )
        heads = Discriminator(teacher.feature_widths, settings.paper.heads)
        trainable = self.trainables["discriminator"] = Trainable(heads, betas=ADVERSARIAL_BETAS)
        return LatentDiscriminator(teacher, make_schedule(sampling.diffusion), trainable, settings.paper.scales)

    def _picture_discriminator(self) -> PictureDiscriminator:
        trainable = self.trainables["patch_discriminator"] = Trainable(PatchDiscriminator(), betas=ADVERSARIAL_BETAS)
        return PictureDiscriminator(trainable)

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)
        self.colour.to(device)
        if self.latent_discriminator is not None:
            channels_last(self.latent_discriminator.teacher, device)

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        settings, hq = self.settings, to_model(batch["hq"])
        target = condition(self.autoencoder, batch["lq"], self.scale)
        z_y, z_0, decoded = self.trainables["student"].network(target.lq)
        sr = self._sr(target.lq, z_0, decoded)
        terms = {
            "encoder": settings.encoder_weight * mse(z_y, target.z_y),
            "l1": settings.pixel_weight * l1(sr, hq),
            "frequency": settings.frequency_weight * frequency_l1(sr, hq),
            "structure": settings.structure_weight * structure(grey_gradient(sr), hq),
            "coarse": settings.coarse_weight * coarse_l1(sr, hq, self.scale),
            "border": settings.border_weight * border_l1(sr, hq, BORDER),
            "colour": settings.colour_weight * colour_shift(sr, target.lq),
        }
        if isinstance(self.autoencoder, VQAutoencoder):
            with torch.no_grad():
                full = self.autoencoder.decode(z_0)
            terms["decoder"] = settings.decoder_weight * l1(decoded, full)
        if self.latent_discriminator is not None:
            fake, real, seen = self._discriminator_inputs(z_0, sr, hq, target, random)
            t, noise = random.times(self.latent_discriminator.schedule.steps, len(real)), random.normal(real.shape)
            yield self.latent_discriminator.discriminator_step(real, fake, seen, t, noise)
            terms["adversarial"] = settings.lambda_2 * self.latent_discriminator.generator_loss(fake, seen, t, noise)
        if self.picture_discriminator is not None:
            yield self.picture_discriminator.discriminator_step(hq, sr)
            terms["texture"] = settings.texture_weight * self.picture_discriminator.generator_loss(grey_gradient(sr))
        yield OptimiserStep("student", terms)

    def _sr(self, lq: Tensor, z_0: Tensor, decoded: Tensor | None) -> Tensor:
        """The picture in about [-1, 1] of the outputs of ``LRStudent``."""
        return self.colour.of_model(lq, self.autoencoder.decode(z_0) if decoded is None else decoded)

    def _discriminator_inputs(
        self, z_0: Tensor, sr: Tensor, hq: Tensor, condition: Condition, random: Noise
    ) -> DiscriminatorInputs:
        assert self.latent_discriminator is not None
        if self.settings.train_decoder:
            assert isinstance(self.autoencoder, Autoencoder)
            margin = hidden_border(self.latent_discriminator.teacher)
            shift = random.shift(self.autoencoder.config.factor)
            return encode_again(self.autoencoder, sr, hq, condition, margin, shift)
        with torch.no_grad():
            return DiscriminatorInputs(z_0, self.autoencoder.encode(hq).float(), condition)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        lq = to_model(batch["lq"])
        _, z_0, decoded = network(lq)
        sr = self._sr(lq, z_0, decoded)
        return {"bicubic": to_picture(enlarge(lq, self.scale)), "deployed": to_picture(sr), "hq": batch["hq"]}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        assert isinstance(network, LRStudent)
        network = interpolate(self._start, network, self.settings.interpolation)
        exports: dict[str, nn.Module] = {"deployed_student": network.student, "lr_encoder": network.lr_encoder}
        if isinstance(network.decoder, StaticDecoder):
            return exports | {"static_decoder": network.decoder}
        if isinstance(network.decoder, TrainedDecoder):
            autoencoder = copy.deepcopy(self.autoencoder)
            autoencoder.decoder = network.decoder.decoder
            return exports | {"autoencoder": autoencoder}
        return exports

    def description(self) -> dict[str, Any]:
        sampling = {"steps": 1, "noise": 0.0}
        return {"diffusion": asdict(self.diffusion), "sampling": sampling, "interpolation": self.settings.interpolation}
