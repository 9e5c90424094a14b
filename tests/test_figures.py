"""The figures in README.md and docs are those that the measuring commands wrote."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("page", "renderer"),
    [
        ("README.md", "render"),
        ("docs/performance.md", "render_performance"),
        ("docs/ablation.md", "render_ablation"),
    ],
)
def test_pages_show_the_measured_figures(page: str, renderer: str) -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "figures" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert getattr(render, renderer)() == (ROOT / page).read_text(encoding="utf-8"), "run python docs/figures/render.py"
