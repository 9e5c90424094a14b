"""``python -m apps.benchmarks.training_time runs/mobile``: how long the trainings in the folder of a recipe took.

Every run notes its losses with the time of day for TensorBoard; the time between two notes counts, unless the run stood
still. Prints JSON.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from apps.errors import CommandError
from tadsr.commands import run, say

PAUSE = 300
"""Seconds without a note after which a run was not running."""
SETTINGS = ("batch", "precision", "seed")


def notes(folder: Path) -> list[tuple[float, int]]:
    """Time in seconds and step of every loss that a run noted, in order of time."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 1})
    events.Reload()
    return sorted((note.wall_time, note.step) for name in events.Tags()["scalars"] for note in events.Scalars(name))


def seconds_at_work(times: list[float]) -> float:
    """The sum of the times between two notes that are no pause."""
    return sum(later - earlier for earlier, later in pairwise(times) if later - earlier < PAUSE)


def measure(folder: Path) -> dict[str, Any]:
    """Steps, settings and seconds of one run."""
    import yaml

    times = notes(folder)
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return {
        "stage": folder.name,
        "steps": max(step for _, step in times) + 1,
        "crop": settings["data"]["crop"],
        **{name: settings[name] for name in SETTINGS},
        "began": datetime.fromtimestamp(times[0][0], UTC).isoformat(timespec="seconds"),
        "seconds": seconds_at_work([time for time, _ in times]),
    }


def measure_all(folder: Path) -> list[dict[str, Any]]:
    """All runs of a folder in the order in which they began. Raises `CommandError` where there are none."""
    runs = [path.parent for path in folder.glob("*/tensorboard")]
    if not runs:
        raise CommandError(f"{folder}: holds no run; name the folder that `tadsr recipe` took as --out")
    return sorted(map(measure, runs), key=lambda row: str(row["began"]))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m apps.benchmarks.training_time", description="Steps and time of every training of a folder."
    )
    parser.add_argument("runs", type=Path, help="folder of the runs")
    say(json.dumps(measure_all(parser.parse_args(argv).runs), indent=1))


if __name__ == "__main__":
    run(main)
