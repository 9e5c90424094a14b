"""Tables in Markdown, the names in them, and the conditions that stand below them."""

from collections.abc import Iterable, Sequence
from typing import Any

from apps.benchmarks.columns import Columns, Row, cells

PRECISIONS = {"fp32": "fp32", "fp16": "fp16", "int8": "INT8"}
ENGINES = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "executorch": "ExecuTorch",
    "coreml": "Core ML",
    "tensorrt": "TensorRT",
}


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A header line, and a line per row of texts."""
    return "\n".join([_line(titles), "|---" * len(titles) + "|", *map(_line, rows)])


def table_of(columns: Columns, rows: Iterable[Row], *last: Sequence[str]) -> str:
    """A table of rows of figures; the rows ``last`` are texts already."""
    return table(list(columns), [*(cells(columns, row) for row in rows), *last])


def _line(texts: Sequence[str]) -> str:
    return "|" + "|".join(f" {text} " if text else " " for text in texts) + "|"


def engine_of(row: Row) -> str:
    """Engine and precision of a row, by the names that people know."""
    return f"{ENGINES[row['backend']]}, {PRECISIONS[row['precision']]}"


def tile_of(row: Row) -> str:
    """The tile's side in pixels."""
    return str(row["tile"] or "any")


def threads_of(report: dict[str, Any]) -> str:
    """How many threads of what; None in the report is what an engine takes unasked."""
    return f"{report['threads'] or 'All'} threads of {report['machine']['cpu'].strip()}"


def command_of(report: dict[str, Any], part: str) -> str:
    """The command line that measured a ``part`` of `tadsr bench`, such as "peers"."""
    threads = f" --threads {report['threads']}" if report["threads"] else ""
    return f"`tadsr bench --{part}{threads} --repeats {report['repeats']} --json`"
