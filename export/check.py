"""``python -m export.check``: what every backend would do with a program's operations, before anyone trains it.

It reads the graph alone and takes seconds. The program may be of untrained weights (``compress.fold``).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.preflight.judge import Finding, Verdict, check
from tadsr import commands
from tadsr.program import open_program


def show(findings: Sequence[Finding]) -> None:
    """Write a table to stdout: a row per backend and precision, a column per verdict; then why what is rejected."""
    table = Table("backend", "precision", *Verdict)
    for backend, precision in dict.fromkeys((found.backend, found.precision) for found in findings):
        here = [found for found in findings if (found.backend, found.precision) == (backend, precision)]
        table.add_row(backend, precision, *(_listed(here, verdict) for verdict in Verdict))
    console = Console()
    console.print(table, markup=False)
    for operation, reason in dict.fromkeys((found.operation, found.reason) for found in findings if found.reason):
        console.print(f"{operation} {reason}", markup=False, soft_wrap=True)


def _listed(findings: Sequence[Finding], verdict: Verdict) -> str:
    return ", ".join(f"{found.count} {found.operation}" for found in findings if found.verdict is verdict)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.check", description="What backends do with a program.")
    parser.add_argument("program", type=Path, metavar="PROGRAM.pt2", help="with program.json beside it")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    arguments = parser.parse_args()
    findings = check(open_program(arguments.program))
    if arguments.json:
        commands.say(json.dumps([asdict(found) for found in findings], indent=2))
    else:
        show(findings)
    if rejecting := {(found.backend, found.precision) for found in findings if found.verdict is Verdict.REJECTED}:
        sys.stderr.write(f"{arguments.program}: rejected by {len(rejecting)} backends and precisions\n")
        sys.exit(1)


if __name__ == "__main__":
    commands.run(main)
