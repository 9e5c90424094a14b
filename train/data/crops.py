"""Crops of photos beside their degraded versions: endless, and the same for a seed on every run."""

import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from train.data.degradation import DegradationSettings, degraded_pair
from train.data.photos import load_photo, photo_size
from train.data.synthetic import draw_flat, draw_synthetic
from train.engine.errors import PhotoError, TrainError

Picture = NDArray[np.uint8]
Sample = dict[str, Tensor]

_log = logging.getLogger(__name__)

_MOST_PIXELS = 4_000_000
"""A photo counts for at most this many pixels in the choice, so that a few huge ones do not crowd out the rest."""


class Photos(Protocol):
    """What crops are cut from."""

    def draw(self, rng: Generator) -> Picture:
        """A photo [H, W, 3], a function of ``rng`` alone."""


class _PhotoPool:
    """Photos drawn in proportion to their pixels; decoded once and kept where they are few, else at every draw."""

    def __init__(self, photos: Sequence[Path], cache_megapixels: float) -> None:
        self._paths = list(photos)
        self._decoded: dict[int, Picture] = {}
        self._broken: dict[int, str] = {}
        everyone = range(len(self._paths))
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            pixels = np.array(list(threads.map(self._pixels, everyone)), dtype=np.float64)
            self._keeps = bool(pixels.sum() <= cache_megapixels * 1e6)
            if self._keeps:
                list(threads.map(self._load, everyone))
        if self._broken:
            names = "; ".join(reason for _, reason in sorted(self._broken.items()))
            _log.warning("skipped %d of %d photos: %s", len(self._broken), len(self._paths), names)
        self._cumulative = np.cumsum(np.minimum(pixels, _MOST_PIXELS))
        self._raise_if_none_left()

    def draw(self, rng: Generator) -> Picture:
        while True:
            position = rng.random() * self._cumulative[-1]
            index = int(np.searchsorted(self._cumulative, position, side="right"))
            picture = self._load(index)
            if picture is not None:
                return picture
            self._raise_if_none_left()

    def _pixels(self, index: int) -> int:
        try:
            width, height = photo_size(self._paths[index])
        except PhotoError as error:
            self._broken[index] = str(error)
            return 0
        return width * height

    def _load(self, index: int) -> Picture | None:
        """The decoded photo, or None where it is broken; logs only what breaks after the start."""
        if index in self._decoded:
            return self._decoded[index]
        if index in self._broken:
            return None
        try:
            picture = load_photo(self._paths[index])
        except PhotoError as error:
            self._broken[index] = str(error)
            if not self._keeps:
                _log.warning("skipped photo %d of %d: %s", len(self._broken), len(self._paths), error)
            return None
        if self._keeps:
            self._decoded[index] = picture
        return picture

    def _raise_if_none_left(self) -> None:
        if len(self._broken) == len(self._paths):
            raise PhotoError(f"none of {len(self._paths)} photos can be read; give others")


def random_crop(photo: Picture, side: int, rng: Generator, reduction: float = 1.0) -> Picture:
    """A random square [side, side, 3] of `photo` [H, W, 3] after reducing it by `reduction` in (0, 1] (Lanczos).

    The reduction is weaker where the photo is too small for it; a photo smaller than the square is reflected.
    """
    height, width = photo.shape[:2]
    span = max(side, min(round(side / reduction), height, width))
    top = int(rng.integers(max(height - span, 0) + 1))
    left = int(rng.integers(max(width - span, 0) + 1))
    region = photo[top : top + span, left : left + span]
    if region.shape[:2] != (span, span):
        region = np.pad(region, ((0, span - region.shape[0]), (0, span - region.shape[1]), (0, 0)), mode="reflect")
    if span == side:
        return region
    return np.asarray(Image.fromarray(region).resize((side, side), Image.Resampling.LANCZOS))


_ROTATIONS = {"dihedral": 4, "flip": 1}
"""How many quarter turns each augmentation draws from."""


