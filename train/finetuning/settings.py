"""What folding, and the finetuning before it, can be told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from train.engine.settings import TrainingSettings
from train.objectives.config import PaperChoices


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
    share: float = 1.0
    """How far to go from the given networks to the finetuned ones: 0 is the given ones, 1 the finetuned. Between lies
    much of the texture that discriminators ask for, with less of what they invent."""
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
    encoded again (train/finetuning/shown.py), since its own are then no longer the autoencoder's. More is sharper
    and less faithful."""
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
