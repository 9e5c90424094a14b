import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import TileError
from runtime.tiles.tiling import Plan, cut_tile, kept_part, plan_tiles, reflect_indices, round_up, smallest_tile, take

KERNELS = {halo: np.random.default_rng(halo).normal(size=(2 * halo + 1,) * 2) for halo in range(4)}


def network(batch: np.ndarray, halo: int, align: int) -> np.ndarray:
    """A k x k convolution with zero padding on a grid of `align` pixels that must start at the origin, then nearest x4.

    The phase within the grid enters the result, so a tile origin that is not aligned would show.
    """
    assert batch.shape[2] % align == 0
    assert batch.shape[3] % align == 0
    height, width = batch.shape[2:]
    padded = np.pad(batch, ((0, 0), (0, 0), (halo, halo), (halo, halo)))
    kernel = KERNELS[halo]
    result = sum(
        kernel[i, j] * padded[:, :, i : i + height, j : j + width]
        for i in range(2 * halo + 1)
        for j in range(2 * halo + 1)
    )
    phase = (np.arange(height) % align)[:, None] + 2 * (np.arange(width) % align)
    return np.kron(result * (1 + phase), np.ones((1, 1, 4, 4))).astype(np.float32)


def enlarge(
    pixels: np.ndarray, plan: Plan, halo: int, align: int, order: random.Random
) -> tuple[np.ndarray, np.ndarray]:
    result = np.full((pixels.shape[0] * 4, pixels.shape[1] * 4, 3), np.nan, np.float32)
    painted = np.zeros(result.shape[:2], int)
    tiles = plan.tiles
    order.shuffle(tiles)
    for row, column in tiles:
        tile = cut_tile(take(pixels, plan.row_indices(row), 0), plan.column_indices(column))
        assert tile.shape == (3, *plan.tile_shape)
        rows, columns = (slice(4 * span.keep_start, 4 * span.keep_stop) for span in (row, column))
        result[rows, columns] = kept_part(network(tile[None], halo, align)[0], row, column, 4)
        painted[rows, columns] += 1
    return result, painted


@settings(max_examples=150, derandomize=True)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    align=st.sampled_from([1, 2, 3, 4, 8]),
    halo=st.integers(0, 3),
    extra=st.integers(1, 4),
    fixed=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_tiles_in_any_order_equal_the_whole_picture(
    height: int, width: int, align: int, halo: int, extra: int, fixed: bool, order: random.Random
) -> None:
    tile = round_up(2 * halo, align) + extra * align
    pixels = np.random.default_rng(0).random((height, width, 3), np.float32)
    plan = plan_tiles(height, width, align=align, halo=halo, tile=tile, fixed=tile if fixed else None)
    result, painted = enlarge(pixels, plan, halo, align, order)
    assert (painted == 1).all()
    # What the rule promises equals one run over the whole padded picture.
    floor = tile if fixed else 0
    bottom = max(round_up(height, align), floor) - height
    right = max(round_up(width, align), floor) - width
    whole = np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="reflect").transpose(2, 0, 1)[None]
    expected = network(whole, halo, align)[0].transpose(1, 2, 0)[: 4 * height, : 4 * width]
    np.testing.assert_allclose(result, expected, atol=1e-6)


@settings(max_examples=150, derandomize=True)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    align=st.sampled_from([1, 2, 4, 8]),
    halo=st.integers(0, 3),
    extra=st.integers(0, 4),
    fixed=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_a_texture_sees_its_opposite_sides(
    height: int, width: int, align: int, halo: int, extra: int, fixed: bool, order: random.Random
) -> None:
    tile = smallest_tile(halo, align) + extra * align
    pixels = np.random.default_rng(0).random((height, width, 3), np.float32)
    plan = plan_tiles(height, width, align=align, halo=halo, tile=tile, fixed=tile if fixed else None, wrap=True)
    result, painted = enlarge(pixels, plan, halo, align, order)
    assert (painted == 1).all()
    margin = round_up(halo, align)
    rest = [(margin, round_up(side + margin, align) - side) for side in (height, width)]
    around = np.pad(pixels, (*rest, (0, 0)), mode="wrap").transpose(2, 0, 1)[None]
    expected = network(around, halo, align)[0].transpose(1, 2, 0)[4 * margin :, 4 * margin :]
    np.testing.assert_allclose(result, expected[: 4 * height, : 4 * width], atol=1e-6)


