"""`tadsr info`: what a bundle says about itself."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import runtime

FACTS = ("format_version", "scale", "align", "receptive_radius", "effective_radius", "tiles", "licence")
NUMBERS = ("size,\nMiB", "worst\nPSNR, dB", "largest\nstep", "times\nfaster")
UNKNOWN = "–"


def show_info(path: Path | None, *, as_json: bool) -> None:
    """Write the manifest to stdout once every file's hash was checked: as JSON, or its essence as tables.

    Raises `BundleError`.
    """
    bundle = runtime.read_bundle(path or runtime.DEFAULT_BUNDLE)
    for artifact in bundle.manifest.artifacts:
        bundle.open(artifact)
    manifest = asdict(bundle.manifest)
    if as_json:
        sys.stdout.write(json.dumps({"path": str(bundle.path), **manifest}, indent=2) + "\n")
        return
    console = Console()
    facts = Table(title=escape(bundle.manifest.name), show_header=False)
    facts.add_row("path", _text(bundle.path))
    for field in FACTS:
        facts.add_row(field.replace("_", " "), _text(manifest[field]))
    console.print(facts)
    console.print(_files(manifest))
    console.print(_provenance(bundle.manifest.provenance))
    console.print("tadsr info --json has every finding and setting", style="italic")


def _files(manifest: Mapping[str, Any]) -> Table:
    """A row for each file: what was found when it was checked, and how fast it was, on the machine that made it."""
    accuracy, advice = _by_file(manifest["accuracy"]), _by_file(manifest["advice"])
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), title="Files (hashes are right)")
    table.add_column("file", overflow="fold")
    for name in ("engine", "precision", "tile"):
        table.add_column(name)
    for name in NUMBERS:
        table.add_column(name, justify="right")
    for artifact in manifest["artifacts"]:
        findings, speed = accuracy.get(artifact["file"], {}), advice.get(artifact["file"], {})
        table.add_row(
            *(_text(artifact[field]) for field in ("file", "backend", "precision")),
            str(artifact["tile"] or "any"),
            f"{artifact['size'] / 2**20:.2f}",
            _measured(findings, "worst_psnr"),
            _measured(findings, "largest_step"),
            _measured(speed, "speedup"),
        )
    return table


def _provenance(provenance: Mapping[str, Any]) -> Table:
    """A row for each part, without what is nested deeper than its settings."""
    table = Table(title="How it was made", show_header=False)
    for name, part in provenance.items():
        table.add_row(_text(name), _text(_settings(part) if isinstance(part, Mapping) else part))
    return table


def _settings(part: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in part.items() if not isinstance(value, Mapping | list))


def _by_file(rows: list[Mapping[str, Any]]) -> dict[object, Mapping[str, Any]]:
    return {row.get("file"): row for row in rows}


def _measured(row: Mapping[str, Any], name: str) -> str:
    return _text(row[name]) if name in row else UNKNOWN


def _text(value: Any) -> str:
    """`value` as table text; brackets of a foreign manifest are not markup."""
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
