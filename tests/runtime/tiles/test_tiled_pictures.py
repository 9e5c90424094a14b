"""Tiles on a real engine: the toy network for every combination, the shipped one for what is promised of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import runtime
from runtime import BackendError, TileError, Upscaler
from runtime.bundle import Artifact, read_bundle, write_bundle
from tests.conftest import TOY_ALIGN, write_toy_bundle, write_toy_onnx
from tests.runtime.engines import watched

PHOTO = Path(__file__).parents[2] / "photos" / "HR" / "coffee.png"


@pytest.fixture(scope="module")
def toy(toy_bundle: Path) -> Upscaler:
    return runtime.load(toy_bundle, threads=1)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@settings(max_examples=60, derandomize=True)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(5, 12),
    batch=st.integers(1, 7),
    most=st.one_of(st.none(), st.integers(1, 4)),
    channels=st.sampled_from([1, 3, 4]),
)
def test_any_size_tile_and_batch_equal_the_whole_picture(
    toy: Upscaler, height: int, width: int, tile: int, batch: int, most: int | None, channels: int
) -> None:
    picture = noise(height, width, channels)
    whole = toy(picture)
    calls: list[tuple[int, ...]] = []
    with watched(toy, lambda batch: calls.append(batch.shape), most):
        tiled = toy(picture, tile=4 * tile, seam="exact", batch=batch)
    atol = 2e-3 if channels == 4 else 2e-6  # colour is divided by an alpha that may be small
    np.testing.assert_allclose(tiled, whole, atol=atol)
    assert max(shape[0] for shape in calls) <= min(batch, most or batch)
    assert {shape[2] for shape in calls} == {min(4 * tile, 4 * -(-height // 4))}
    assert {shape[3] for shape in calls} == {min(4 * tile, 4 * -(-width // 4))}


@settings(max_examples=30, derandomize=True)
@given(rows=st.integers(1, 12), columns=st.integers(1, 12), down=st.integers(0, 12), right=st.integers(0, 12))
def test_rolling_a_texture_rolls_the_result(toy: Upscaler, rows: int, columns: int, down: int, right: int) -> None:
    picture = noise(rows * TOY_ALIGN, columns * TOY_ALIGN, 3)
    shift = (down * TOY_ALIGN, right * TOY_ALIGN)
    options = runtime.Options(wrap=True, seam="exact", tile=32)
    rolled = toy(np.roll(picture, shift, (0, 1)), **options)
    expected = np.roll(toy(picture, **options), (4 * shift[0], 4 * shift[1]), (0, 1))
    np.testing.assert_allclose(rolled, expected, atol=2e-6)


def test_a_texture_that_wraps_differs_at_its_sides_only(toy: Upscaler) -> None:
    picture = noise(40, 40, 3)
    difference = np.abs(toy(picture, wrap=True, seam="exact") - toy(picture)).max(axis=-1)
    assert difference[:4].max() > 1e-3
    assert difference[32:-32, 32:-32].max() < 2e-6


def test_the_engine_is_called_with_the_tile_that_was_asked_for(toy: Upscaler) -> None:
    for tile, calls in ((32, 16), (64, 4), (100, 1)):
        seen: list[tuple[int, ...]] = []
        with watched(toy, lambda batch, seen=seen: seen.append(batch.shape)):  # type: ignore[misc]
            toy(noise(100, 100, 3), tile=tile)
        assert seen == [(1, 3, tile, tile)] * calls


def test_each_call_sees_its_part_of_the_picture(toy: Upscaler) -> None:
    picture = noise(50, 50, 3)
    seen: list[np.ndarray] = []
    with watched(toy, seen.append):
        toy(picture, tile=32)
    assert len(seen) == 4
    expected = picture.transpose(2, 0, 1)
    np.testing.assert_array_equal(seen[0][0], expected[:, :32, :32])
    np.testing.assert_array_equal(seen[3][0][:, :30, :30], expected[:, 20:50, 20:50])
    assert all(batch.flags.c_contiguous and batch.dtype == np.float32 for batch in seen)


def test_alpha_goes_through_the_engine_too(toy: Upscaler) -> None:
    seen: list[tuple[int, ...]] = []
    with watched(toy, lambda batch: seen.append(batch.shape)):
        toy(noise(50, 50, 4), tile=32, batch=8)
    assert seen == [(8, 3, 32, 32)]


def test_a_fixed_tile_among_several_takes_its_own_file(tmp_path: Path) -> None:
    files = {f"{tile}.onnx": write_toy_onnx(tmp_path / f"{tile}.onnx", tile=tile) for tile in (32, 64)}
    artifacts = [Artifact(f"{tile}.onnx", "onnx", "fp32", tile) for tile in (64, 32)]
    toy = read_bundle(write_toy_bundle(tmp_path / "toy.tadsr")).manifest
    bundle = write_bundle(tmp_path / "both.tadsr", replace(toy, artifacts=artifacts), files)
    with runtime.load(bundle.path) as upscaler, runtime.load(tmp_path / "toy.tadsr") as free:
        picture = noise(100, 70, 3)
        for tile in (32, 64):
            tiled = upscaler(picture, tile=tile, seam="exact")
            np.testing.assert_allclose(tiled, free(picture, tile=tile, seam="exact"), atol=2e-6)
        np.testing.assert_allclose(upscaler(picture[:20, :30]), free(picture[:20, :30])[:80, :120], atol=0.3)
        with pytest.raises(TileError, match="built for tiles of 32, 64"):
            upscaler(picture, tile=128)


def test_what_is_not_finite_fails_and_names_the_tile(toy: Upscaler) -> None:
    class Broken:
        max_batch = None
        calls = 0

        def run(self, batch: np.ndarray) -> np.ndarray:
            result = np.zeros((len(batch), 3, 4 * batch.shape[2], 4 * batch.shape[3]), np.float32)
            self.calls += 1
            if self.calls == 2:
                result[1, 2, 3, 4] = np.inf
            return result

    with pytest.MonkeyPatch.context() as patch:
        broken = Broken()
        patch.setattr(toy, "session", lambda artifact: broken)
        with pytest.raises(BackendError, match=r"NaN or infinite values in tile 4 of 4 \(x=20, y=20\)"):
            toy(noise(50, 52, 3)[:, :50], tile=32, batch=2)


HEIGHT, WIDTH = 141, 523
KINDS = {
    "photo": lambda: np.asarray(Image.open(PHOTO).convert("RGB").resize((WIDTH, HEIGHT)), np.float32) / 255,
    "gradient": lambda: np.broadcast_to(np.linspace(0, 1, WIDTH, dtype=np.float32)[:, None], (HEIGHT, WIDTH, 3)).copy(),
    "grey": lambda: np.full((HEIGHT, WIDTH, 3), 119 / 255, np.float32),
    "noise": lambda: noise(HEIGHT, WIDTH, 3),
}


@pytest.fixture(scope="module", params=["fp32", "int8"])
def shipped(request: pytest.FixtureRequest) -> Upscaler:
    return runtime.load(precision=request.param, threads=2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_model_leaves_no_seams(shipped: Upscaler, kind: str) -> None:
    """A picture of one tile beside the same in many; the largest differences stand in docs/tiling.md."""
    picture = KINDS[kind]()
    low = picture[:77]
    whole = shipped(low, tile=524)
    for tile in (256, 512):
        exact = np.abs(shipped(low, tile=tile, seam="exact") - whole)
        if shipped.artifact.precision == "fp32":
            assert exact.max() <= 1e-4
        else:
            assert (exact <= 1 / 255).mean() >= 0.9999
    for tile, part in ((128, picture[:, :160]), (256, low[:, :283])):
        fast = np.abs(shipped(part, tile=tile) - shipped(part, tile=284))
        assert (fast <= 1 / 255).mean() >= 0.999


def test_tiles_too_small_for_the_shipped_models_radius_are_refused(shipped: Upscaler) -> None:
    assert shipped.manifest.receptive_radius == 68
    with pytest.raises(TileError, match=r"tile=128: too small to tile with a seam of 68 .* multiple of 4 >= 140"):
        shipped(noise(300, 300, 3), tile=128, seam="exact")
