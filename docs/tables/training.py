"""Tables of training: how fast it is, how long it took, whose photos it saw, and what each term brought."""

from collections.abc import Sequence
from typing import Any

from docs.tables.markdown import Columns, table_of
from train.evaluation.ablation_page import table as scores_table


def training_speeds(reports: Sequence[dict[str, Any]]) -> str:
    """A part for each machine and preset."""
    return "\n\n".join(map(_training_speed, reports))


def _training_speed(report: dict[str, Any]) -> str:
    machine, rates = report["machine"], report["matrix_gflops_per_s"]
    where = machine["gpu"] or f"{machine['cpu']}, {report['threads']} of {machine['cpus']} CPUs"
    command = " ".join(f"--{name} {report[name]}" for name in ("preset", "batch", "precision", "threads"))
    step = max(row["images_per_s"] for row in report["rows"] if row["name"].startswith("distillation"))
    columns: Columns = {
        "": "{name}",
        "layout": "{layout}",
        "images/s": "{images_per_s:.1f}",
        "median": "{median_ms:.0f} ms",
        "GFLOP": "{gflop:,.1f}",
        "share": "{share:.0%}",
        "peak memory": "{peak_memory_mib:.0f} MiB",
    }
    return f"""### {report["preset"]}, {where}

{table_of(columns, report["rows"])}

Crops of {report["crop"]}×{report["crop"]}, batch {report["batch"]}, {report["precision"]}. Share: of
{max(rates.values()):.0f} GFLOP/s, the {max(rates, key=lambda name: rates[name])} in the same rounds. One loading worker
makes {report["loading_images_per_s"]:.0f} images/s; the fastest step takes {step:.1f}. Load before measuring:
{machine["load"]}. PyTorch {report["versions"]["torch"]}.

By `python -m apps.benchmarks.training {command} --json`."""


def ablation(figures: dict[str, Any]) -> str:
    """A row per arm."""
    return scores_table(figures["scores"])


def credits(photos: dict[str, Any]) -> str:
    """A row per source and licence, and the sum."""
    columns: Columns = {"source": "{source}", "licence": "{licence}", "photos": "{photos}"}
    total = f"{photos['photos']} photos with {photos['megapixels']:.0f} megapixels"
    return f"{table_of(columns, photos['credits'])}\n\nTogether {total}."


def time_spent(runs: Sequence[dict[str, Any]]) -> str:
    """A row per training, and the sum."""
    columns: Columns = {
        "stage": "{stage}",
        "steps": "{steps:,}",
        "batch, HQ crop": "{batch}, {crop}",
        "steps/s": lambda run: f"{run['steps'] / run['seconds']:.1f}",
        "time": lambda run: _duration(run["seconds"]),
    }
    return table_of(columns, runs, ["together", "", "", "", _duration(sum(run["seconds"] for run in runs))])


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
