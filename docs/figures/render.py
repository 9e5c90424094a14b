"""Writes the figures into README.md and docs: `python docs/figures/render.py`.

They are in the JSON files beside it, which the measuring commands themselves write. Each goes between its two marks.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tables

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Block(NamedTuple):
    """One part of one page."""

    page: str
    mark: str
    files: tuple[str, ...]
    """Names of the JSON files without their ending, one argument each of ``text``."""
    text: Callable[..., str]


BLOCKS = (
    Block("README.md", "figures", ("quality", "speed"), tables.quality_and_speed),
    Block("docs/ablation.md", "figures", ("ablation",), tables.ablation),
    Block("docs/backends.md", "backends", ("backends",), tables.backends),
    Block("docs/backends.md", "recipes", ("executorch_recipes",), tables.recipes),
    Block("docs/compression.md", "compression", ("compression",), tables.compression),
    Block("docs/compression.md", "pruning", ("pruning",), tables.pruning),
    Block("docs/compression.md", "int8", ("compression", "int8_speed"), tables.int8),
    Block("docs/folding.md", "noise", ("noise",), tables.noise),
    Block("docs/performance.md", "browser", ("browser_speed",), tables.browser_speed),
    Block("docs/performance.md", "figures", ("training_speed*",), tables.training_speeds),
    Block("docs/performance.md", "overhead", ("overhead",), tables.overhead),
    Block("docs/tiling.md", "tiling", ("tiling",), tables.tiling),
    Block("docs/tiling.md", "memory", ("../../runtime/tiles/memory",), tables.memory),
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


def _read(name: str) -> Any:
    """The content of a file; of a pattern, that of all its files."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob(f"{name}.json"))]
    return found if "*" in name else found[0]


def main() -> None:
    for page in dict.fromkeys(block.page for block in BLOCKS):
        (ROOT / page).write_text(rendered(page), encoding="utf-8")


if __name__ == "__main__":
    main()
