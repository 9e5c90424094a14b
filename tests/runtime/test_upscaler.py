import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime import BackendError, BundleError, SettingError, TileError, Upscaler
from runtime.bundle import read_bundle
from tests.conftest import write_toy_bundle

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def upscaler(toy_bundle: Path) -> Upscaler:
    return runtime.load(toy_bundle, threads=1)


def test_every_small_size(upscaler: Upscaler) -> None:
    for height in range(1, 10):
        for width in range(1, 10):
            picture = RNG.random((height, width, 3), np.float32)
            result = upscaler(picture)
            assert result.shape == (4 * height, 4 * width, 3)
            assert result.min() >= 0
            assert result.max() <= 1


@pytest.mark.parametrize("size", [(97, 61), (64, 64), (33, 200), (5, 90), (1, 70)])
@pytest.mark.parametrize("tile", [20, 32, 64])
def test_exact_tiles_equal_the_whole_picture(upscaler: Upscaler, size: tuple[int, int], tile: int) -> None:
    picture = RNG.random((*size, 3), np.float32)
    tiled = upscaler(picture, tile=tile, seam="exact")
    np.testing.assert_allclose(tiled, upscaler(picture), atol=2e-6)


def test_fast_seam_cuts_as_near_as_the_manifest_says(upscaler: Upscaler) -> None:
    picture = RNG.random((64, 64, 3), np.float32)
    error = np.abs(upscaler(picture, tile=16, seam="fast") - upscaler(picture))
    assert error.max() > 1e-3  # the toy's effective radius is a lie, or the test above could not fail
    assert error[:48, :48].max() < 2e-6  # of the first tile 14 pixels are kept, and 12 see no edge


def test_fixed_size_model(tmp_path: Path) -> None:
    fixed = runtime.load(write_toy_bundle(tmp_path / "fixed.tadsr", tile=32))
    fixed.warmup()
    for size in ((5, 7), (32, 32), (75, 40)):
        assert fixed(np.zeros((*size, 3), np.uint8)).shape == (4 * size[0], 4 * size[1], 3)
    with pytest.raises(TileError, match="built for tiles of 32"):
        fixed(np.zeros((5, 7), np.uint8), tile=64)


def test_the_result_has_the_same_kind(toy_bundle: Path, tmp_path: Path) -> None:
    levels = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    from_array = runtime.upscale(levels, bundle=toy_bundle)
    from_image = runtime.upscale(Image.fromarray(levels), bundle=toy_bundle)
    from_path = runtime.upscale(tmp_path / "a.png", bundle=toy_bundle)
    from_text = runtime.upscale(str(tmp_path / "a.png"), bundle=str(toy_bundle))
    assert isinstance(from_array, np.ndarray)
    assert from_array.dtype == np.uint8
    for image in (from_image, from_path, from_text):
        assert isinstance(image, Image.Image)
        np.testing.assert_array_equal(np.asarray(image), from_array)
    # The toy is nearest enlargement and a little more, so colours must be near.
    assert np.abs(from_array[::4, ::4].astype(int) - levels).mean() < 40


def test_16_bit_float_and_8_bit_agree(upscaler: Upscaler) -> None:
    levels = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    floats = upscaler(levels / 255)
    np.testing.assert_allclose(upscaler(levels), floats * 255, atol=0.51)
    np.testing.assert_allclose(upscaler(levels.astype(np.uint16) * 257), floats * 65535, atol=1)


def test_progress_counts_tiles_and_can_cancel(upscaler: Upscaler) -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    seen: list[tuple[int, int]] = []
    upscaler(picture, tile=32, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscaler(picture, progress=cancel)


def test_deterministic_and_thread_safe(upscaler: Upscaler) -> None:
    pictures = [RNG.integers(0, 256, (20 + i, 40 - i, 3), np.uint8) for i in range(8)]
    alone = [upscaler(picture, tile=32) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: upscaler(picture, tile=32), pictures))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nan_fails_the_picture_and_names_the_tile(tmp_path: Path) -> None:
    broken = runtime.load(write_toy_bundle(tmp_path / "nan.tadsr", gain=float("nan")))
    with pytest.raises(
        BackendError, match=r"toy\.onnx on onnx gave NaN or infinite values in tile 1 of 4 \(x=0, y=0\)"
    ):
        broken(np.zeros((50, 50, 3), np.uint8), tile=32)


def test_a_manifest_with_the_wrong_scale_is_noticed(toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(json.dumps({**json.loads(text), "scale": 2}))
    with pytest.raises(BackendError, match="instead of"):
        runtime.load(folder)(np.zeros((8, 8, 3), np.uint8))


def test_settings_that_cannot_work(upscaler: Upscaler) -> None:
    with pytest.raises(SettingError, match="seam=soft: unknown; choose one of fast, exact"):
        upscaler(np.zeros((8, 8), np.uint8), seam="soft")
    with pytest.raises(TileError, match="seam of 7 pixels on each side; use tile=None or a multiple of 4 >= 20"):
        upscaler(np.zeros((50, 50), np.uint8), seam="exact", tile=16)


def test_bundles_that_cannot_be_loaded(toy_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        runtime.load(tmp_path / "missing.tadsr")
    with pytest.raises(BackendError, match="backend=cuda: unknown"):
        runtime.load(toy_bundle, backend="cuda")
    with pytest.raises(BundleError, match="nothing for auto/int8"):
        runtime.load(toy_bundle, precision="int8")
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    (folder / "toy.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match="damaged or was changed"):
        runtime.upscale(np.zeros((8, 8), np.uint8), bundle=folder)


def test_default_bundle(toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "DEFAULT_BUNDLE", tmp_path / "none.tadsr")
    runtime._load_default.cache_clear()
    with pytest.raises(BundleError, match="default bundle is not installed; reinstall tadsr or name a bundle"):
        runtime.load()
    monkeypatch.setattr(runtime, "DEFAULT_BUNDLE", toy_bundle)
    try:
        assert runtime.upscale(np.zeros((2, 3), np.uint8)).shape == (8, 12)
        runtime.upscale(np.zeros((2, 3), np.uint8))
        assert runtime._load_default.cache_info().hits == 1
    finally:
        runtime._load_default.cache_clear()


def test_closed_upscaler(toy_bundle: Path) -> None:
    with runtime.load(toy_bundle) as upscaler:
        upscaler.warmup()
    with pytest.raises(SettingError, match="closed"):
        upscaler(np.zeros((2, 3), np.uint8))


def test_zipped_bundle_gives_the_same_picture(toy_bundle: Path, tmp_path: Path, upscaler: Upscaler) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "toy"), "zip", toy_bundle)).rename(tmp_path / "toy.tadsr")
    picture = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(runtime.upscale(picture, bundle=archive), upscaler(picture))
    assert read_bundle(archive).manifest == upscaler.manifest


def test_backends() -> None:
    assert runtime.backends()["onnx"].available


def test_import_is_light() -> None:
    code = (
        "import numpy, PIL.Image, sys, time; start = time.perf_counter(); import runtime;"
        "print(time.perf_counter() - start, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    root = Path(__file__).parents[2]
    seconds, *modules = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "onnxruntime", "onnx", "scipy", "skimage", "train", "compress", "export", "apps"} & {*modules}
    assert float(seconds) < 1  # typically 0.05 s; the bound leaves room for a busy machine
