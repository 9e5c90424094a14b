"""Tables as data: each column is a title and a form, which every row of figures fills in."""

import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.table import Table

Row = Mapping[str, Any]
Columns = Mapping[str, str | Callable[[Row], str]]
"""By title, a format string over the row's values, or a function of the row."""


class _Dashed(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return "–" if value is None else str(super().format_field(value, format_spec))


def cells(columns: Columns, row: Row) -> list[str]:
    """The texts of a row; a value that is None is a dash.

    >>> cells({"ms": "{ms:.1f}", "MB": "{mb}", "s": lambda row: str(row["ms"] / 1000)}, {"ms": 3, "mb": None})
    ['3.0', '–', '0.003']
    """
    filled = _Dashed()
    return [filled.vformat(form, (), row) if isinstance(form, str) else form(row) for form in columns.values()]


def rich_table(title: str, columns: Columns, rows: Iterable[Row]) -> Table:
    """A table for the terminal."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*cells(columns, row))
    return table
