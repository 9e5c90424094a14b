"""``python -m compress.report``: the rows that the stages measured, as a table, JSON and a page, held to budgets.

Exits with code 1 where a row is over its budget.
"""

import argparse
import json
import sys
from pathlib import Path

from compress.reporting.budgets import SHIPPED, judge, read_budgets
from compress.reporting.report_page import page
from compress.reporting.rows import FIGURES, Report, as_json, read_report, told
from runtime.atomic import replacing
from tadsr import commands

PAGE = "report.html"
OVER_BUDGET = 1
"""Exit code."""


def table(report: Report) -> str:
    """A line per figure and a column per row, aligned; a dash where a figure is not known."""
    lines = [["", *(row.stage for row in report.rows)], ["compared with", *(row.against or "–" for row in report.rows)]]
    for name, figure in FIGURES.items():
        values = [row.figures.get(name) for row in report.rows]
        if any(value is not None for value in values):
            lines.append([figure.title, *("–" if value is None else figure.form.format(value) for value in values)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m compress.report",
        description="Show the rows of a report and check them against budgets; exit code 1 where one is broken.",
        epilog="example: python -m compress.report runs/report",
    )
    parser.add_argument("report", type=Path, metavar="DIR", help="the folder that stages were given as --report")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--html", type=Path, metavar="FILE", help=f"where the page goes; else DIR/{PAGE}")
    parser.add_argument(
        "--budgets", type=Path, metavar="FILE", default=SHIPPED, help="YAML file of budgets; else those that come along"
    )
    asked = parser.parse_args()

    report = read_report(asked.report)
    verdict = judge(report, read_budgets(asked.budgets, [row.stage for row in report.rows]))
    html = asked.html or asked.report / PAGE
    with replacing(html) as draft:
        draft.write_text(page(report, verdict, asked.report), encoding="utf-8")
    if asked.json:
        judged = {"breaches": verdict.breaches, "notes": verdict.notes}
        commands.say(json.dumps(as_json(report) | judged, indent=2, ensure_ascii=False))
    else:
        files = [f"{check['file']}: {told(check)}" for check in report.checks]
        commands.say("\n".join([table(report), *files, *verdict.notes, f"wrote {html}"]))
    for breach in verdict.breaches:
        sys.stderr.write(f"over budget: {breach}\n")
    if verdict.breaches:
        sys.exit(OVER_BUDGET)


if __name__ == "__main__":
    commands.run(main)
