"""``python -m train.distill``: turn the multi-step teacher into a one-step student.

TAD-SR (He et al., arXiv 2408.07476), Eq. 6-13 and Algorithm 1, and its baselines on the same loop: SinSR's terms, SDS
in place of HSD, a discriminator that does not know the time.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset

from tadsr import commands
from train.data.crops import Sample
from train.data.teacher_samples import TeacherSamples, holds_samples
from train.diffusion import process
from train.diffusion.latents import Condition, bind, condition, scale_of
from train.diffusion.pixels import enlarge, to_model, to_picture
from train.diffusion.schedule import make_schedule
from train.engine.checkpoints import load_unet
from train.engine.errors import TrainError
from train.engine.loop import train
from train.engine.noise import Noise
from train.engine.pretrained import load_autoencoder, load_teacher, start_from
from train.engine.settings import TrainingSettings, parse
from train.engine.sources import training_crops
from train.engine.task import OptimiserStep, Trainable
from train.networks.discriminator import Discriminator
from train.networks.families import AnyUNet, build_unet
from train.networks.memory import channels_last
from train.objectives import hsd
from train.objectives.config import PaperChoices, largest_hsd_time
from train.objectives.hsd import sds_gradient
from train.objectives.latent_discriminator import ADVERSARIAL_BETAS, LatentDiscriminator
from train.objectives.losses import vanilla_distillation
from train.objectives.sinsr import sinsr_terms


@dataclass(frozen=True)
class DistillSettings(TrainingSettings):
    """Settings of the distillation."""

    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder: .safetensors, or an official .pth of the preset's."""
    teacher: Path = Path("runs/teacher/teacher.safetensors")
    """Weights of the teacher: .safetensors, which its schedule comes with, or an official .pth of the preset's."""
    student: Literal["same", "mobile"] = "mobile"
    """"same" has the teacher's shape; "mobile" is the UNet of --model.student, in the teacher's latent space."""
    init: Path | None = None
    """Weights that the student starts from. Without: a student of the teacher's shape starts as its copy (Algorithm 1),
    another one at random; train that with --score none --discriminator none first, and give the result here."""
    objective: Literal["tadsr", "sinsr"] = "tadsr"
    """"tadsr" is Eq. 13; "sinsr" is SinSR's three terms instead, without score distillation and discriminator."""
    score: Literal["hsd", "sds", "none"] = "hsd"
    """Score distillation: "hsd" is Eq. 7-8, "sds" the ablation's baseline."""
    discriminator: Literal["time-aware", "plain", "none"] = "time-aware"
    """"time-aware" is Eq. 9-10; "plain" has heads that do not know the time, the ablation's baseline."""
    lambda_1: float = 1.0
    """Weight of the score distillation; the paper's is 1 for real-world pictures, 0.1 for faces."""
    lambda_2: float = 0.02
    """Weight of the adversarial term; the paper's is 0.02, 0.2 for faces. More is sharper and less faithful."""
    paper: PaperChoices = field(default_factory=PaperChoices)
    """Where the paper leaves a choice."""


@dataclass(frozen=True)
class Step:
    """What all terms of one step share; latents are [N, C, h, w]."""

    conditions: Condition
    z_0: Tensor
    """The latent of HQ."""
    noise: Tensor
    """That of z_T."""
    z_T: Tensor
    teacher_z_0: Tensor
    """The teacher's multi-step deterministic sample from z_T."""
    student_z_0: Tensor
    """The student's single step from z_T, with its gradient."""


