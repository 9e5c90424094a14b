import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib, which comes with tadsr[plot]")

from apps.benchmarks import chart
from apps.benchmarks.chart import Axis, bar_chart, check_plot, scatter_chart
from apps.errors import CommandError

SVG = "{http://www.w3.org/2000/svg}"
DESCRIPTION = ".//{http://purl.org/dc/elements/1.1/}description"


def texts(document: str) -> list[str | None]:
    return [text.text for text in ElementTree.fromstring(document).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(chart, "_svg", lambda axes, text: drawn.append(axes) or text)
    bar_chart("Warm", "2 threads", {"a": 10, "b": 40, "c": 0}, "ms")
    assert [bar.get_width() for bar in drawn[0].patches] == [10, 40, 0]
    tops = [bar.get_window_extent().y0 for bar in drawn[0].patches]
    assert tops == sorted(tops, reverse=True), "the first lies at the top"


def test_names_are_text_and_no_markup() -> None:
    document = bar_chart('a "<b>"', "& more", {"<i>": 1, "plain": 12.34}, "%")
    assert {'a "<b>"', "& more", "<i>", "plain", "1 %", "12.3 %"} <= {*texts(document)}
    assert ElementTree.fromstring(document).findtext(DESCRIPTION) == "<i>: 1 %; plain: 12.3 %"


def test_nothing_to_draw_is_a_chart_all_the_same() -> None:
    assert "Warm" in texts(bar_chart("Warm", "", {}, "ms"))


def test_right_is_more_and_up_is_less_where_the_axis_is_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(chart, "_svg", lambda axes, text: drawn.append(axes) or text)
    goals = Axis("across", goal=2.0), Axis("up", goal=5.0, reversed=True)
    assert scatter_chart("T", "c", {"<a>": (1, 7), "b": (3, 4)}, *goals) == "<a>: 1, 7; b: 3, 4"
    (axes,) = drawn
    (left, low), (goal_x, goal_y), (right, high) = axes.transData.transform([(1, 7), (2, 5), (3, 4)])
    assert left < goal_x < right
    assert low < goal_y < high
    tinted = axes.collections[-1].get_window_extent()
    assert (tinted.x0, tinted.y0) == pytest.approx((goal_x, goal_y))
    assert (tinted.x1, tinted.y1) == pytest.approx((axes.bbox.x1, axes.bbox.y1))


def test_one_dot_at_the_goal_and_the_same_file_every_time() -> None:
    arguments = ("T", "c", {"<a>": (1.0, 1.0)}, Axis("across", 1.0), Axis("up", 1.0))
    assert scatter_chart(*arguments) == scatter_chart(*arguments)
    assert {"T", "c", "across", "up", "<a>"} <= {*texts(scatter_chart(*arguments))}


def test_without_matplotlib_one_line_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CommandError, match=r'pip install "tadsr\[plot\]"'):
        check_plot(tmp_path / "speed.svg")
