"""What a run trains on: a folder or list of photos, tar shards of them, or samples of the teacher."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from train.data.crops import CropDataset, Photos, Picture, Sample
from train.data.photos import MANIFEST, find_photos, load_photo
from train.data.shards import ShardPool, find_shards
from train.data.teacher_samples import TeacherSamples, holds_samples, read_description
from train.engine.errors import PhotoError, TrainError
from train.engine.processes import quiet_unless_first
from train.engine.settings import StageSettings


def training_photos(settings: StageSettings) -> Sequence[Path] | Photos:
    """The run's photos, as ``CropDataset`` takes them.

    Raises ``PhotoError`` where there are none, or where shards are asked for their licences.
    """
    quiet_unless_first()
    shards = find_shards(settings.photos)
    if not shards:
        return find_photos(settings.photos, settings.licences)
    if settings.licences == "free":
        raise PhotoError(f"{settings.photos}: shards have no {MANIFEST} to show the licences; allow all licences")
    return ShardPool(shards)


def training_crops(settings: StageSettings, degraded: bool = True) -> CropDataset:
    """Crops of the run's photos, beside their low-resolution sides where ``degraded``.

    Raises ``TrainError`` where there are no photos, or none that can be read.
    """
    degradation = settings.degradation if degraded else None
    return CropDataset(training_photos(settings), settings.data, degradation, settings.seed, settings.model.scale)


def training_data(settings: StageSettings) -> Dataset[Sample]:
    """Crops of photos beside their low-resolution sides, or the pictures of a folder of the teacher's samples.

    Raises ``TrainError`` where there are none, or not all of the samples, or where they were made of other photos than
    ``settings.licences`` allows.
    """
    if not holds_samples(settings.photos):
        return training_crops(settings)
    if settings.licences == "free" and seen_licences(settings) != "free":
        raise TrainError(f"{settings.photos}: samples of photos of all licences; make them again with --licences free")
    return TeacherSamples(settings.photos, settings.seed)


def seen_licences(settings: StageSettings) -> str:
    """ "free" where a run sees freely licensed photos only, itself or in the teacher's samples; else "all"."""
    if holds_samples(settings.photos):
        return str(read_description(settings.photos)["licences"])
    return settings.licences


def some_photos(settings: StageSettings, count: int) -> list[Picture]:
    """So many of the run's photos (or sharp sides of the teacher's samples), spread over all of them and the same every
    time. Raises as ``training_data``.
    """
    if holds_samples(settings.photos):
        samples = TeacherSamples(settings.photos, settings.seed)
        sharp = [(255 * samples[i]["hq"]).round().numpy().astype(np.uint8) for i in range(count)]
        return [picture.transpose(1, 2, 0) for picture in sharp]
    photos = training_photos(settings)
    if not isinstance(photos, Sequence):
        rng = np.random.default_rng(0)
        return [photos.draw(rng) for _ in range(count)]
    return [load_photo(path) for path in photos[:: max(1, len(photos) // count)][:count]]
