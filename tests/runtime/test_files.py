from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.errors import PictureError, SettingError
from runtime.pictures.files import upscale_file

SUFFIXES = [".png", ".jpg", ".webp", ".tif", ".gif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_source_is_only_read(suffix: str, toy_bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    Image.linear_gradient("L").resize((20, 12)).save(source)
    source.chmod(0o444)
    before = source.read_bytes(), source.stat()
    with runtime.load(toy_bundle) as upscaler:
        assert upscale_file(upscaler, source, tmp_path / "out.png") == (80, 48)
    assert source.read_bytes() == before[0]
    assert (source.stat().st_mtime_ns, source.stat().st_mode) == (before[1].st_mtime_ns, before[1].st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {source.name, "out.png"}


def test_settings_and_progress_reach_the_upscaler(toy_bundle: Path, tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").resize((50, 40)).save(tmp_path / "in.png")
    told: list[tuple[int, int]] = []
    with runtime.load(toy_bundle) as upscaler:
        upscale_file(
            upscaler,
            str(tmp_path / "in.png"),
            str(tmp_path / "out.png"),
            tile=32,
            seam="exact",
            progress=lambda *count: told.append(count),
        )
        expected = np.asarray(upscaler(tmp_path / "in.png", tile=32, seam="exact"))
    assert told[-1] == (len(told), len(told))
    assert len(told) > 1
    with Image.open(tmp_path / "out.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), expected)


def test_what_cannot_be_is_said_before_the_work(tmp_path: Path) -> None:
    def never(*arguments: object, **settings: object) -> None:
        raise AssertionError("the network ran")

    source = tmp_path / "in.png"
    Image.new("RGB", (4, 4)).save(source)
    with pytest.raises(PictureError, match="unknown picture suffix"):
        upscale_file(never, source, tmp_path / "out.psd")
    with pytest.raises(PictureError, match="folder does not exist"):
        upscale_file(never, source, tmp_path / "none" / "out.png")
    with pytest.raises(SettingError, match="quality=0"):
        upscale_file(never, source, tmp_path / "out.jpg", quality=0)
    with pytest.raises(PictureError, match="no such file"):
        upscale_file(never, tmp_path / "none.png", tmp_path / "out.png")


def test_a_failing_network_leaves_nothing(tmp_path: Path) -> None:
    def failing(*arguments: object, **settings: object) -> None:
        raise runtime.BackendError("the engine failed")

    Image.new("RGB", (4, 4)).save(tmp_path / "in.png")
    with pytest.raises(runtime.BackendError):
        upscale_file(failing, tmp_path / "in.png", tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
