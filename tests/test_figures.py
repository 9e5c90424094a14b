"""The README's figures are those that the measuring commands wrote."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_readme_shows_the_measured_figures() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "figures" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.render() == (ROOT / "README.md").read_text(encoding="utf-8"), "run python docs/figures/render.py"
