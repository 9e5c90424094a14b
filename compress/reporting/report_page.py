"""A report as a page in one file: what is worst in every row stands beside its baseline, and HR."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from compress.reporting.budgets import Verdict
from compress.reporting.comparison import Picture
from compress.reporting.measure import kept_picture
from compress.reporting.results import METRICS, ORIGINALS, Report, StageResult, Tile, describe_check

TEMPLATE = Path(__file__).with_name("report_page.html")
LARGEST = 640
"""Side in pixels that whole pictures are shown at, at most."""


def page(report: Report, verdict: Verdict, folder: Path) -> str:
    """HTML without anything outside the file. Raises ``TrainError`` where a row's picture is not in ``folder``."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        pairs=f"{report.pairs.count} pairs of {escape(report.pairs.name)}",
        verdict=_verdict(verdict),
        table=_table(report),
        checks=_checks(report.checks),
        rows="".join(_section(result, folder) for result in report.results),
        meanings="".join(f"<dt>{escape(f.title)}</dt><dd>{escape(f.meaning)}</dd>" for f in METRICS.values()),
    )


def _verdict(verdict: Verdict) -> str:
    kind, headline = ("over", "Over budget") if verdict.breaches else ("kept", "No budget is broken")
    notes = f'<ul class="notes">{_items(verdict.notes)}</ul>' if verdict.notes else ""
    breaches = f"<ul>{_items(verdict.breaches)}</ul>" if verdict.breaches else ""
    return f'<div class="verdict {kind}"><strong>{headline}</strong>{breaches}</div>{notes}'


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def metrics_table(report: Report) -> list[list[str]]:
    """Lines of cells, a column per row of the report: names, baselines, then every metric that one of them knows."""
    results = report.results
    lines = [["", *report.stages], ["compared with", *(result.baseline or "–" for result in results)]]
    for name, metric in METRICS.items():
        values = [result.metrics.get(name) for result in results]
        if any(value is not None for value in values):
            lines.append([metric.title, *("–" if value is None else metric.form.format(value) for value in values)])
    return lines


def _table(report: Report) -> str:
    (_, *stages), *lines = [[escape(cell) for cell in line] for line in metrics_table(report)]
    head = "".join(f'<th scope="col"><a href="#{stage}">{stage}</a></th>' for stage in stages)
    body = "".join(
        f'<tr><th scope="row">{title}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for title, *cells in lines
    )
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"


def _checks(checks: Sequence[dict[str, Any]]) -> str:
    """A line per file that was made of the model, where any was verified."""
    if not checks:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{escape(check["file"])}</th><td>{escape(describe_check(check))}</td></tr>'
        for check in checks
    )
    return f'<h2>Files</h2><div class="scroll"><table><tbody>{lines}</tbody></table></div>'


def _section(result: StageResult, folder: Path) -> str:
    """What is worst in one row, beside its baseline and HR."""
    sides = [*([result.baseline] if result.baseline else []), result.stage, ORIGINALS]
    stage, tile = escape(result.stage), result.worst.tile
    whole = [(side, _jpeg(kept_picture(folder, side, result.worst.picture))) for side in sides]
    parts = [(side, _png(_cut(kept_picture(folder, side, tile.picture), tile))) for side in sides]
    place = f"{tile.width}×{tile.height} at ({tile.left}, {tile.top}) of {tile.picture}"
    provenance = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd>" for name, value in result.provenance.items()
    )
    return (
        f'<section id="{stage}"><h2>{stage}</h2>'
        f"<p>Farthest from {escape(result.baseline or ORIGINALS)}: the picture {escape(result.worst.picture)}, "
        f"{result.worst.psnr:.2f} dB</p>"
        f'<div class="pictures">{_figures(whole)}</div>'
        f"<p>and the tile {escape(place)}, {tile.psnr:.2f} dB</p>"
        f'<div class="tiles">{_figures(parts)}</div>'
        f"<details><summary>How it was made</summary><dl>{provenance}</dl></details></section>"
    )


def _figures(pictures: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<figure><img src="{source}" alt="{escape(side)}"><figcaption>{escape(side)}</figcaption></figure>'
        for side, source in pictures
    )


def _plain(value: object) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _cut(picture: Picture, tile: Tile) -> Picture:
    return picture[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]


def _jpeg(picture: Picture) -> str:
    image = Image.fromarray(picture)
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return _data(image, "jpeg", quality=85)


def _png(picture: Picture) -> str:
    return _data(Image.fromarray(picture), "png", optimize=True)


def _data(image: Image.Image, kind: str, **options: int) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
