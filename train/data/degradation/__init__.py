"""Real-ESRGAN's two-stage degradation (Wang et al. 2021, arXiv 2107.10833) with ResShift's parameters, and GFPGAN's."""

from train.data.degradation.pipeline import degrade, degraded_pair
from train.data.degradation.settings import DegradationSettings, FaceSettings, StageSettings

__all__ = ["DegradationSettings", "FaceSettings", "StageSettings", "degrade", "degraded_pair"]
