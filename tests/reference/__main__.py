"""``python -m tests.reference``: this project's networks and formulas against numbers of the official code."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tadsr import commands
from tests.reference import Line, check_folder
from tests.reference.folder import GoldenFolder

COMMITTED = Path(__file__).with_name("golden")
"""What every clone has."""


def render(line: Line) -> str:
    """One line of the report."""
    finding = line.finding
    if finding.note and finding.ok:
        return f"--    {line.file}: {finding.what}: {finding.note}"
    verdict = "ok   " if finding.ok else "FAIL "
    figures = f"error {finding.error:.1e}  tolerance {finding.tolerance:.1e}"
    return f"{verdict} {f'{line.file}: {finding.what}':<78} {figures}{f'  ({finding.note})' if finding.note else ''}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reference",
        description="Compare networks, samplers, losses, degradation and tiling with numbers of the official code.",
        epilog="exit code: 0 all within tolerance, 1 some are not, 2 the folder cannot be read",
    )
    parser.add_argument(
        "--golden", type=Path, default=COMMITTED, metavar="DIR", help="a folder with meta.json and goldens"
    )
    folder = GoldenFolder(parser.parse_args(argv).golden)
    total = failed = 0
    for line in check_folder(folder):
        commands.say(render(line))
        total += 1
        failed += not line.finding.ok
    commands.say(f"{failed} of {total} checks failed" if failed else f"all {total} checks passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    commands.run(main)
