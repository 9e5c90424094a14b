"""Writes the figures into README.md and docs: `python docs/figures/render.py`.

They are in the JSON files beside it, which the measuring commands themselves write. Each goes between its two marks;
charts are whole files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import charts
from tables import backends, bundle, compression, performance, quality, readme, speed, targets, tiling, training

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MANIFEST, MEMORY = "../../runtime/models/mobile.tadsr/manifest", "../../runtime/tiles/memory"


class Block(NamedTuple):
    """One part of one page."""

    page: str
    mark: str
    files: tuple[str, ...]
    """Names of the JSON files without their ending, one argument each of ``text``."""
    text: Callable[..., str]


class Chart(NamedTuple):
    """One SVG file."""

    path: str
    files: tuple[str, ...]
    """As a block's."""
    text: Callable[..., str]


BLOCKS = (
    Block("README.md", "figures", ("quality", "compression", "speed"), readme.figures),
    Block("docs/ablation.md", "figures", ("ablation",), training.ablation),
    Block("docs/backends.md", "backends", ("backends",), backends.backends),
    Block("docs/backends.md", "recipes", ("executorch_recipes",), backends.recipes),
    Block("docs/compression.md", "compression", ("compression",), compression.compression),
    Block("docs/compression.md", "pruning", ("pruning",), compression.pruning),
    Block("docs/compression.md", "int8", ("compression", "int8_speed"), compression.int8),
    Block("docs/folding.md", "noise", ("noise",), compression.noise),
    Block("docs/model_card.md", "quality", ("quality", "compression"), quality.in_short),
    Block("docs/model_card.md", "files", (MANIFEST,), bundle.files),
    Block("docs/model_card.md", "credits", ("credits",), training.credits),
    Block("docs/model_card.md", "time", ("training_time",), training.time_spent),
    Block("docs/performance.md", "browser", ("browser_speed",), performance.browser_speed),
    Block("docs/performance.md", "figures", ("training_speed*",), performance.training_speeds),
    Block("docs/performance.md", "overhead", ("overhead",), performance.overhead),
    Block("docs/results.md", "targets", ("quality", "compression", MANIFEST, "speed"), targets.targets),
    Block("docs/results.md", "quality", ("quality", "compression"), quality.quality),
    Block("docs/results.md", "looked at", ("looked_at", MANIFEST), bundle.looked_at),
    Block("docs/results.md", "speed", ("speed",), speed.speed),
    Block("docs/results.md", "memory", (MEMORY,), tiling.memory),
    Block("docs/results.md", "files", (MANIFEST,), bundle.files),
    Block("docs/tiling.md", "tiling", ("tiling",), tiling.tiling),
    Block("docs/tiling.md", "memory", (MEMORY,), tiling.memory),
    Block("docs/training.md", "retouched", ("retouched",), training.retouched),
    Block("docs/training.md", "search", ("search",), training.search),
)
CHARTS = (Chart("docs/pictures/quality.svg", ("quality", "compression"), charts.fidelity_and_naturalness),)


def rendered(page: str) -> str:
    """The page with today's figures."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCKS:
        if block.page == page:
            begin, end = f"<!-- {block.mark} -->", f"<!-- end of {block.mark} -->"
            before, rest = text.split(begin)
            text = f"{before}{begin}\n{block.text(*map(_read, block.files))}\n{end}{rest.partition(end)[2]}"
    return text


def drawn(chart: Chart) -> str:
    """The chart with today's figures."""
    return chart.text(*map(_read, chart.files))


def _read(name: str) -> Any:
    """The content of a file; of a pattern, that of all its files."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob(f"{name}.json"))]
    return found if "*" in name else found[0]


def main() -> None:
    for page in dict.fromkeys(block.page for block in BLOCKS):
        (ROOT / page).write_text(rendered(page), encoding="utf-8")
    for chart in CHARTS:
        (ROOT / chart.path).write_text(drawn(chart), encoding="utf-8")


if __name__ == "__main__":
    main()