class DistillTask:
    """The student learns; with a discriminator the two are trained in alternation, the discriminator first."""

    name = "distill"

    def __init__(self, settings: DistillSettings) -> None:
        self.settings = settings
        self.autoencoder = load_autoencoder(settings.autoencoder, settings.model)
        self.teacher, sampling = load_teacher(settings.teacher, settings.model)
        self.scale = scale_of(self.autoencoder, self.teacher)
        self.diffusion = sampling.diffusion
        self.schedule = make_schedule(self.diffusion)
        torch.manual_seed(settings.seed)
        self.trainables = {"student": Trainable(self._new_student())}
        self.adversary: LatentDiscriminator | None = None
        if settings.objective == "tadsr" and settings.discriminator != "none":
            network = Discriminator(
                self.teacher.feature_widths, settings.paper.heads, time_aware=settings.discriminator == "time-aware"
            )
            trainable = self.trainables["discriminator"] = Trainable(network, betas=ADVERSARIAL_BETAS)
            self.adversary = LatentDiscriminator(self.teacher, self.schedule, trainable, settings.paper.scales)

    def _new_student(self) -> AnyUNet:
        if self.settings.student == "same":
            student = copy.deepcopy(self.teacher).train().requires_grad_(True)
        else:
            student = build_unet(self.settings.model.student, self.teacher.latent_channels)
        if student.config.lq_factor != self.teacher.config.lq_factor:
            raise TrainError(
                "--student mobile: takes LQ pictures on the latent's own grid, and this teacher's are "
                f"{self.teacher.config.lq_factor} times finer; give --student same"
            )
        if self.settings.init is not None:
            start_from(load_unet(self.settings.init)[0], student, self.settings.init)
        elif student.config == self.teacher.config:
            student.load_state_dict(self.teacher.state_dict())
        return student

    def to(self, device: torch.device) -> None:
        channels_last(self.autoencoder, device)
        channels_last(self.teacher, device)
        if self.settings.compile:
            self.teacher.compile(dynamic=False)

    def optimiser_steps(self, batch: Mapping[str, Tensor], random: Noise) -> Iterator[OptimiserStep]:
        step = self._sample(batch, random)
        if self.settings.objective == "sinsr":
            yield OptimiserStep("student", self._sinsr(step))
            return
        seen = {"distill": _view(step.student_z_0)}
        terms = {"distill": vanilla_distillation(seen["distill"], step.teacher_z_0)}
        watched: dict[str, Tensor] = {}
        if self.settings.score != "none":
            seen["score"] = _view(step.student_z_0)
            gradient = self._score_gradient(step, random)
            terms["score"] = self.settings.lambda_1 * hsd.surrogate_loss(gradient, seen["score"])
            watched["score_gradient"] = gradient.abs().mean()
        if self.adversary is not None:
            t = self._times(self.schedule.steps, step, random)
            fresh = self.settings.paper.discriminator_noise == "fresh"
            noise = random.normal(step.noise.shape) if fresh else step.noise
            yield self.adversary.discriminator_step(step.z_0, step.student_z_0, step.conditions, t, noise)
            seen["adversarial"] = _view(step.student_z_0)
            adversarial = self.adversary.generator_loss(seen["adversarial"], step.conditions, t, noise)
            terms["adversarial"] = self.settings.lambda_2 * adversarial
        yield OptimiserStep("student", terms, watched, seen)

    def _sample(self, batch: Mapping[str, Tensor], random: Noise) -> Step:
        """Algorithm 1, lines 4-9."""
        conditions = condition(self.autoencoder, batch["lq"], self.scale)
        with torch.no_grad():
            z_0 = self.autoencoder.encode(to_model(batch["hq"])).float()
        noise = batch["noise"] if "noise" in batch else random.normal(z_0.shape)
        last = torch.full((len(z_0),), self.schedule.steps - 1, device=z_0.device)
        if self.settings.paper.z_T == "prior":
            z_T = process.prior_sample(self.schedule, conditions.z_y, noise)
        else:
            z_T = process.forward_process(self.schedule, z_0, conditions.z_y, last, noise)
        teacher_z_0 = batch["teacher_z_0"] if "teacher_z_0" in batch else self.sample_teacher(conditions, z_T)
        student = bind(self.trainables["student"].network, conditions)
        if self.settings.accumulate > 1:  # all micro-batches wait for the discriminator: too much to keep
            student = partial(checkpoint, student, use_reentrant=False)
        student_z_0 = student(process.scale_input(self.schedule, z_T, last), last)
        return Step(conditions, z_0, noise, z_T, teacher_z_0, student_z_0)

    @torch.no_grad()
    def sample_teacher(self, conditions: Condition, z_T: Tensor) -> Tensor:
        """The teacher's multi-step deterministic sample from z_T -> z_0; Eq. 3, all steps."""
        denoiser = bind(self.teacher, conditions)
        return process.last_sample(process.deterministic_steps(self.schedule, denoiser, conditions.z_y, z_T)).float()

    def _sinsr(self, step: Step) -> dict[str, Tensor]:
        student = bind(self.trainables["student"].network, step.conditions)
        terms = sinsr_terms(student, self.schedule, step.z_T, step.teacher_z_0, step.z_0)
        return {
            "distill": terms.distillation.mean(),
            "inverse": terms.inverse.mean(),
            "consistency": terms.consistency.mean(),
        }

    def _score_gradient(self, step: Step, random: Noise) -> Tensor:
        """Eq. 7-8, or the baseline without its teacher branch: one sample's gradient, [N, C, h, w]."""
        paper, teacher = self.settings.paper, bind(self.teacher, step.conditions)
        student_z_0, noise = step.student_z_0.detach().float(), random.normal(step.noise.shape)
        if self.settings.score == "sds":
            t = self._times(self.schedule.steps, step, random)
            return sds_gradient(teacher, self.schedule, student_z_0, step.conditions.z_y, t, noise, paper.hsd_weight)
        t = self._times(largest_hsd_time(self.schedule.steps, paper.hsd_t_max) + 1, step, random)
        return hsd.score_distillation(
            teacher,
            self.schedule,
            student_z_0,
            step.teacher_z_0,
            step.conditions.z_y,
            t,
            noise,
            paper.hsd_weight,
            paper.hsd_weight_max,
        ).gradient

    def _times(self, below: int, step: Step, random: Noise) -> Tensor:
        return random.times(below, len(step.z_0))

    def pictures(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        conditions = condition(self.autoencoder, batch["lq"], self.scale)
        noise = torch.randn(conditions.z_y.shape, generator=torch.Generator().manual_seed(0)).to(conditions.z_y.device)
        teacher_z_0 = self.sample_teacher(conditions, process.prior_sample(self.schedule, conditions.z_y, noise))
        student_z_0 = process.one_step(self.schedule, bind(network, conditions), conditions.z_y, noise)
        return {
            "bicubic": to_picture(enlarge(to_model(batch["lq"]), self.scale)),
            "teacher": to_picture(self.autoencoder.decode(teacher_z_0)),
            "student": to_picture(self.autoencoder.decode(student_z_0)),
            "hq": batch["hq"],
        }

    def exports(self, network: nn.Module) -> dict[str, nn.Module]:
        return {"student": network}

    def description(self) -> dict[str, Any]:
        chosen = {key: getattr(self.settings, key) for key in ("objective", "score", "discriminator")}
        return {"diffusion": asdict(self.diffusion), "sampling": {"steps": 1}, "distillation": chosen}


def _view(z_0: Tensor) -> Tensor:
    """A view of the latents, whose gradient is that of one term alone."""
    return z_0.view_as(z_0)


def distillation_data(settings: DistillSettings) -> Dataset[Sample]:
    """Crops of photos, or the teacher's samples where ``settings.photos`` is a folder of them.

    Raises ``TrainError`` where the samples are another teacher's, or start from another z_T than is asked for.
    """
    if not holds_samples(settings.photos):
        return training_crops(settings)
    samples = TeacherSamples(settings.photos, settings.seed)
    samples.check(settings.teacher, settings.autoencoder)
    if settings.paper.z_T != "prior":
        raise TrainError(f"{settings.photos}: samples from the prior; leave out --paper.z_T, or train on the photos")
    return samples


def main(argv: Sequence[str] | None = None) -> None:
    settings = parse(DistillSettings, "train.distill", "Distil the teacher into a one-step student.", argv)
    train(DistillTask(settings), settings, distillation_data(settings))


if __name__ == "__main__":
    commands.run(main, resumes=True)
