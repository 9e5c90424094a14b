"""``python -m docs.render`` writes the figures into README.md and docs.

They are in the JSON files of docs/figures, which the measuring commands themselves write. Each goes between its two
marks; the chart is a whole file.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from apps.benchmarks.chart import Axis, scatter_chart, write_plot
from docs.tables import bundle, compression, quality, speed, targets, training
from runtime.atomic import replacing
from tadsr import commands

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
CHART = ROOT / "docs" / "pictures" / "quality.svg"
MANIFEST, MEMORY = "../../runtime/models/mobile.tadsr/manifest", "../../runtime/tiles/memory"


class Block(NamedTuple):
    """One part of one page."""

    page: str
    mark: str
    files: tuple[str, ...]
    """Names of the JSON files without their ending, one argument each of ``text``; a pattern gives a list."""
    text: Callable[..., str]


def readme(qualities: dict[str, Any], report: dict[str, Any]) -> str:
    """Quality in short; docs/results.md has all of it."""
    return f"""\
32 validation pairs, 512×512, degraded as real photos are (blur, resizing, noise, JPEG); lower is better for
naturalness, ΔE and colour cast. Fine detail is the share of the originals' high-frequency energy; noise has some too.

{quality.in_short(qualities, report)}

[How fast it is](docs/results.md#speed), beside networks of Real-ESRGAN's sizes, the targets, pictures, memory, and
[where it fails](docs/results.md#where-it-fails)."""


BLOCKS = (
    Block("README.md", "figures", ("quality", "compression"), readme),
    Block("docs/ablation.md", "figures", ("ablation",), training.ablation),
    Block("docs/backends.md", "backends", ("backends",), bundle.checks),
    Block("docs/backends.md", "recipes", ("executorch_recipes",), bundle.recipes),
    Block("docs/compression.md", "compression", ("compression",), compression.compression),
    Block("docs/compression.md", "int8", ("compression", "int8_speed"), compression.int8),
    Block("docs/model_card.md", "quality", ("quality", "compression"), quality.in_short),
    Block("docs/model_card.md", "files", (MANIFEST,), bundle.files),
    Block("docs/model_card.md", "credits", ("credits",), training.credits),
    Block("docs/model_card.md", "time", ("training_time",), training.time_spent),
    Block("docs/performance.md", "browser", ("browser_speed",), speed.browser_speed),
    Block("docs/performance.md", "figures", ("training_speed*",), training.training_speeds),
    Block("docs/performance.md", "overhead", ("overhead",), speed.overhead),
    Block("docs/results.md", "targets", ("quality", "compression", MANIFEST, "speed"), targets.targets),
    Block("docs/results.md", "quality", ("quality", "compression"), quality.quality),
    Block("docs/results.md", "looked at", ("looked_at", MANIFEST), bundle.looked_at),
    Block("docs/results.md", "speed", ("speed",), speed.speed),
    Block("docs/results.md", "memory", (MEMORY,), bundle.memory),
    Block("docs/results.md", "files", (MANIFEST,), bundle.files),
    Block("docs/tiling.md", "tiling", ("tiling",), bundle.tiling),
    Block("docs/tiling.md", "memory", (MEMORY,), bundle.memory),
)


def rendered(page: str) -> str:
    """The page with today's figures."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCKS:
        if block.page == page:
            begin, end = f"<!-- {block.mark} -->", f"<!-- end of {block.mark} -->"
            before, rest = text.split(begin)
            text = f"{before}{begin}\n{block.text(*map(_read, block.files))}\n{end}{rest.partition(end)[2]}"
    return text


def drawn() -> str:
    """The chart with today's figures: all rows made of small pictures, and the corner that the targets ask for."""
    known = quality.gathered(_read("quality"), _read("compression"))
    dots = {
        row.short or row.label: (known[row.key]["psnr_y"], known[row.key]["naturalness"])
        for row in quality.ROWS
        if row.key not in quality.OF_THE_ORIGINALS
    }
    return scatter_chart(
        "Faithful and natural",
        "32 validation pairs. Right: nearer to the original. Up: more like a sharp photo. Tinted: the targets",
        dots,
        Axis("PSNR-Y, dB", goal=targets.PSNR_Y),
        Axis("naturalness, lower is better", goal=targets.most_natural(known), reversed=True),
    )


def _read(name: str) -> Any:
    """The content of a file; of a pattern, that of all its files."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FIGURES.glob(f"{name}.json"))]
    return contents if "*" in name else contents[0]


def main() -> None:
    for page in dict.fromkeys(block.page for block in BLOCKS):
        with replacing(ROOT / page) as draft:
            draft.write_text(rendered(page), encoding="utf-8")
    write_plot(CHART, drawn())


if __name__ == "__main__":
    commands.run(main)
