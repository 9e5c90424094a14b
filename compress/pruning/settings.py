"""Settings of pruning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train.engine.errors import TrainError
from train.engine.settings import TrainingSettings


@dataclass(frozen=True)
class PruneSettings(TrainingSettings):
    """Settings of pruning and of the finetuning after it."""

    autoencoder: Path = Path("runs/finetune/autoencoder.safetensors")
    """Weights of the autoencoder: what ``train.finetune`` wrote beside the student or, where it trained no decoder,
    started from."""
    student: Path = Path("runs/finetune/deployed_student.safetensors")
    """Weights of the one-step student whose latents the decoder is finetuned on."""
    lr_encoder: Path | None = None
    """Weights of the deployed LR encoder that gives the student its z_y; else the autoencoder's own encoder does."""
    part: Literal["decoder", "encoder"] = "decoder"
    """What is pruned. The encoder is finetuned on enlarged LQ pictures; it needs no student."""
    macs: float = 0.7
    """Multiply-accumulates that are left of the part's convolutions, as a fraction of those in --autoencoder's file."""
    parameters: float = 1.0
    """Weights that are left of the part's convolutions, as a fraction: a second budget, for networks whose parameters
    lie where the resolution is low."""
    multiple: int = 4
    """Channels go so many at a time, for widths that engines like; where a normalisation takes several channels
    together, they go together instead."""
    measured_batches: int = 64
    """Batches that the channels' importance is measured on."""
    frequency_weight: float = 0.5
    """Weight of the frequency loss beside L1 between the pruned decoder's pixels and the full one's."""
    pairs: Path | None = None
    """Folder with LR and HR inside: measure the result on them, as rows of --report. A finished run is measured by
    giving its command again."""
    report: Path | None = None
    """Folder of the report: rows ``full-decoder`` and ``pruned``."""


def check(settings: PruneSettings) -> None:
    """Raise ``TrainError`` for the first value that cannot work."""
    for name in ("macs", "parameters"):
        if not 0 < getattr(settings, name) <= 1:
            raise TrainError(f"--{name} {getattr(settings, name):g}: a fraction, give more than 0 and at most 1")
    for name in ("multiple", "measured_batches"):
        if getattr(settings, name) < 1:
            raise TrainError(f"--{name} {getattr(settings, name)}: give 1 or more")
    if settings.report is not None and settings.part != "decoder":
        raise TrainError("--report: has rows for a pruned decoder; leave --report and --pairs out for an encoder")
