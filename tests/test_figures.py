"""The figures in README.md and docs are those that the measuring commands wrote."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "docs/ablation.md",
    "docs/backends.md",
    "docs/compression.md",
    "docs/folding.md",
    "docs/performance.md",
    "docs/tiling.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_the_measured_figures(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "figures")
    render = importlib.import_module("render")
    assert {block.page for block in render.BLOCKS} == set(PAGES)
    assert render.rendered(page) == (ROOT / page).read_text(encoding="utf-8"), "run python docs/figures/render.py"
