"""`tadsr doctor`: which engines can run a bundle on this machine, which one would, and what brings the others."""

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import runtime
from runtime.backends import Status, choose
from runtime.cache import cache_path
from runtime.errors import BackendError


def run_doctor(path: Path | None, *, version: str) -> dict[str, Any]:
    """All that `tadsr doctor` finds out; "auto" is None where no engine is here. Raises `BundleError`."""
    bundle = runtime.read_bundle(path or runtime.DEFAULT_BUNDLE)
    rows = runtime.backends(path)
    try:
        first = choose(bundle.manifest)[0]
        auto = {"backend": first.backend.name, "file": first.artifact.file, "precision": first.artifact.precision}
    except BackendError:
        auto = None
    return {
        "tadsr": version,
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "cache": str(cache_path()),
        "bundle": str(bundle.path),
        "auto": auto,
        "backends": [{"name": name, "available": row.available, **asdict(row)} for name, row in rows.items()],
    }


def show_doctor(report: dict[str, Any], *, as_json: bool) -> None:
    """Write the report to stdout, as JSON or as tables."""
    if as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return
    console = Console()
    facts = Table(show_header=False)
    for name in ("tadsr", "python", "system", "processors", "cache", "bundle"):
        facts.add_row(name, escape(str(report[name])))
    auto = report["auto"]
    facts.add_row("chosen unasked", escape("{file} on {backend}".format_map(auto)) if auto else "no engine is here")
    console.print(facts)
    engines = Table(
        "engine", "usable", "version", "precision", "threads", "runs on", title="Engines, in order of choice"
    )
    rows = {row["name"]: Status(**{key: row[key] for key in Status.__dataclass_fields__}) for row in report["backends"]}
    for name, row in rows.items():
        cells = ("yes" if row.available else "no", row.version or "–", row.precision or "–")
        engines.add_row(name, *cells, "yes" if row.takes_threads else "no", row.device)
    console.print(engines)
    for name, row in rows.items():
        if not row.available:  # as lines and not in the table, which would break commands that are there to be copied
            console.print(f"{name}: {row.problem}", markup=False, highlight=False, soft_wrap=True)
            console.print(f"    {row.remedy}", markup=False, highlight=False, soft_wrap=True)
