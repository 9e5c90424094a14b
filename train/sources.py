"""What a run trains on."""

from train.data import CropDataset
from train.photos import find_photos
from train.settings import SCALE, TrainingSettings


def training_crops(settings: TrainingSettings, degraded: bool = True) -> CropDataset:
    """Crops of the run's photos, beside their low-resolution sides where ``degraded``.

    Raises ``TrainError`` where there are no photos, or none that can be read.
    """
    photos = find_photos(settings.photos, settings.licences)
    return CropDataset(photos, settings.data, settings.degradation if degraded else None, settings.seed, SCALE)
