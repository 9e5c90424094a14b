"""Settings of folding."""

from dataclasses import dataclass
from pathlib import Path

from train.engine.settings import StageSettings


@dataclass(frozen=True)
class FoldSettings(StageSettings):
    """Settings of folding. The photos are for measuring how far the network sees, and a VQ decoder's constants."""

    autoencoder: Path = Path("runs/finetune/autoencoder.safetensors")
    """Weights of the autoencoder: .safetensors, full or pruned, or an official .pth of the preset's."""
    student: Path = Path("runs/finetune/deployed_student.safetensors")
    """Weights of the student that ``train.finetune`` wrote; of ResShift's own network .safetensors or an official
    .pth."""
    lr_encoder: Path = Path("runs/finetune/lr_encoder.safetensors")
    """Weights of the LR encoder that was finetuned with the student. ResShift's own network has none."""
    decoder: Path | None = None
    """For a VQ autoencoder: static_decoder.safetensors of ``train.finetune``. Without, the constants in the place of
    its norms and attention are measured on the photos, and not finetuned."""
    name: str = "mobile"
    """Name of the model, and of the bundle made of it."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""
    tile: int = 64
    """For ResShift's own network: side in LR pixels of the pictures that its program takes."""
    pairs: Path | None = None
    """A folder with LR and HR inside: what was folded is measured on it and becomes rows of --report."""
    report: Path | None = None
    """Folder of the report that the rows "unfolded" and "folded" go into."""
