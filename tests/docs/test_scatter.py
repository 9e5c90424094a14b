from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scatter import HEIGHT, LEFT, SIDE, TOP, Axis, Dot, groups, scale, scatter

SVG = "{http://www.w3.org/2000/svg}"
ACROSS, UP = Axis("across", goal=2.0), Axis("up", goal=5.0, reversed=True)
THOUSANDTHS = st.integers(-1_000_000, 1_000_000).map(lambda number: number / 1000)
VALUES = st.lists(THOUSANDTHS, min_size=1)


def test_right_is_more_and_up_is_less() -> None:
    drawn = ElementTree.fromstring(scatter("T", "c", [Dot("<a>", 1, 7), Dot("b", 3, 4)], ACROSS, UP))
    (left, low), (right, high) = (
        (float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in drawn.iter(f"{SVG}circle")
    )
    assert (left < right, low > high) == (True, True)
    assert {"1  <a>", "2  b", "1", "2", "across", "up"} <= {text.text for text in drawn.iter(f"{SVG}text")}
    goal = next(box for box in drawn.iter(f"{SVG}rect") if box.attrib["class"] == "goal").attrib
    assert left < float(goal["x"]) < right
    assert high < TOP + float(goal["height"]) < low


@given(VALUES, THOUSANDTHS, st.booleans())
def test_everything_fits_on_a_scale(values: list[float], goal: float, turned: bool) -> None:
    found = scale(values, Axis("", goal, turned), LEFT, LEFT + SIDE)
    assert all(LEFT < found(value) < LEFT + SIDE for value in [*values, goal])
    assert all(LEFT <= round(found(tick), 6) <= LEFT + SIDE for tick in found.ticks)
    assert 2 <= len(found.ticks) <= 8


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=12))
def test_every_dot_is_in_one_group(places: list[tuple[int, int]]) -> None:
    assert sorted(i for group in groups(places) for i in group) == list(range(len(places)))


def test_a_chain_is_one_group() -> None:
    chain = [(float(10 * i), 0.0) for i in (0, 2, 1)]
    assert groups(chain) == [[0, 1, 2]]
    assert groups([(0.0, 0.0), (50.0, 0.0)]) == [[0], [1]]


def test_ticks_are_round() -> None:
    ticks = scale([21.7, 23.5], Axis("", 22.9), 0, HEIGHT).ticks
    assert ticks == pytest.approx([22, 22.5, 23, 23.5])
    assert len({round(b - a, 9) for a, b in pairwise(ticks)}) == 1
