"""How long the trainings took: `python docs/figures/training_time.py runs/mobile`, the folder of a recipe's stages.

Every run notes its losses with the time of day for TensorBoard; the time between two notes counts, unless the run stood
still. Writes training_time.json beside this file, which `render.py` makes a table of.
"""

import argparse
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from keeping import keep
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tadsr import commands
from train.engine.errors import TrainError

JSON = Path(__file__).with_suffix(".json")
PAUSE = 300
"""Seconds without a note after which a run was not running."""
SETTINGS = ("batch", "precision", "seed")


def notes(run: Path) -> list[tuple[float, int]]:
    """Time in seconds and step of every loss that a run noted, in order of time."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 1})
    events.Reload()
    return sorted((note.wall_time, note.step) for name in events.Tags()["scalars"] for note in events.Scalars(name))


def seconds_at_work(times: list[float]) -> float:
    """The sum of the times between two notes that are no pause."""
    return sum(later - earlier for earlier, later in pairwise(times) if later - earlier < PAUSE)


def measured(run: Path) -> dict[str, Any]:
    """Steps, settings and seconds of one run."""
    found = notes(run)
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    return {
        "stage": run.name,
        "steps": max(step for _, step in found) + 1,
        "crop": settings["data"]["crop"],
        **{name: settings[name] for name in SETTINGS},
        "began": datetime.fromtimestamp(found[0][0], UTC).isoformat(timespec="seconds"),
        "seconds": seconds_at_work([time for time, _ in found]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python docs/figures/training_time.py", description="Steps and time of every training of a folder."
    )
    parser.add_argument("runs", type=Path, help="folder of the runs")
    folder = parser.parse_args().runs
    runs = [path.parent for path in folder.glob("*/tensorboard")]
    if not runs:
        raise TrainError(f"{folder}: holds no run; give the folder that `tadsr recipe` was given as --out")
    rows = sorted(map(measured, runs), key=lambda row: str(row["began"]))
    keep(rows, JSON)


if __name__ == "__main__":
    commands.run(main)
