import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.tiles.pipeline import run_ahead


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
