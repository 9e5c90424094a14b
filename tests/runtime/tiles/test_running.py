"""Work one item ahead, and alpha that is wholly clear or opaque stays so, whatever the network makes of it."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.tiles.running import run_ahead, settle_alpha

SCALE = 2


@given(items=st.lists(st.integers(), max_size=9))
def test_all_items_in_order(items: list[int]) -> None:
    assert list(run_ahead(lambda item: 2 * item, items)) == [(item, 2 * item) for item in items]


def test_one_item_ahead_in_another_thread() -> None:
    begun: list[int] = []
    second = threading.Event()

    def function(item: int) -> int:
        begun.append(item)
        assert threading.current_thread() is not threading.main_thread()
        if item == 1:
            second.set()
        return item

    results = run_ahead(function, range(9))
    assert next(results) == (0, 0)
    assert second.wait(10)
    assert begun == [0, 1]
    results.close()  # type: ignore[attr-defined]
    assert begun == [0, 1]


def test_an_error_is_raised_at_its_item_and_ends_the_rest() -> None:
    begun: list[int] = []

    def function(item: int) -> float:
        begun.append(item)
        return 1 / item

    results = run_ahead(function, [2, 0, 1, 3, 4])
    assert next(results) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert 4 not in begun


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_where_a_pixel_and_all_around_it_agree(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = rng.choice(np.float32([0, 0.5, 1]), (height, width), p=[0.45, 0.1, 0.45])
    layer = np.broadcast_to(alpha, (3, height, width))
    network = rng.random((2, 3, SCALE * height, SCALE * width), np.float32)
    colour, settled = settle_alpha([layer, layer], list(network.copy()))
    np.testing.assert_array_equal(colour, network[0])
    for y in range(height):
        for x in range(width):
            around = alpha[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            block = (slice(None), slice(SCALE * y, SCALE * (y + 1)), slice(SCALE * x, SCALE * (x + 1)))
            sure = alpha[y, x] in (0, 1) and (around == alpha[y, x]).all()
            np.testing.assert_array_equal(settled[block], alpha[y, x] if sure else network[1][block])


def test_a_picture_without_alpha_is_left_alone() -> None:
    layer, result = np.ones((3, 4, 4), np.float32), np.full((3, 8, 8), 0.5, np.float32)
    assert settle_alpha([layer], [result])[0] is result
    assert (result == 0.5).all()
