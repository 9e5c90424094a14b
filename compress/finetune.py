"""The student as it will be deployed: its own LR encoder, no noise, judged by pixels."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from compress.folding.static_decoder import StaticDecoder, static_decoder
from compress.folding.statistics import measure_statistics
from compress.judged import Judged, encoded_again
from compress.pruning.inputs import StudentLatents, load_lr_encoder
from train import diffusion
from train.checkpoints import load_unet
from train.data import Sample, loader
from train.diffusion import Schedule
from train.errors import TrainError
from train.inputs import load_autoencoder, load_teacher
from train.latents import Condition, bind, condition, scale_of
from train.losses import border_l1, coarse_l1, colour_shift, frequency_l1, grey_gradient, l1, mse, structure
from train.networks.autoencoder import Autoencoder
from train.networks.discriminator import Discriminator
from train.networks.lr_encoder import LREncoder
from train.networks.memory import channels_last
from train.networks.patch_discriminator import PatchDiscriminator
from train.networks.unet import UNet
from train.networks.vq import VQAutoencoder
from train.noise import Noise
from train.objectives.config import PaperChoices
from train.objectives.latent_discriminator import ADVERSARIAL_BETAS, LatentDiscriminator
from train.objectives.patches import PatchAdversary
from train.pixels import enlarge, to_model, to_picture
from train.settings import TrainingSettings
from train.task import Player, Round

CALIBRATION_CROPS = 64
"""What the constants of a VQ decoder are measured on."""
TOGETHER = 4
"""Crops that the full decoder is given at once."""
BORDER = 8
"""Width in HR pixels of the frame that ``border_weight`` is about."""


@dataclass(frozen=True)
class FoldSettings(TrainingSettings):
    """Settings of folding and of the finetuning before it."""

    fewest_steps: ClassVar[int] = 0
    steps: int = 10_000
    """Optimiser steps of the finetuning; 0 folds what is given as it is. ResShift's own network is never finetuned."""
    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder: .safetensors, full or pruned, or an official .pth of the preset's."""
    student: Path = Path("runs/distill/student.safetensors")
    """Weights of the distilled student; of ResShift's own network .safetensors or an official .pth."""
    lr_encoder: Path | None = None
    """Weights that the LR encoder starts from; without, it starts at random."""
    name: str = "mobile"
    """Name of the model, and of the bundle made of it."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""
    encoder_weight: float = 1.0
    """Weight of the LR encoder's distance to E(bicubic(lq))."""
    pixel_weight: float = 1.0
    """Weight of L1 between the decoded student and HQ."""
    frequency_weight: float = 0.5
    """Weight of the frequency loss between the decoded student and HQ."""
    structure_weight: float = 0.0
    """Weight of 1 - SSIM between the decoded student and HQ."""
    coarse_weight: float = 0.0
    """Weight of L1 between the decoded student and HQ where both are reduced to LQ's size: the colours, pixel by pixel
    of LQ, that a discriminator does not hold."""
    border_weight: float = 0.0
    """Weight of L1 along the pictures' borders and at their corners, where a convolution sees zero padding."""
    teacher: Path | None = None
    """The diffusion teacher, for the adversarial term."""
    lambda_2: float = 0.0
    """Weight of TAD-SR's adversarial term (Eq. 11): the time-aware discriminator on the teacher's encoder judges the
    latents of the student as it will be deployed, beside those of HQ; with --train_decoder the latents of its picture,
    encoded again (compress/judged.py), since its own are then no longer the autoencoder's. More is sharper and less
    faithful."""
    texture_weight: float = 0.0
    """Weight of a second discriminator's term, which judges the picture's luma, 26 by 26 pixels at a time: what latents
    do not show, a trained decoder fills with specks."""
    paper: PaperChoices = field(default_factory=PaperChoices)
    """Where the paper leaves a choice; of the discriminator only."""
    colour_weight: float = 0.5
    """Weight of the colour shift between the decoded student and LQ: a restored photo keeps its colours."""
    decoder_weight: float = 1.0
    """For VQ autoencoders: weight of L1 between the deployed decoder's pixels and the full one's."""
    train_decoder: bool = False
    """The mobile autoencoder's decoder is trained beside the student, and saved as autoencoder.safetensors. What a VQ
    decoder is deployed as always is."""
    tile: int = 64
    """For ResShift's own network: side in LR pixels of the pictures that its program takes."""
    pairs: Path | None = None
    """A folder with LR and HR inside: what was folded is measured on it and becomes rows of --report."""
    report: Path | None = None
    """Folder of the report that the rows "unfolded" and "folded" go into."""


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


