"""Settings of quantisation."""

from dataclasses import dataclass
from pathlib import Path

from train.engine.errors import TrainError
from train.engine.settings import TrainingSettings

AUTO = "AUTO"
NONE = "NONE"


@dataclass(frozen=True)
class QuantizeSettings(TrainingSettings):
    """Settings of quantisation and of the finetuning in it."""

    program: Path = Path("runs/fold/student.pt2")
    """The folded float program of free size, with its program.json beside it."""
    ptq: bool = False
    """"true" stops after calibration: the weights stay as they are."""
    calibration: int = 256
    """Pictures that the ranges of activations are measured on, four crops of each."""
    keep_float: str = AUTO
    """Convolutions and sums that stay in float beside the first and the last convolutions: names as the run's
    sensitivity.json lists them, with commas between; "AUTO" takes those that cost most quality for their work, "NONE"
    no others."""
    float_macs: float = 0.02
    """For AUTO: at most this fraction of the multiply-accumulates stays in float beside the first and last ones."""
    distillation_weight: float = 1.0
    """Weight of L1 between the INT8 pictures and the float program's."""
    frequency_weight: float = 0.5
    """Weight of the frequency loss between the same two."""
    pixel_weight: float = 0.01
    """Weight of L1 between the INT8 pictures and HQ."""
    pairs: Path | None = None
    """Folder with LR and HR inside: measure the result on them, as rows of --report. A finished run is measured by
    giving its command again."""
    report: Path | None = None
    """Folder of the report: rows ``folded``, where it is not there, ``ptq`` and ``qat``."""


def check(settings: QuantizeSettings) -> None:
    """Raise ``TrainError`` for the first value that cannot work."""
    if settings.calibration < 1:
        raise TrainError(f"--calibration {settings.calibration}: give 1 or more")
    if not 0 <= settings.float_macs <= 1:
        raise TrainError(f"--float-macs {settings.float_macs:g}: a fraction, give 0 to 1")
    if settings.precision != "32-true":
        raise TrainError(f"--precision {settings.precision}: rounding to INT8 is learnt in float32; give 32-true")
