"""Tables as data: each column is a title and a form, which every row of figures fills in."""

import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.table import Table

Row = Mapping[str, Any]
Columns = Mapping[str, str | Callable[[Row], str]]
"""By title, a format string over the row's values, or a function of the row."""


def cells(columns: Columns, row: Row) -> list[str]:
    """The texts of a row; a dash where a value of a format string is None.

    >>> cells({"ms": "{ms:.1f}", "memory": "{mb} MB", "s": lambda row: str(row["ms"] / 1000)}, {"ms": 3, "mb": None})
    ['3.0', '–', '0.003']
    """
    return [_filled(form, row) if isinstance(form, str) else form(row) for form in columns.values()]


def _filled(form: str, row: Row) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(form) if name]
    return "–" if any(row[name] is None for name in names) else form.format(**row)


def rich_table(title: str, columns: Columns, rows: Iterable[Row]) -> Table:
    """A table for the terminal."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*cells(columns, row))
    return table
