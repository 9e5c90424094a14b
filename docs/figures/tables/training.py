"""Tables of docs/training.md and docs/ablation.md: whose photos, how long, and what each term brought."""

from typing import Any

from train.evaluation.ablation_page import table as scores_table

from .markdown import shown, table
from .quality import COLUMNS, gmacs


def ablation(figures: dict[str, Any]) -> str:
    """A row per arm."""
    return scores_table(figures["scores"])


def credits(photos: dict[str, Any]) -> str:
    """A row per source and licence, and the sum."""
    lines = [[row["source"], row["licence"], str(row["photos"])] for row in photos["credits"]]
    total = f"{photos['photos']} photos with {photos['megapixels']:.0f} megapixels"
    return f"{table(['source', 'licence', 'photos'], lines)}\n\nTogether {total}."


def time_spent(runs: list[dict[str, Any]]) -> str:
    """A row per training, and the sum."""
    lines = [
        [
            run["stage"],
            f"{run['steps']:,}",
            f"{run['batch']}, {run['crop']}",
            f"{run['steps'] / run['seconds']:.1f}",
            _duration(run["seconds"]),
        ]
        for run in runs
    ]
    together = ["together", "", "", "", _duration(sum(run["seconds"] for run in runs))]
    return table(["stage", "steps", "batch, HQ crop", "steps/s", "time"], [*lines, together])


SCORED = {key: COLUMNS[key] for key in ("psnr_y", "ssim_y", "naturalness", "hf_ratio")}


def search(found: dict[str, Any]) -> str:
    """A row per arm, question by question."""
    lines = []
    for question in found["questions"]:
        name = f"{question['name']}, teacher" if question["measured"] == "teacher" else question["name"]
        for arm, figures in question["arms"].items():
            cost = shown("{:.1f}", gmacs(figures["macs_per_pixel"]) if "macs_per_pixel" in figures else None)
            lines.append([name, arm, *_scored(figures), cost])
            name = ""
    return table(["question", "arm", *(title for title, _ in SCORED.values()), "GMACs"], lines)


def retouched(found: dict[str, Any]) -> str:
    """A row per way and amount."""
    lines = [
        [row["way"], f"{row['amount']:.0%}" if row["amount"] else "", *_scored(row["mean"])] for row in found["rows"]
    ]
    return table(["the shipped results", "", *(title for title, _ in SCORED.values())], lines)


def _scored(figures: dict[str, Any]) -> list[str]:
    return [form.format(figures[key]) for key, (_, form) in SCORED.items()]


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
