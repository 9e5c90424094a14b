"""Charts as SVG: one file that a browser shows and a document can hold, light or dark as its reader has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from apps.errors import CommandError
from runtime.atomic import replacing

WIDTH = 720
LABELS = 190
"""Width of the names at the left."""
VALUES = 90
"""Room for the numbers at the right of the longest bar."""
TOP, ROW, BAR, MARGIN = 56, 34, 20, 20
STYLE = """
  svg { background: #fbfaf8; font: 14px system-ui, sans-serif; }
  text { fill: #1d1d1b; } .soft { fill: #6b6862; } .title { font-weight: 600; font-size: 16px; } .bar { fill: #2f6f9f; }
  .line { stroke: #6b6862; } .goal { fill: #2f6f9f; opacity: 0.1; }
  @media (prefers-color-scheme: dark) {
    svg { background: #161614; } text { fill: #ebe9e4; } .soft { fill: #9c988f; } .bar { fill: #6fb1e0; }
    .line { stroke: #9c988f; } .goal { fill: #6fb1e0; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One row of a chart."""

    label: str
    value: float
    """0 or more."""


def check_plot(path: Path) -> None:
    """Raise `CommandError` where a chart cannot be written; best asked before the work."""
    if path.suffix.lower() != ".svg":
        raise CommandError(f"{path}: a chart is drawn as SVG; name it FILE.svg")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: its folder does not exist; make it first")


def write_plot(path: Path, chart: str) -> None:
    """Write an SVG document; it appears complete or not at all."""
    with replacing(path) as draft:
        draft.write_text(chart, encoding="utf-8")


def document(title: str, conditions: str, height: float, drawing: Sequence[str]) -> str:
    """An SVG document, `WIDTH` wide, of elements below its title and a line in small print."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{MARGIN}" y="26">{escape(title)}</text>',
        f'<text class="soft" x="{MARGIN}" y="46">{escape(conditions)}</text>',
    ]
    return "\n".join([*lines, *drawing, "</svg>", ""])


def bar_chart(title: str, conditions: str, bars: Sequence[Bar], unit: str) -> str:
    """An SVG document with a horizontal bar for each of `bars`, all on one scale that begins at 0.

    `conditions` is a line in small print; `unit` stands behind every value.

    >>> bar_chart("Warm", "2 threads", [Bar("onnx/fp32", 40.0)], "ms").startswith("<svg")
    True
    """
    height = TOP + ROW * len(bars) + MARGIN
    longest = max((bar.value for bar in bars), default=0) or 1
    room = WIDTH - LABELS - VALUES - MARGIN
    lines = []
    for number, bar in enumerate(bars):
        top = TOP + ROW * number + (ROW - BAR) / 2
        length, baseline = room * bar.value / longest, top + BAR * 0.75
        lines += [
            f'<text x="{LABELS - 10}" y="{baseline:g}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="bar" x="{LABELS}" y="{top:g}" width="{length:.1f}" height="{BAR}" rx="3"/>',
            f'<text x="{LABELS + length + 8:.1f}" y="{baseline:g}">{bar.value:.3g} {escape(unit)}</text>',
        ]
    return document(title, conditions, height, lines)
