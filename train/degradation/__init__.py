"""Real-ESRGAN's two-stage degradation (Wang et al. 2021, arXiv 2107.10833) with ResShift's parameters, and GFPGAN's."""

from train.degradation.pairs import degraded_pair
from train.degradation.pipeline import degrade
from train.degradation.settings import DegradationSettings, FaceSettings, StageSettings

__all__ = ["DegradationSettings", "FaceSettings", "StageSettings", "degrade", "degraded_pair"]
