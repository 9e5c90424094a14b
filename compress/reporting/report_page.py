"""A report as a page in one file: what is worst in every row stands beside the row it is compared with, and HR."""

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
from compress.reporting.rows import FIGURES, ORIGINALS, Report, Row, Tile, told

TEMPLATE = Path(__file__).with_name("report_page.html")
LARGEST = 640
"""Side in pixels that whole pictures are shown at, at most."""


def page(report: Report, verdict: Verdict, folder: Path) -> str:
    """HTML without anything outside the file. Raises ``TrainError`` where a row's picture is not in ``folder``."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        pairs=f"{report.pairs.count} pairs of {escape(report.pairs.name)}",
        verdict=_verdict(verdict),
        table=_table(report.rows),
        checks=_checks(report.checks),
        rows="".join(_row(row, folder) for row in report.rows),
        meanings="".join(f"<dt>{escape(f.title)}</dt><dd>{escape(f.meaning)}</dd>" for f in FIGURES.values()),
    )


def _verdict(verdict: Verdict) -> str:
    kind, said = ("over", "Over budget") if verdict.breaches else ("kept", "No budget is broken")
    notes = f'<ul class="notes">{_items(verdict.notes)}</ul>' if verdict.notes else ""
    breaches = f"<ul>{_items(verdict.breaches)}</ul>" if verdict.breaches else ""
    return f'<div class="verdict {kind}"><strong>{said}</strong>{breaches}</div>{notes}'


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _table(rows: Sequence[Row]) -> str:
    head = "".join(f'<th scope="col"><a href="#{escape(row.stage)}">{escape(row.stage)}</a></th>' for row in rows)
    against = "".join(f"<td>{escape(row.against or '–')}</td>" for row in rows)
    lines = [f'<tr><th scope="row">compared with</th>{against}</tr>']
    for name, figure in FIGURES.items():
        values = [row.figures.get(name) for row in rows]
        if any(value is not None for value in values):
            cells = "".join(f"<td>{'–' if v is None else escape(figure.form.format(v))}</td>" for v in values)
            lines.append(f'<tr><th scope="row">{escape(figure.title)}</th>{cells}</tr>')
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _checks(checks: Sequence[dict[str, Any]]) -> str:
    """A line per file that was made of the model, where any was verified."""
    if not checks:
        return ""
    lines = "".join(
        f'<tr><th scope="row">{escape(check["file"])}</th><td>{escape(told(check))}</td></tr>' for check in checks
    )
    return f'<h2>Files</h2><div class="scroll"><table><tbody>{lines}</tbody></table></div>'


def _row(row: Row, folder: Path) -> str:
    sides = [*([row.against] if row.against else []), row.stage, ORIGINALS]
    tile, beside = row.worst.tile, row.against or "HR"
    whole = [(side, _jpeg(kept_picture(folder, side, row.worst.picture))) for side in sides]
    parts = [(side, _png(_cut(kept_picture(folder, side, tile.picture), tile))) for side in sides]
    place = f"{tile.width}×{tile.height} at ({tile.left}, {tile.top}) of {tile.picture}"
    made = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd>" for name, value in row.provenance.items())
    return (
        f'<section id="{escape(row.stage)}"><h2>{escape(row.stage)}</h2>'
        f"<p>Farthest from {escape(beside)}: the picture {escape(row.worst.picture)}, {row.worst.psnr:.2f} dB</p>"
        f'<div class="pictures">{_figures(whole)}</div>'
        f"<p>and the tile {escape(place)}, {tile.psnr:.2f} dB</p>"
        f'<div class="tiles">{_figures(parts)}</div>'
        f"<details><summary>How it was made</summary><dl>{made}</dl></details></section>"
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