@settings(max_examples=300, derandomize=True)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    align=st.sampled_from([1, 3, 4, 8, 64, 256]),
    halo=st.integers(0, 300),
)
def test_automatic_tiles_always_work(height: int, width: int, align: int, halo: int) -> None:
    plan = plan_tiles(height, width, align=align, halo=halo)
    for length, spans in ((height, plan.rows), (width, plan.columns)):
        padded = round_up(length, align)
        edges = [span.keep_start for span in spans] + [spans[-1].keep_stop]
        assert edges[0] == 0
        assert edges[-1] == length
        assert [span.keep_stop for span in spans] == edges[1:]
        for span in spans:
            assert span.start % align == 0
            assert (span.stop - span.start) % align == 0
            assert 0 <= span.start < span.stop <= padded
            assert span.keep_start < span.keep_stop
            assert span.start == 0 or span.keep_start - span.start >= halo
            assert span.stop == padded or span.stop - span.keep_stop >= halo
    if round_up(height, align) * round_up(width, align) <= 512 * 512:
        assert len(plan.tiles) == 1


@given(length=st.integers(1, 9), extra=st.integers(0, 40))
def test_reflection_is_numpys(length: int, extra: int) -> None:
    expected = np.pad(np.arange(length), (0, extra), mode="reflect")
    np.testing.assert_array_equal(reflect_indices(length, 0, length + extra), expected)


def test_last_tile_is_moved_back_to_the_border() -> None:
    plan = plan_tiles(100, 32, align=4, halo=4, tile=32)
    assert [(span.start, span.stop) for span in plan.rows] == [(0, 32), (24, 56), (48, 80), (68, 100)]
    assert [(span.start, span.stop) for span in plan.columns] == [(0, 32)]


def test_automatic_tiles_waste_little() -> None:
    plan = plan_tiles(520, 520, align=4, halo=20)
    assert [(span.start, span.stop) for span in plan.rows] == [(0, 280), (240, 520)]


def test_large_tile_shrinks_to_the_picture() -> None:
    (span,) = plan_tiles(10, 10, align=4, halo=20, tile=512).rows
    assert (span.start, span.stop, span.keep_start, span.keep_stop) == (0, 12, 0, 10)


def test_fixed_tile_pads_small_pictures() -> None:
    (span,) = plan_tiles(10, 10, align=4, halo=20, fixed=128).rows
    assert (span.start, span.stop, span.keep_start, span.keep_stop) == (0, 128, 0, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 40}, "tile=40: too small to tile with a seam of 20 pixels .* multiple of 8 >= 48"),
        ({"fixed": 40}, "tile=40: too small to tile .* another model"),
    ],
)
def test_unusable_tiles_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(TileError, match=message):
        plan_tiles(100, 100, align=8, halo=20, **options)


@given(indices=st.lists(st.integers(0, 8), min_size=1, max_size=12), axis=st.integers(0, 1))
def test_taking_is_numpys(indices: list[int], axis: int) -> None:
    values = np.random.default_rng(0).random((9, 9), np.float32)
    np.testing.assert_array_equal(take(values, np.array(indices), axis), np.take(values, indices, axis))
    run = np.arange(indices[0], 9)
    assert take(values, run, axis).base is values


def test_a_picture_of_one_tile_needs_no_seam() -> None:
    assert len(plan_tiles(40, 40, align=8, halo=20, tile=40).tiles) == 1
