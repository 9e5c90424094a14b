"""From file to file: what is read, what is refused, and what is left behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime import settings
from runtime.errors import PictureError, SettingError
from runtime.pictures import saving
from runtime.tiles import planning

from .engines import watched

SUFFIXES = [".png", ".jpg", ".webp", ".tif", ".gif"]


@pytest.fixture(scope="module")
def upscaler(toy_bundle: Path) -> Iterator[runtime.Upscaler]:
    with runtime.load(toy_bundle, threads=1) as loaded:
        yield loaded


@pytest.fixture
def never(upscaler: runtime.Upscaler) -> Iterator[runtime.Upscaler]:
    """An upscaler whose network must not run."""
    with watched(upscaler, lambda batch: pytest.fail("the network ran")):
        yield upscaler


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_source_is_only_read(suffix: str, upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    Image.linear_gradient("L").resize((20, 12)).save(source)
    source.chmod(0o444)
    before = source.read_bytes(), source.stat()
    assert upscaler.to_file(source, tmp_path / "out.png") == (80, 48)
    assert source.read_bytes() == before[0]
    assert (source.stat().st_mtime_ns, source.stat().st_mode) == (before[1].st_mtime_ns, before[1].st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {source.name, "out.png"}


def test_settings_and_progress_reach_the_tiles(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").resize((50, 40)).save(tmp_path / "in.png")
    counts: list[tuple[int, int]] = []
    upscaler.to_file(
        str(tmp_path / "in.png"),
        str(tmp_path / "out.png"),
        tile=32,
        seam="exact",
        progress=lambda *count: counts.append(count),
    )
    expected = np.asarray(upscaler(tmp_path / "in.png", tile=32, seam="exact"))
    assert counts[-1] == (len(counts), len(counts))
    assert len(counts) > 1
    with Image.open(tmp_path / "out.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), expected)


def test_what_cannot_be_is_said_before_the_work(never: runtime.Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    Image.new("RGB", (4, 4)).save(source)
    with pytest.raises(PictureError, match="unknown picture suffix"):
        never.to_file(source, tmp_path / "out.psd")
    with pytest.raises(PictureError, match="folder does not exist"):
        never.to_file(source, tmp_path / "none" / "out.png")
    with pytest.raises(SettingError, match="quality=0"):
        never.to_file(source, tmp_path / "out.jpg", quality=0)
    with pytest.raises(PictureError, match="no such file"):
        never.to_file(tmp_path / "none.png", tmp_path / "out.png")


def test_a_failing_network_leaves_nothing(upscaler: runtime.Upscaler, tmp_path: Path) -> None:
    def fail(batch: np.ndarray) -> None:
        raise runtime.BackendError("the engine failed")

    Image.new("RGB", (4, 4)).save(tmp_path / "in.png")
    with pytest.raises(runtime.BackendError), watched(upscaler, fail):
        upscaler.to_file(tmp_path / "in.png", tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize("limit", [None, "3GB"])
def test_a_file_is_opened_and_options_are_checked_once(
    limit: str | None, upscaler: runtime.Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    Image.new("RGB", (8, 8)).save(tmp_path / "in.png")
    count(Image, "open")
    count(saving, "is_installed")  # of `check_output`
    count(settings, "parse_bytes")
    count(planning, "plan_tiles")
    upscaler.to_file(tmp_path / "in.png", tmp_path / "out.jpg", max_memory=limit)
    limited = 0 if limit is None else 1
    assert {name: calls.count(name) for name in ("open", "is_installed", "parse_bytes", "plan_tiles")} == {
        "open": 1,
        "is_installed": 1,
        "parse_bytes": limited,
        "plan_tiles": 1 + limited,  # whether it fits, and once it is decoded
    }
