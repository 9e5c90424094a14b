from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import runtime
from runtime import PictureError, SettingError
from runtime.tiles.resizing import RowReducer, target_size


@settings(max_examples=40, derandomize=True)
@given(
    width=st.integers(1, 60),
    height=st.integers(1, 300),
    shares=st.tuples(st.floats(0.02, 1), st.floats(0.02, 1)),
    cuts=st.lists(st.integers(0, 300), max_size=5),
)
def test_bands_of_any_height_give_pillows_lanczos(
    width: int, height: int, shares: tuple[float, float], cuts: list[int]
) -> None:
    picture = np.random.default_rng(0).random((height, width, 3), np.float32)
    target = (max(1, round(width * shares[0])), max(1, round(height * shares[1])))
    reducer = RowReducer((width, height), target)
    edges = sorted({0, height, *(cut for cut in cuts if cut < height)})
    done = [part for a, b in pairwise(edges) for part in reducer.push(picture[a:b])]
    assert [first for first, _ in done] == np.cumsum([0, *(len(rows) for _, rows in done)])[:-1].tolist()
    whole = [np.asarray(Image.fromarray(picture[..., c]).resize(target, Image.Resampling.LANCZOS)) for c in range(3)]
    np.testing.assert_allclose(np.concatenate([rows for _, rows in done]), np.stack(whole, -1), atol=1e-4)


def test_sizes() -> None:
    assert target_size(40, 30, 4, None, None) == (160, 120)
    assert target_size(40, 30, 4, 3, None) == (120, 90)
    assert target_size(40, 30, 4, None, (100, 120)) == (100, 120)


@pytest.mark.parametrize(
    ("scale", "size", "error", "message"),
    [
        (5, None, SettingError, "scale=5: the model enlarges 4 times; use a whole number from 1 to 4"),
        (0, None, SettingError, "scale=0"),
        (2, (80, 60), SettingError, "give one of them"),
        (None, (161, 120), PictureError, "size=161x120: the model makes 160x120 of this picture at most"),
        (None, (0, 10), PictureError, "size=0x10"),
    ],
)
def test_sizes_that_cannot_be_had(
    scale: int | None, size: tuple[int, int] | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        target_size(40, 30, 4, scale, size)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_smaller_scale_is_the_reduced_picture(toy_bundle: Path, scale: int) -> None:
    picture = np.random.default_rng(0).random((33, 50, 3), np.float32)
    with runtime.load(toy_bundle, threads=1) as upscaler:
        whole = upscaler(picture)
        reduced = upscaler(picture, scale=scale, tile=20, seam="exact")
        assert upscaler((picture * 255).astype(np.uint8), size=(77, 55)).shape == (55, 77, 3)
    size = (50 * scale, 33 * scale)
    expected = [np.asarray(Image.fromarray(whole[..., c]).resize(size, Image.Resampling.LANCZOS)) for c in range(3)]
    np.testing.assert_allclose(reduced, np.clip(np.stack(expected, -1), 0, 1), atol=1e-4)


def test_transparent_colour_does_not_bleed_when_reduced(toy_bundle: Path) -> None:
    picture = np.zeros((16, 16, 4), np.float32)
    picture[:, :8] = (1, 0, 0, 1)
    picture[:, 8:] = (0, 1, 0, 0)
    with runtime.load(toy_bundle, threads=1) as upscaler:
        reduced = upscaler(picture, scale=2)
    seen = reduced[reduced[..., 3] > 0.5]
    assert len(seen)
    assert (seen[:, 1] < 0.35).all()


def test_a_texture_is_not_reduced(toy_bundle: Path) -> None:
    with runtime.load(toy_bundle) as upscaler, pytest.raises(SettingError, match="does not wrap around"):
        upscaler(np.zeros((8, 8, 3), np.uint8), wrap=True, scale=2)
