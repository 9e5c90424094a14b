"""The shipped bundle: its files, their checks, their tiles, and whether a page's words are of this very bundle."""

from collections.abc import Sequence
from typing import Any

from docs.tables.markdown import ENGINES, PRECISIONS, Columns, engine_of, table, table_of, tile_of

DIGITS = 12
"""How many of a SHA-256 are shown."""
BACKENDS = {
    "onnx": "ONNX Runtime, OpenVINO",
    "executorch": "ExecuTorch (XNNPACK)",
    "coreml": "Core ML",
    "tensorrt": "TensorRT",
}
CHECKS = {
    "worst_psnr": "{:.1f} dB",
    "openvino_worst_psnr": "{:.1f} dB in OpenVINO",
    "largest_step": "largest step {:g}",
    "openvino_largest_step": "largest step {:g} in OpenVINO",
    "psnr_of_same_steps": "{:.1f} dB of same steps",
    "layers_equal_to_the_bit": "{:g} layers equal to the bit",
    "scales_equal_to_the_bit": "{:g} scales equal to the bit",
    "tensors_with_relu_headroom": "{:g} tensors with ReLU headroom",
    "psnr_in_float32": "{:.1f} dB in float32",
    "off_neural_engine": "{:g} operations off the neural engine",
}


def files(manifest: dict[str, Any]) -> str:
    """A row per file, and the sum."""
    columns: Columns = {
        "file": "`{file}`",
        "engine": lambda row: ENGINES[row["backend"]],
        "precision": lambda row: PRECISIONS[row["precision"]],
        "tile": tile_of,
        "size": lambda row: f"{row['size'] / 1e6:.2f} MB",
        "SHA-256": lambda row: f"`{row['sha256'][:DIGITS]}…`",
    }
    total = f"{sum(file['size'] for file in manifest['artifacts']) / 1e6:.2f} MB"
    return table_of(columns, manifest["artifacts"], ["all", "", "", "", total, ""])


def looked_at(seen: dict[str, Any], manifest: dict[str, Any]) -> str:
    """Of which model the words below were written, and whether it is still the one in the bundle."""
    now = next(file["sha256"] for file in manifest["artifacts"] if file["file"] == seen["file"])
    when = f"on {seen['date']}, of `{seen['file']}` with the SHA-256 `{seen['sha256'][:DIGITS]}…`"
    if now == seen["sha256"]:
        return f"Written {when}: the model in the bundle."
    return f"**Written of an earlier model**, {when}; the bundle's is now `{now[:DIGITS]}…`, yet to be looked at."


def checks(rows: Sequence[dict[str, Any]]) -> str:
    """A row per file of `export.verify --json`."""
    columns: Columns = {
        "backend": lambda row: BACKENDS[row["backend"]],
        "precision": "{precision}",
        "tile": tile_of,
        "check": lambda row: row["problem"] or row["unchecked"] or _findings(row["report"]),
    }
    return table_of(columns, rows)


def _findings(report: dict[str, Any]) -> str:
    figures = report | report.get("findings", {})
    return "; ".join(form.format(float(figures[name])) for name, form in CHECKS.items() if name in figures)


def recipes(trials: Sequence[dict[str, Any]]) -> str:
    """A row per delegate and program, as commit 491996a tried them."""
    columns: Columns = {
        "delegate": "{delegate}",
        "program": "{precision}, {tile}×{tile}",
        "share of multiply-accumulates": "{delegated_macs:.0%}",
        "MB": lambda row: f"{row['size'] / 1e6:.2f}" if row["size"] else "–",
        "": lambda row: row["problem"] or "lowers",
    }
    return table_of(columns, trials)


def tiling(figures: dict[str, Any]) -> str:
    """A row per precision, seam and tile size, a column per kind of picture; levels of 255."""
    rows: dict[tuple[str, str, int], list[str]] = {}
    for row in figures["rows"]:
        cell = f"{row['largest']:.3f}, {row['beyond_one_level']:.3%}"
        rows.setdefault((PRECISIONS[row["precision"]], row["seam"], row["tile"]), []).append(cell)
    kinds = dict.fromkeys(row["picture"] for row in figures["rows"])
    return table(["", "`seam=`", "`tile=`", *kinds], [[*map(str, case), *texts] for case, texts in rows.items()])


def memory(measured: dict[str, Any]) -> str:
    """A row per engine and precision, a column per tile size."""
    sides = [round(pixels**0.5) for pixels, _ in measured["engines"][0]["points"]]
    rows = [[engine_of(row), *(f"{peak / 1e6:.0f} MB" for _, peak in row["points"])] for row in measured["engines"]]
    return table(["tile", *(f"{side}×{side}" for side in sides)], rows)
