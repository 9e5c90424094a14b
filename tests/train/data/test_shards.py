"""Photos in tar shards: found by folder or pattern, drawn at random places, the broken ones named and passed over."""

import io
import logging
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.tiny import write_preset
from train.data.crops import CropDataset, CropSettings
from train.data.shards import ShardPool, _expand, find_shards
from train.data.synthetic import draw_synthetic
from train.engine.errors import PhotoError
from train.engine.settings import TrainingSettings, parse
from train.engine.sources import some_photos, training_crops


def photo(seed: int, suffix: str = "png") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_synthetic(np.random.default_rng(seed), 96)).save(stream, suffix)
    return stream.getvalue()


def write_shard(path: Path, members: dict[str, bytes], layout: int = tarfile.USTAR_FORMAT) -> Path:
    """A tar as the webdataset library writes it: the files of a sample one after the other, with a common stem."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=layout) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of two photos each, with labels between them."""
    folder = tmp_path_factory.mktemp("shards")
    for shard in range(3):
        members: dict[str, bytes] = {}
        for i in range(2):
            members |= {f"{shard}{i}.png": photo(2 * shard + i), f"{shard}{i}.cls": b"7"}
        write_shard(folder / f"train-{8 + shard:04}.tar", members)
    return folder


def settings_for(photos: Path | str, tmp_path: Path, *options: str) -> TrainingSettings:
    preset = write_preset(tmp_path / "tiny.yaml")
    argv = ["--preset", str(preset), "--photos", str(photos), "--out", str(tmp_path / "out"), *options]
    return parse(TrainingSettings, "train.teacher", "", argv)


def test_a_folder_and_a_pattern_name_the_same_shards(folder: Path) -> None:
    assert find_shards(folder) == find_shards(folder / "train-{0008..0010}.tar") == sorted(folder.iterdir())


def test_what_is_no_shard_is_left_to_others(tmp_path: Path) -> None:
    assert find_shards(tmp_path) == find_shards(tmp_path / "list.txt") == []


@settings(max_examples=30)
@given(first=st.integers(0, 120), count=st.integers(1, 20), digits=st.integers(1, 6))
def test_patterns_keep_their_leading_zeros(first: int, count: int, digits: int) -> None:
    last = first + count - 1
    width = len(f"{first:0{digits}}")
    names = list(_expand(f"s/{{{first:0{digits}}..{last}}}-of-9.tar"))
    assert names == [f"s/{number:0{width}}-of-9.tar" for number in range(first, last + 1)]


def test_two_ranges_multiply() -> None:
    assert list(_expand("{a,b}{1..2}/{08..09}.tar")) == [
        *("{a,b}1/08.tar", "{a,b}1/09.tar", "{a,b}2/08.tar", "{a,b}2/09.tar")
    ]


def test_every_photo_is_read_as_it_was_written(folder: Path) -> None:
    pool = ShardPool(find_shards(folder))
    assert len(pool) == 6
    for index in range(6):
        np.testing.assert_array_equal(pool.load(index), draw_synthetic(np.random.default_rng(index), 96))


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_any_layout_of_tar(tmp_path: Path, layout: int) -> None:
    name = f"{'long/' * 15}{'n' * 90}.png"
    shard = write_shard(tmp_path / "a.tar", {name: photo(0), "./b.JPG": photo(1, "jpeg")}, layout)
    pool = ShardPool([shard])
    assert len(pool) == 2
    np.testing.assert_array_equal(pool.load(0), draw_synthetic(np.random.default_rng(0), 96))


def test_shards_of_the_webdataset_library_are_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="needs webdataset, which only writes the shards here")
    with webdataset.ShardWriter(str(tmp_path / "%06d.tar"), maxcount=2, verbose=0) as writer:
        for i in range(5):
            writer.write({"__key__": f"photo{i}", "png": photo(i), "cls": i})
    pool = ShardPool(find_shards(tmp_path / "{000000..000002}.tar"))
    assert len(pool) == 5
    np.testing.assert_array_equal(pool.load(4), draw_synthetic(np.random.default_rng(4), 96))


def test_items_depend_on_seed_and_index_alone(folder: Path, tmp_path: Path) -> None:
    one = training_crops(settings_for(folder, tmp_path))
    other = training_crops(settings_for(folder / "train-{0008..0010}.tar", tmp_path))
    for index in (5, 0, 10**12):
        assert all(one[index][key].equal(other[index][key]) for key in ("hq", "lq"))
    assert not one[0]["hq"].equal(one[1]["hq"])


def test_photos_to_measure_with_are_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    chosen = settings_for(folder, tmp_path)
    first, again = some_photos(chosen, 4), some_photos(chosen, 4)
    assert len(first) == 4
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_broken_photos_are_named_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    members = {"good.png": photo(0), "broken.png": photo(1)[:900], "text.jpg": b"no picture", "empty.webp": b""}
    pool = ShardPool([write_shard(tmp_path / "a.tar", members)])
    with caplog.at_level(logging.WARNING):
        drawn = [pool.draw(np.random.default_rng(seed)) for seed in range(40)]
    for picture in drawn:
        np.testing.assert_array_equal(picture, draw_synthetic(np.random.default_rng(0), 96))
    assert len(caplog.messages) == 3
    for name in ("broken.png", "text.jpg", "empty.webp", "skipped photo 3 of 4", "a.tar"):
        assert name in caplog.text


def test_a_shard_cut_short_gives_what_it_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = write_shard(tmp_path / "whole.tar", {f"{i}.png": photo(i) for i in range(3)})
    cut = tmp_path / "cut.tar"
    second = 512 + -(-len(photo(0)) // 512) * 512
    cut.write_bytes(whole.read_bytes()[: second + 512 + 100])
    none = tmp_path / "none.tar"
    none.write_bytes(b"no tar at all" * 100)
    with caplog.at_level(logging.WARNING):
        pool = ShardPool([cut, none, whole])
    assert len(pool) == 2 + 3, "the second photo of the cut shard is broken, its third is not seen"
    assert "skipped 2 of 3 shards" in caplog.text
    assert "cut.tar" in caplog.text
    assert "none.tar" in caplog.text


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"1 of 2 shards do not exist, the first is .*train-0011\.tar"):
        find_shards(folder / "train-{0010..0011}.tar")
    with pytest.raises(PhotoError, match="0 of 0 shards"):
        find_shards(folder / "train-{0010..0008}.tar")
    with pytest.raises(PhotoError, match=r"shards have no MANIFEST\.csv to show the licences"):
        training_crops(settings_for(folder, tmp_path, "--licences", "free"))
    with pytest.raises(PhotoError, match="none of 0 photos in 1 shards"):
        ShardPool([write_shard(tmp_path / "labels.tar", {"0.cls": b"1"})])
    pool = ShardPool([write_shard(tmp_path / "broken.tar", {"0.png": b"no picture"})])
    with pytest.raises(PhotoError, match="none of 1 photos in 1 shards"):
        CropDataset(pool, CropSettings(64, synthetic_prob=0))[0]
