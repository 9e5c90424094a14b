"""Settings of the finetuning as deployed."""

from dataclasses import dataclass, field
from pathlib import Path

from train.engine.settings import TrainingSettings
from train.objectives.config import PaperChoices


@dataclass(frozen=True)
class FinetuneSettings(TrainingSettings):
    """Settings of the finetuning as deployed."""

    autoencoder: Path = Path("runs/autoencoder/autoencoder.safetensors")
    """Weights of the autoencoder: .safetensors, full or pruned, or an official .pth of the preset's."""
    student: Path = Path("runs/distill/student.safetensors")
    """Weights of the distilled student."""
    lr_encoder: Path | None = None
    """Weights that the LR encoder starts from; without, it starts at random."""
    interpolation: float = 1.0
    """How far to go from the networks that it starts from to the finetuned ones: 0 is the former, 1 the latter. Between
    lies much of the texture that discriminators ask for, with less of what they invent (ESRGAN's interpolation)."""
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
    latents of the student as it will be deployed, beside those of HQ; with --train-decoder the latents of its picture,
    encoded again (train/finetuning/discriminator_inputs.py), since its own are then no longer the autoencoder's. More
    is sharper and less faithful."""
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
