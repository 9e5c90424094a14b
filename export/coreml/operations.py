"""``python -m export.coreml.operations``: a saved package's operations, and which of them leave the neural engine."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.coreml.census import census
from export.coreml.package import read_package
from tadsr import commands


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m export.coreml.operations", description="Count a package's operations."
    )
    parser.add_argument("package", type=Path, metavar="NAME.mlpackage", help="a folder, or a zip of one")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    arguments = parser.parse_args()
    rows = census(read_package(arguments.package))
    if arguments.json:
        commands.say(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table("operation", "precision", "count", "neural engine")
    for row in rows:
        table.add_row(row.kind, row.dtype.lower(), str(row.count), row.leaves or "nothing known against it")
    Console().print(table, markup=False)


if __name__ == "__main__":
    commands.run(main)
