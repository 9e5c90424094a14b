"""The figures in README.md and docs are those that the measuring commands wrote, and of the model that is shipped."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import runtime
from docs import render

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
DESCRIPTION = ".//{http://purl.org/dc/elements/1.1/}description"
PAGES = (
    "README.md",
    "docs/ablation.md",
    "docs/backends.md",
    "docs/compression.md",
    "docs/model_card.md",
    "docs/performance.md",
    "docs/results.md",
    "docs/tiling.md",
)


def measured(name: str) -> Any:
    return json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_the_measured_figures(page: str) -> None:
    assert {block.page for block in render.BLOCKS} == set(PAGES)
    assert render.rendered(page) == (ROOT / page).read_text(encoding="utf-8"), "run python -m docs.render"


def test_the_chart_shows_the_measured_figures() -> None:
    """By the values in its description: another matplotlib may draw it otherwise."""
    pytest.importorskip("matplotlib", reason="needs matplotlib, which comes with tadsr[plot]")
    committed = ElementTree.parse(render.CHART).findtext(DESCRIPTION)
    assert committed == ElementTree.fromstring(render.drawn()).findtext(DESCRIPTION), "run python -m docs.render"


def test_quality_and_compression_are_of_one_model() -> None:
    """The bundle's INT8 file, measured by two commands."""
    stages = {row["stage"]: row["figures"] for row in measured("compression")["rows"]}
    mean = measured("quality")["runtime/models/mobile.tadsr, int8"]["mean"]
    assert mean["psnr_y"] == pytest.approx(stages["onnx-int8"]["psnr_y"], abs=0.005), "measure both again"
    assert mean["naturalness"] == pytest.approx(stages["onnx-int8"]["naturalness"], abs=0.005), "measure both again"


def test_speed_is_of_the_shipped_model() -> None:
    shipped = {artifact.sha256 for artifact in runtime.read_bundle(runtime.DEFAULT_BUNDLE).manifest.artifacts}
    assert measured("speed")["model"]["sha256"] in shipped, "run tadsr bench --peers again"
