import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime import PictureError, SettingError
from runtime.tiles import memory
from runtime.tiles.memory import engine_bytes, parse_bytes
from tests.runtime.engines import watched

ROOT = Path(__file__).parents[3]
LIMITED = """
import sys, numpy as np, runtime
from tadsr.measuring import peak_memory
source, target, precision, limit, *tile = sys.argv[1:]
with runtime.load(precision=precision, threads=2) as upscaler:
    upscaler.to_file(source, target, max_memory=limit, tile=int(tile[0]) if tile else None)
print(peak_memory())
"""


@pytest.mark.parametrize(
    ("text", "amount"),
    [("700MB", 700 * 10**6), ("1.5 GB", 1500 * 10**6), ("512MiB", 2**29), ("2g", 2 * 10**9), (12345, 12345)],
)
def test_amounts(text: str | int, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "lots", "-5MB", "0", "7TB", "MB", "1e9"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(SettingError, match="write for example 700MB"):
        parse_bytes(text)


def test_more_pixels_take_more_memory() -> None:
    sizes = [64, 100, 128, 200, 256, 512, 700, 1024]
    for precision in ("fp32", "int8"):
        needed = [engine_bytes("onnx", precision, side * side) for side in sizes]
        assert needed == sorted(needed)
        assert needed[0] > 30e6
    assert engine_bytes("alien", "fp16", 65536) == max(engine_bytes("onnx", p, 65536) for p in ("fp32", "int8"))


@pytest.fixture
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB for tiles of 64x64 to 1 GB for 512x512, whatever was measured of the engines."""
    points = [[64 * 64, 100e6], [512 * 512, 1e9]]
    known = {"engines": [{"backend": "any", "precision": "any", "points": points}]}
    monkeypatch.setattr(memory, "_measured", lambda: known)


@pytest.mark.usefixtures("known_engine")
def test_a_limit_chooses_the_tile(toy_bundle: Path) -> None:
    picture = np.zeros((1000, 300, 3), np.uint8)
    with runtime.load(toy_bundle, threads=1) as upscaler:
        tiles = []
        for limit in (None, "900MB", "500MB", "250MB"):
            shapes: list[tuple[int, ...]] = []
            with watched(upscaler, lambda batch, shapes=shapes: shapes.append(batch.shape)):  # type: ignore[misc]
                upscaler(picture, max_memory=limit)
            tiles.append(shapes[0][2] * shapes[0][3])
        assert tiles == sorted(tiles, reverse=True)
        assert len(set(tiles)) >= 3


@pytest.mark.usefixtures("known_engine")
def test_a_limit_lowers_the_batch_before_the_tile(toy_bundle: Path) -> None:
    picture = np.zeros((600, 600, 3), np.uint8)
    with runtime.load(toy_bundle, threads=1) as upscaler:
        shapes: list[tuple[int, ...]] = []
        with watched(upscaler, lambda batch: shapes.append(batch.shape)):
            upscaler(picture, tile=256, batch=8)
            many = shapes[0]
            shapes.clear()
            upscaler(picture, tile=256, batch=8, max_memory="700MB")
            assert shapes[0] == (1, 3, 256, 256)
            with pytest.raises(PictureError, match=r"as a whole this picture needs about .* MB"):
                upscaler(picture, tile=256, batch=8, max_memory="300MB")
        assert many == (8, 3, 256, 256)


def test_what_cannot_be_held_is_refused_before_it_is_read(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (3000, 3000)).save(tmp_path / "large.png")
    monkeypatch.setattr(runtime.upscaler, "open_picture", lambda source: pytest.fail("was read"))
    refused = pytest.raises(PictureError, match=r"needs about .* MB, max_memory allows 700 MB; let `to_file` write it")
    with runtime.load(toy_bundle) as upscaler, refused:
        upscaler(tmp_path / "large.png", max_memory="700MB")


def test_the_measured_figures_name_their_command() -> None:
    measured = memory._measured()
    assert measured["command"] == "python -m apps.benchmarks.memory"
    assert measured["machine"]["cpu"]
    assert {(row["backend"], row["precision"]) for row in measured["engines"]} >= {("onnx", "fp32"), ("onnx", "int8")}


def peak(source: Path, target: Path, precision: str, limit: str, *tile: str) -> int:
    command = [sys.executable, "-c", LIMITED, str(source), str(target), precision, limit, *tile]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    if "None" in done.stdout:
        pytest.skip("this system does not tell a process its memory")
    return int(done.stdout)


@pytest.fixture
def photo(tmp_path: Path) -> Callable[[int, int], Path]:
    def make(width: int, height: int) -> Path:
        path = tmp_path / f"{width}x{height}.png"
        with Image.open(ROOT / "tests" / "photos" / "HR" / "coffee.png") as coffee:
            coffee.convert("RGB").resize((width, height)).save(path)
        return path

    return make


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("limit", [400, 600])
def test_a_real_process_keeps_within_the_limit(
    photo: Callable[[int, int], Path], tmp_path: Path, precision: str, limit: int
) -> None:
    used = peak(photo(600, 250), tmp_path / "large.png", precision, f"{limit}MB")
    assert used <= limit * 10**6


@pytest.mark.slow
def test_ten_thousand_pixels_a_side_within_700_mb_whatever_the_height(
    photo: Callable[[int, int], Path], tmp_path: Path
) -> None:
    pytest.importorskip("pyvips", reason="needs pyvips, which comes with tadsr[imaging]")
    peaks = [peak(photo(2500, height), tmp_path / f"{height}.jpg", "fp32", "700MB") for height in (2500, 5000)]
    with Image.open(tmp_path / "2500.jpg") as square:
        assert square.size == (10_000, 10_000)
    assert max(peaks) <= 700 * 10**6
    # The tile that is chosen depends a little on the height: the low picture once more, with the tile of the high one.
    peaks[0] = peak(photo(2500, 2500), tmp_path / "2500.jpg", "fp32", "700MB", "348")
    assert abs(peaks[0] - peaks[1]) <= 0.05 * peaks[0]
