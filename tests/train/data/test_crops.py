"""Training pictures: a pure function of seed and index, whatever loads them; broken photos are passed over."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from train.data.crops import CropDataset, CropSettings, StepBatches, loader, random_crop
from train.data.degradation import DegradationSettings
from train.data.synthetic import draw_flat, draw_synthetic
from train.engine.errors import PhotoError, TrainError

SMALL = CropSettings(crop=64)
DEGRADATION = DegradationSettings()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(3)]
    for path, size in zip(paths, ((90, 120), (200, 150), (40, 70)), strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return paths


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_items_are_pairs_in_range(photos: list[Path]) -> None:
    dataset = CropDataset(photos, SMALL, DEGRADATION)
    for index in (0, 1, 10**12):
        item = dataset[index]
        assert item["hq"].shape == (3, 64, 64)
        assert item["lq"].shape == (3, 16, 16)
        for tensor in item.values():
            assert tensor.dtype == torch.float32
            assert tensor.is_contiguous()
            assert 0 <= tensor.min() <= tensor.max() <= 1


def test_items_depend_on_seed_and_index_alone(photos: list[Path]) -> None:
    kept = CropDataset(photos, SMALL, DEGRADATION, seed=5)
    decoded_every_time = CropDataset(photos, CropSettings(crop=64, cache_megapixels=0), DEGRADATION, seed=5)
    for index in (7, 0, 3):
        assert equal(kept[index], decoded_every_time[index])
    assert not equal(kept[0], kept[1])
    assert not equal(kept[0], CropDataset(photos, SMALL, DEGRADATION, seed=6)[0])


def test_without_a_degradation_the_pictures_are_the_same_but_alone(photos: list[Path]) -> None:
    alone = CropDataset(photos, SMALL)[2]
    assert alone.keys() == {"hq"}
    assert torch.equal(alone["hq"], CropDataset(photos, SMALL, DEGRADATION)[2]["hq"])


def test_a_resumed_run_sees_the_same_batches_with_any_number_of_workers(photos: list[Path]) -> None:
    dataset = CropDataset(photos, SMALL, DEGRADATION)
    whole = list(loader(dataset, 4, start_step=0, steps=5, workers=0))
    resumed = list(loader(dataset, 4, start_step=2, steps=3, workers=2))
    assert len(whole) == 5
    assert len(resumed) == 3
    for a, b in zip(whole[2:], resumed, strict=True):
        assert equal(a, b)


def test_loading_leaves_the_global_random_state_alone(photos: list[Path]) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(loader(CropDataset(photos, SMALL, DEGRADATION), 2, 0, 1, workers=0))
    assert torch.equal(torch.get_rng_state(), before)


@given(share=st.integers(1, 8), world=st.integers(1, 4), start=st.integers(0, 9), steps=st.integers(1, 5))
def test_ranks_split_each_global_batch(share: int, world: int, start: int, steps: int) -> None:
    batch = share * world
    parts = [list(StepBatches(batch, start, steps, rank, world)) for rank in range(world)]
    joined = [index for step in zip(*parts, strict=True) for part in step for index in part]
    assert joined == list(range(start * batch, (start + steps) * batch))
    assert all(len(StepBatches(batch, start, steps, rank, world)) == steps for rank in range(world))


def test_settings_that_cannot_work_are_refused(photos: list[Path]) -> None:
    with pytest.raises(TrainError, match="batch 5 cannot be split evenly over 2"):
        StepBatches(5, 0, 1, world_size=2)
    with pytest.raises(TrainError, match="crop 66 is no multiple of the scale 4"):
        CropDataset(photos, CropSettings(crop=66))


@pytest.mark.parametrize("cache_megapixels", [0, 400])
@pytest.mark.parametrize("kept", [0, 2000])
def test_broken_photos_are_named_and_passed_over(
    photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, cache_megapixels: float, kept: int
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photos[1].read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        dataset = CropDataset([broken, *photos], CropSettings(64, cache_megapixels=cache_megapixels, synthetic_prob=0))
        for index in range(12):
            dataset[index]
    assert len(caplog.messages) == 1
    assert "broken.png" in caplog.text


@pytest.mark.parametrize("kept", [0, 2000])
def test_nothing_but_broken_photos_is_an_error(photos: list[Path], tmp_path: Path, kept: int) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photos[1].read_bytes()[:kept])
    with pytest.raises(PhotoError, match="none of 1 photos can be read"):
        CropDataset([broken], SMALL)
    with pytest.raises(PhotoError, match="none of 1 photos can be read"):
        CropDataset([broken], CropSettings(64, cache_megapixels=0, synthetic_prob=0))[0]


def test_large_photos_are_drawn_more_often(tmp_path: Path) -> None:
    for name, side, color in (("large", 192, "white"), ("small", 64, "black")):
        Image.new("RGB", (side, side), color).save(tmp_path / f"{name}.png")
    dataset = CropDataset(sorted(tmp_path.iterdir()), CropSettings(crop=32, synthetic_prob=0))
    share = np.mean([float(dataset[index]["hq"].mean()) for index in range(300)])
    assert share == pytest.approx(0.9, abs=0.06)


@settings(max_examples=60)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    side=st.integers(1, 64),
    reduction=st.floats(0.5, 1),
    seed=st.integers(0, 99),
)
def test_a_crop_has_its_size_whatever_the_photo(
    height: int, width: int, side: int, reduction: float, seed: int
) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    crop = random_crop(photo, side, np.random.default_rng(seed), reduction)
    assert crop.shape == (side, side, 3)
    assert crop.dtype == np.uint8


def test_a_crop_that_fits_is_a_part_of_the_photo_and_a_reduced_one_is_a_smaller_view() -> None:
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (200, 200, 3)).copy()
    plain = random_crop(ramp, 64, np.random.default_rng(0))
    assert all(int(b) - int(a) == 1 for a, b in pairwise(plain[0, :, 0]))
    reduced = random_crop(ramp, 64, np.random.default_rng(0), reduction=0.5)
    assert int(reduced[0, 40, 0]) - int(reduced[0, 20, 0]) == pytest.approx(40, abs=1)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), size=st.integers(16, 96))
def test_drawings_depend_on_the_seed_alone_and_show_something(seed: int, size: int) -> None:
    picture = draw_synthetic(np.random.default_rng(seed), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, draw_synthetic(np.random.default_rng(seed), size))


def test_drawings_have_edges_and_vary() -> None:
    pictures = [draw_synthetic(np.random.default_rng(seed), 96).astype(float) for seed in range(30)]
    assert np.median([picture.std(axis=(0, 1)).max() for picture in pictures]) > 20
    assert len({picture.tobytes() for picture in pictures}) == 30


def test_plain_pictures_are_of_one_colour_or_a_gradient() -> None:
    sheets = [draw_flat(np.random.default_rng(seed), 48).astype(int) for seed in range(40)]
    flat = [sheet for sheet in sheets if (sheet == sheet[0, 0]).all()]
    assert 10 < len(flat) < 30
    assert all(np.abs(np.diff(sheet, axis=axis)).max() <= 3 for sheet in sheets for axis in (0, 1))
    assert sum(bool(np.isin(sheet[0, 0], (0, 255)).all()) for sheet in flat) >= 2


def test_plain_pictures_are_among_the_crops(photos: list[Path]) -> None:
    settings = CropSettings(crop=48, synthetic_prob=0.0, flat_prob=1.0)
    hq = CropDataset(photos, settings)[0]["hq"] * 255
    assert hq.diff(dim=1).abs().max() <= 3


def test_grey_pictures_are_grey(photos: list[Path]) -> None:
    red, *others = CropDataset(photos, CropSettings(crop=48, grey_prob=1.0))[0]["hq"]
    assert all(channel.equal(red) for channel in others)
    assert red.std() > 0
