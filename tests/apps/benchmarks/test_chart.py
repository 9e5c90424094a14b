from xml.etree import ElementTree

import pytest

from apps.benchmarks.plot import WIDTH, Bar, bar_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ElementTree.fromstring(bar_chart("Warm", "2 threads", [Bar("a", 10), Bar("b", 40), Bar("c", 0)], "ms"))
    lengths = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect")]
    assert lengths[1] == pytest.approx(4 * lengths[0], abs=0.2)
    assert lengths[2] == 0
    assert max(lengths) < WIDTH
    assert [text.text for text in drawn.iter(f"{SVG}text")][2:] == ["a", "10 ms", "b", "40 ms", "c", "0 ms"]


def test_names_are_no_markup() -> None:
    drawn = ElementTree.fromstring(bar_chart('a "<b>"', "& more", [Bar("<i>", 1)], "%"))
    assert drawn.attrib["aria-label"] == 'a "<b>"'
    assert [text.text for text in drawn.iter(f"{SVG}text")] == ['a "<b>"', "& more", "<i>", "1 %"]


def test_nothing_to_draw_is_an_empty_chart() -> None:
    assert not list(ElementTree.fromstring(bar_chart("Warm", "", [], "ms")).iter(f"{SVG}rect"))


def test_light_and_dark() -> None:
    assert "prefers-color-scheme: dark" in bar_chart("Warm", "", [], "ms")
