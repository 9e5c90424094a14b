"""Tables of docs/tiling.md."""

from typing import Any

from .markdown import table
from .names import ENGINES, PRECISIONS


def tiling(figures: dict[str, Any]) -> str:
    """A row per precision, seam and tile size, a column per kind of picture; levels of 255."""
    cells: dict[tuple[str, str, int], list[str]] = {}
    for row in figures["rows"]:
        cell = f"{row['largest']:.3f}, {row['beyond_one_level']:.3%}"
        cells.setdefault((PRECISIONS[row["precision"]], row["seam"], row["tile"]), []).append(cell)
    kinds = dict.fromkeys(row["picture"] for row in figures["rows"])
    lines = [[precision, seam, str(tile), *found] for (precision, seam, tile), found in cells.items()]
    return table(["", "`seam=`", "`tile=`", *kinds], lines)


def memory(measured: dict[str, Any]) -> str:
    """A row per engine and precision, a column per tile size."""
    sides = [round(pixels**0.5) for pixels, _ in measured["engines"][0]["points"]]
    lines = [
        [
            f"{ENGINES[row['backend']]}, {PRECISIONS[row['precision']]}",
            *(f"{peak / 1e6:.0f} MB" for _, peak in row["points"]),
        ]
        for row in measured["engines"]
    ]
    return table(["tile", *(f"{side}×{side}" for side in sides)], lines)