def without_noise(student: UNet, schedule: Schedule, given: Condition) -> Tensor:
    """The student's one step from z_T = z_y -> z_0 [N, C, h, w]."""
    return diffusion.one_step(schedule, bind(student, given), given.z_y, torch.zeros_like(given.z_y))


class FinetuneTask:
    """The LR encoder is distilled from the full one while the student learns to live with it and without noise.

    Without noise there is nothing to sample: the student answers with one picture for each LQ picture, so the target
    is HQ itself, through the decoder; what pixels average away, a discriminator can ask for. The mobile decoder
    is frozen, or trained too. A VQ decoder is deployed with constants in place of its statistics and its codebook (see
    ``compress.folding.static_decoder``): it learns to answer as the full one does.
    """

    name = "finetune"

    def __init__(self, settings: FoldSettings, dataset: Dataset[Sample]) -> None:
        """The constants of a VQ decoder are measured on ``dataset``.

        Raises ``TrainError`` for files that do not fit each other.
        """
        self.settings = settings
        if settings.steps == 0 and settings.lr_encoder is None:
            raise TrainError("--steps 0: folds what is given, and no LR encoder is; give --lr_encoder, or more steps")
        autoencoder = load_autoencoder(settings.autoencoder, settings.model)
        student, sampling = load_unet(settings.student)
        if not isinstance(student, UNet):
            raise TrainError(f"{settings.student}: not a mobile student; it cannot be finetuned for deployment")
        self.scale = scale_of(autoencoder, student)
        self.autoencoder = autoencoder
        self.diffusion = sampling.diffusion
        self.schedule = diffusion.schedule(self.diffusion)
        decoder = self._decoder(dataset)
        torch.manual_seed(settings.seed)
        lr_encoder = (
            LREncoder(settings.model.lr_encoder, student.latent_channels)
            if settings.lr_encoder is None
            else load_lr_encoder(settings.lr_encoder, student.latent_channels)
        )
        network = LRStudent(lr_encoder, student, self.schedule, decoder)
        self.players = {"student": Player(network.requires_grad_(True))}
        self.adversary = self._adversary() if settings.lambda_2 else None
        self.patches = self._patches() if settings.texture_weight else None

    def _decoder(self, dataset: Dataset[Sample]) -> StaticDecoder | TrainedDecoder | None:
        settings, autoencoder = self.settings, self.autoencoder
        if isinstance(autoencoder, VQAutoencoder):
            if settings.train_decoder:
                raise TrainError("--train_decoder: is for the mobile autoencoder; give false, a VQ decoder always is")
            statistics = measure_statistics(autoencoder, calibration_latents(settings, dataset))
            return static_decoder(autoencoder, statistics)
        return TrainedDecoder(autoencoder) if settings.train_decoder else None

    def _adversary(self) -> LatentDiscriminator:
        settings = self.settings
        if settings.teacher is None:
            raise TrainError("--lambda_2: the discriminator reads the teacher's features; give --teacher")
        teacher, sampling = load_teacher(settings.teacher, settings.model)
        if (
            scale_of(self.autoencoder, teacher) != self.scale
            or teacher.latent_channels != self.autoencoder.latent_channels
        ):
            raise TrainError(f"{settings.teacher}: a teacher in other latents than {settings.student}; give its own")
        heads = Discriminator(teacher.feature_widths, settings.paper.heads)
        player = self.players["discriminator"] = Player(heads, betas=ADVERSARIAL_BETAS)
        return LatentDiscriminator(teacher, diffusion.schedule(sampling.diffusion), player, settings.paper.scales)

    def _patches(self) -> PatchAdversary:
        name = "patch_discriminator"
        self.players[name] = Player(PatchDiscriminator(), betas=ADVERSARIAL_BETAS)
        return PatchAdversary(name, self.players[name])

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)
        if self.adversary is not None:
            channels_last(self.adversary.teacher, device)

    def rounds(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[Round]:
        settings, hq = self.settings, to_model(batch["hq"])
        target = condition(self.autoencoder, batch["lq"], self.scale)
        z_y, z_0, decoded = self.players["student"].network(target.lq)
        sr = self.autoencoder.decode(z_0) if decoded is None else decoded
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
            terms["decoder"] = settings.decoder_weight * l1(sr, full)
        if self.adversary is not None:
            fake, real, given = self._judged(z_0, sr, hq, target, random)
            t, noise = random.times(self.adversary.schedule.steps, len(real)), random.normal(real.shape)
            yield self.adversary.move(real, fake, given, t, noise)
            terms["adversarial"] = settings.lambda_2 * self.adversary.judge(fake, given, t, noise)
        if self.patches is not None:
            yield self.patches.move(hq, sr)
            terms["texture"] = settings.texture_weight * self.patches.judge(grey_gradient(sr))
        yield Round("student", terms)

    def _judged(self, z_0: Tensor, sr: Tensor, hq: Tensor, given: Condition, random: Noise) -> Judged:
        assert self.adversary is not None
        if self.settings.train_decoder:
            margin = max(1, self.adversary.teacher.stride // 2)  # what is left fits the teacher still
            return encoded_again(self.autoencoder, sr, hq, given, margin, random.shift(self.autoencoder.config.factor))
        with torch.no_grad():
            return Judged(z_0, self.autoencoder.encode(hq).float(), given)

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        lq = to_model(batch["lq"])
        _, z_0, decoded = network(lq)
        sr = to_picture(self.autoencoder.decode(z_0) if decoded is None else decoded)
        return {"bicubic": to_picture(enlarge(lq, self.scale)), "deployed": sr, "hq": batch["hq"]}

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        assert isinstance(network, LRStudent)
        exports: dict[str, nn.Module] = {"deployed_student": network.student, "lr_encoder": network.lr_encoder}
        if isinstance(network.decoder, TrainedDecoder):
            exports["autoencoder"] = self.whole(network.decoder)
        return exports

    def whole(self, decoder: TrainedDecoder) -> Autoencoder:
        """The mobile autoencoder with the decoder that was trained."""
        assert isinstance(self.autoencoder, Autoencoder)
        autoencoder = copy.deepcopy(self.autoencoder)
        autoencoder.decoder = copy.deepcopy(decoder.decoder)
        return autoencoder

    def description(self) -> dict[str, Any]:
        return {"diffusion": asdict(self.diffusion), "sampling": {"steps": 1, "noise": 0.0}}


def calibration_latents(settings: FoldSettings, dataset: Dataset[Sample]) -> Iterator[Tensor]:
    """The student's latents [TOGETHER, C, h, w] for the first crops of the data, ``CALIBRATION_CROPS`` in all."""
    autoencoder = load_autoencoder(settings.autoencoder, settings.model)
    latents = StudentLatents(autoencoder, settings.student, settings.lr_encoder)
    batches = loader(dataset, TOGETHER, 0, CALIBRATION_CROPS // TOGETHER, settings.workers)
    for step, batch in enumerate(batches):
        yield latents(batch, Noise(settings.seed, step))
