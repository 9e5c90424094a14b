"""`tadsr doctor`: which engines can run a bundle on this machine, which one would, and what brings the others."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import runtime
from runtime.backends import Choice, Status, choose
from runtime.bundle import Bundle
from runtime.cache import cache_path
from runtime.errors import BackendError


@dataclass(frozen=True)
class Diagnosis:
    """The result of `tadsr doctor`."""

    facts: dict[str, str]
    """Of the installation, the machine and the bundle."""
    choice: Choice | None
    """What is taken by default; None where no engine is here."""
    backends: dict[str, Status]
    """In the order in which they are tried."""


def diagnose(path: Path | None, *, version: str) -> Diagnosis:
    """Find the engines of this machine that can run a bundle. Raises `BundleError`."""
    bundle = runtime.read_bundle(path or runtime.DEFAULT_BUNDLE)
    facts = {
        "tadsr": version,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": f"{os.cpu_count()} of {platform.machine()}",
        "cache": str(cache_path()),
        "bundle": str(bundle.path),
    }
    return Diagnosis(facts, _choice(bundle), runtime.backends(path))


def _choice(bundle: Bundle) -> Choice | None:
    try:
        return choose(bundle.manifest)[0]
    except BackendError:
        return None


def show_diagnosis(diagnosis: Diagnosis, *, as_json: bool) -> None:
    """Write it to stdout, as JSON or as tables."""
    choice, rows = diagnosis.choice, diagnosis.backends
    if as_json:
        auto = choice and {
            "backend": choice.backend.name,
            "file": choice.artifact.file,
            "precision": choice.artifact.precision,
        }
        backends = [{"name": name, "available": row.available, **asdict(row)} for name, row in rows.items()]
        sys.stdout.write(json.dumps({**diagnosis.facts, "auto": auto, "backends": backends}, indent=2) + "\n")
        return
    console = Console()
    facts = Table(show_header=False)
    for name, fact in diagnosis.facts.items():
        facts.add_row(name, escape(fact))
    facts.add_row("chosen by default", escape(str(choice or "no engine is here")))
    console.print(facts)
    console.print(_engines(rows))
    for name, row in rows.items():
        if not row.available:  # as lines, for a table would break commands that are there to be copied
            for line in (f"{name}: {row.problem}", f"    {row.remedy}"):
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def _engines(rows: dict[str, Status]) -> Table:
    columns = ("engine", "usable", "version", "precision", "threads", "runs on")
    table = Table(*columns, title="Engines, in order of choice")
    for name, row in rows.items():
        cells = ("yes" if row.available else "no", row.version or "–", row.precision or "–")
        table.add_row(name, *cells, "yes" if row.takes_threads else "no", row.device)
    return table
