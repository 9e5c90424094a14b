"""Real-ESRGAN's two-stage degradation (Wang et al. 2021, arXiv 2107.10833) with ResShift's parameters."""

from train.degradation.pipeline import degrade
from train.degradation.settings import DegradationSettings, StageSettings

__all__ = ["DegradationSettings", "StageSettings", "degrade"]
