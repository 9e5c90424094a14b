"""ResShift's tiles: where they begin, in which order they come, and how they are merged."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.tiling import run_tiles, starts


@pytest.mark.parametrize(
    ("length", "tile", "stride", "expected"),
    [
        (64, 64, 48, (0,)),
        (65, 64, 48, (0, 1)),
        (130, 64, 48, (0, 48, 66)),
        (90, 32, 24, (0, 24, 48, 58)),
        (9, 64, 48, (0,)),
    ],
)
def test_starts(length: int, tile: int, stride: int, expected: tuple[int, ...]) -> None:
    assert starts(length, tile, stride) == expected


@settings(max_examples=30)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    tile=st.integers(4, 12),
    overlap=st.integers(0, 3),
    at_once=st.integers(1, 5),
)
def test_tiles_of_a_local_operation_merge_to_the_whole(
    height: int, width: int, tile: int, overlap: int, at_once: int
) -> None:
    picture = torch.rand(2, 3, height, width)
    sizes: list[int] = []

    def enlarge(tiles: torch.Tensor) -> torch.Tensor:
        sizes.append(len(tiles))
        return F.interpolate(tiles, scale_factor=2, mode="nearest")

    merged = run_tiles(picture, tile, tile - overlap, 2, enlarge, at_once)
    torch.testing.assert_close(merged, F.interpolate(picture, scale_factor=2, mode="nearest"))
    tiles = len(starts(height, tile, tile - overlap)) * len(starts(width, tile, tile - overlap))
    assert sum(sizes) == 2 * tiles
    assert max(sizes) <= 2 * at_once


def test_overlaps_are_averaged_and_tiles_come_row_by_row() -> None:
    numbers = iter(range(100))
    merged = run_tiles(torch.zeros(1, 1, 6, 6), 4, 2, 1, lambda tiles: tiles + next(numbers))
    assert merged[0, 0].tolist()[0] == [0, 0, 0.5, 0.5, 1, 1]
    assert merged[0, 0].tolist()[2] == [1, 1, 1.5, 1.5, 2, 2]
