"""The files of the shipped bundle, as its manifest tells them, and whether the page has seen this very bundle."""

from typing import Any

from .markdown import table
from .names import ENGINES, PRECISIONS

SHOWN_DIGITS = 12
"""Of a SHA-256."""


def files(manifest: dict[str, Any]) -> str:
    """A row per file, and the sum."""
    found = manifest["artifacts"]
    lines = [
        [
            f"`{file['file']}`",
            ENGINES[file["backend"]],
            PRECISIONS[file["precision"]],
            str(file["tile"] or "any"),
            f"{file['size'] / 1e6:.2f} MB",
            f"`{file['sha256'][:SHOWN_DIGITS]}…`",
        ]
        for file in found
    ]
    total = f"{sum(file['size'] for file in found) / 1e6:.2f} MB"
    return table(["file", "engine", "precision", "tile", "size", "SHA-256"], [*lines, ["all", "", "", "", total, ""]])


def looked_at(seen: dict[str, Any], manifest: dict[str, Any]) -> str:
    """Of which model the words below were written, and whether it is still the one in the bundle."""
    now = next(file["sha256"] for file in manifest["artifacts"] if file["file"] == seen["file"])
    when = f"on {seen['date']}, of `{seen['file']}` with the SHA-256 `{seen['sha256'][:SHOWN_DIGITS]}…`"
    if now == seen["sha256"]:
        return f"Written {when}: the model in the bundle."
    return f"**Written of an earlier model**, {when}; the bundle's is now `{now[:SHOWN_DIGITS]}…`, yet to be looked at."
