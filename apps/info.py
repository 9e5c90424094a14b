"""`tadsr info`: what a bundle says about itself."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import runtime
from runtime.backends import runnable


def show_info(path: Path | None, *, as_json: bool) -> None:
    """Write the manifest to stdout, as JSON or as tables, once every file's hash was checked. Raises `BundleError`."""
    bundle = runtime.read_bundle(path or runtime.DEFAULT_BUNDLE)
    for artifact in bundle.manifest.artifacts:
        bundle.open(artifact)
    manifest = asdict(bundle.manifest)
    if as_json:
        sys.stdout.write(json.dumps({"path": str(bundle.path), **manifest}, indent=2) + "\n")
        return
    console = Console()
    facts = Table(title=bundle.manifest.name, show_header=False)
    facts.add_row("path", _text(bundle.path))
    for field in ("format_version", "scale", "align", "receptive_radius", "effective_radius", "tiles", "licence"):
        facts.add_row(field.replace("_", " "), _text(manifest[field]))
    console.print(facts)
    files = Table("file", "engine", "precision", "tile", "size", "usable here", title="Files (hashes are right)")
    usable = {choice.artifact.file for choice in runnable(bundle.manifest)}
    for artifact in bundle.manifest.artifacts:
        size = f"{artifact.size / 2**20:.2f} MiB"
        tile = str(artifact.tile or "any")
        files.add_row(
            artifact.file, artifact.backend, artifact.precision, tile, size, "yes" if artifact.file in usable else "no"
        )
    console.print(files)
    if bundle.manifest.accuracy:
        columns = list(dict.fromkeys(key for row in bundle.manifest.accuracy for key in row))
        accuracy = Table(*map(_text, columns), title="Accuracy")
        for row in bundle.manifest.accuracy:
            accuracy.add_row(*(_text(row.get(key, "")) for key in columns))
        console.print(accuracy)
    if bundle.manifest.advice:
        console.print(_advice(bundle.manifest.advice))
    console.print("How it was made", style="italic")
    console.print_json(data=bundle.manifest.provenance)


def _advice(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What was measured when the bundle was made, on the machine that made it."""
    table = Table("file", "beside", "worth it", "times faster", "ms", title="Speed where the bundle was made")
    for row in rows:
        worth = "yes" if row.get("recommended") is True else "no"
        numbers = (_text(row.get(key, "")) for key in ("speedup", "median_ms"))
        table.add_row(_text(row.get("file", "")), _text(row.get("against", "")), worth, *numbers)
    return table


def _text(value: Any) -> str:
    """`value` as table text; brackets of a foreign manifest are not markup."""
    from rich.markup import escape

    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))