@dataclass(frozen=True)
class CropSettings:
    """How training pictures are cut from photos."""

    crop: int = 192
    """Side of a high-resolution crop in pixels, a multiple of the scale and at least 48."""
    synthetic_prob: float = 0.05
    """Probability that a picture is synthetic (text, patterns), not cut from a photo."""
    flat_prob: float = 0.0
    """Probability that a picture is synthetic and flat: one colour or a gradient."""
    reduce_prob: float = 0.3
    """Probability that a photo is reduced before it is cropped."""
    reduce_range: tuple[float, float] = (0.5, 1.0)
    """Strongest and weakest reduction."""
    grey_prob: float = 0.0
    """Probability that a picture loses its colours: what is grey must stay so."""
    augment: Literal["dihedral", "flip"] = "dihedral"
    """"dihedral" shows all eight orientations, "flip" only mirrors left and right, as faces need it."""
    cache_megapixels: float = 400.0
    """Photos stay decoded in memory, 3 MB a megapixel, where all together have at most so many."""


class CropDataset(Dataset[Sample]):
    """Endless crops: item i is a pure function of (seed, i), so any worker on any run makes the same one."""

    def __init__(
        self,
        photos: Sequence[Path] | Photos,
        settings: CropSettings,
        degradation: DegradationSettings | None = None,
        seed: int = 0,
        scale: int = 4,
    ) -> None:
        """Look at all files, and decode them, in threads, if they are to be kept in memory.

        Without `degradation` items have no "lq". Photos that cannot be read are logged and skipped.

        Raises PhotoError where no photo can be read, TrainError where the crop is no multiple of `scale`.
        """
        if settings.crop % scale:
            raise TrainError(f"crop {settings.crop} is no multiple of the scale {scale}; set another crop")
        self._photos = _PhotoPool(photos, settings.cache_megapixels) if isinstance(photos, Sequence) else photos
        self._settings = settings
        self._degradation = degradation
        self._seed = seed
        self._scale = scale

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, index: int) -> Sample:
        """{"hq": float32 [3, crop, crop], "lq": float32 [3, crop // scale, crop // scale]}, both in [0, 1]."""
        rng = np.random.default_rng(SeedSequence([self._seed, index]))
        hq = torch.from_numpy(self._picture(rng).transpose(2, 0, 1).astype(np.float32, order="C")).div_(255)
        if self._degradation is None:
            return {"hq": hq}
        hq, lq = degraded_pair(hq, rng, self._degradation, self._scale)
        return {"hq": hq, "lq": lq}

    def _picture(self, rng: Generator) -> Picture:
        """A crop or a synthetic picture in one of the orientations."""
        settings = self._settings
        kind = rng.random()
        if kind < settings.synthetic_prob:
            picture = draw_synthetic(rng, settings.crop)
        elif kind < settings.synthetic_prob + settings.flat_prob:
            picture = draw_flat(rng, settings.crop)
        else:
            reduction = rng.uniform(*settings.reduce_range) if rng.random() < settings.reduce_prob else 1.0
            picture = random_crop(self._photos.draw(rng), settings.crop, rng, reduction)
        if settings.grey_prob and rng.random() < settings.grey_prob:
            picture = np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))
        picture = np.rot90(picture, int(rng.integers(_ROTATIONS[settings.augment])))
        return picture[:, ::-1] if rng.random() < 0.5 else picture


class StepBatches(Sampler[list[int]]):
    """Indices of this rank's part of the global batches of steps `start_step` to `start_step + steps`, in order."""

    def __init__(self, batch_size: int, start_step: int, steps: int, rank: int = 0, world_size: int = 1) -> None:
        if batch_size % world_size:
            raise TrainError(f"batch {batch_size} cannot be split evenly over {world_size} processes; set a multiple")
        self._batch_size = batch_size
        self._steps = range(start_step, start_step + steps)
        self._part = batch_size // world_size
        self._rank = rank

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            first = step * self._batch_size + self._rank * self._part
            yield list(range(first, first + self._part))


def loader(
    dataset: Dataset[Sample],
    batch_size: int,
    start_step: int,
    steps: int,
    workers: int,
    rank: int = 0,
    world_size: int = 1,
) -> DataLoader[Sample]:
    """Batches of an endless dataset for `steps` steps from `start_step` on: the same data for any number of `workers`.

    `batch_size` counts all processes together; process `rank` of `world_size` gets its contiguous part of each batch.
    Does not touch torch's global random state. Forked workers share the decoded photos.

    Raises TrainError where the batch cannot be split evenly.
    """
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    return DataLoader(
        dataset,
        batch_sampler=StepBatches(batch_size, start_step, steps, rank, world_size),
        num_workers=workers,
        multiprocessing_context="fork" if workers and can_fork else None,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),
    )
