"""Tables in Markdown, and how a figure stands in one."""

from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A header line, and a line per row."""
    return "\n".join([_line(titles), "|---" * len(titles) + "|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def shown(form: str, value: float | None) -> str:
    """The value in that form; a dash where it is not known or not defined."""
    return "–" if value is None else form.format(value)
