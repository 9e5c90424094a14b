"""What a run keeps in its folder beside weights: its settings, and its losses line by line."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from runtime.atomic import replacing
from train.engine.errors import TrainError
from train.engine.presets import flatten, renamed
from train.engine.settings import TrainingSettings

CHECKPOINT = "checkpoint.safetensors"
LOSSES = "losses.jsonl"
SETTINGS = "config.yaml"
FREE_TO_CHANGE = frozenset(
    {
        *("out", "photos", "minutes", "device", "workers", "accumulate", "compile"),
        *("save_every", "log_every", "picture_every", "pairs", "report"),
    }
)
"""Settings that may differ when a run is resumed; any other would make it another run. (Photos may have moved.)"""


def open_run(settings: TrainingSettings) -> None:
    """Make the folder and note the settings, or check that they are those of the run that is there.

    Raises ``TrainError`` where the folder holds a run with other settings, or cannot be written.
    """
    now = flatten(plain(asdict(settings)))
    path = settings.out / SETTINGS
    if (settings.out / CHECKPOINT).exists() and path.exists():
        newer = type(settings)(settings.out, settings.photos)  # whose defaults are those of what the run does not name
        noted = renamed(flatten(yaml.safe_load(path.read_text(encoding="utf-8"))))
        before = flatten(plain(asdict(newer))) | noted
        changed = [key for key in now if key not in FREE_TO_CHANGE and before.get(key) != now[key]]
        if changed:
            named = ", ".join(f"{key} {before.get(key)} -> {now[key]}" for key in changed[:3])
            raise TrainError(
                f"{settings.out}: holds a run with other settings ({named}); give the same to go on, or another --out"
            )
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            draft.write_text(yaml.safe_dump(plain(asdict(settings)), sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise TrainError(f"{settings.out}: cannot be written ({error.strerror}); choose another --out") from error


def keep_losses_before(step: int, out: Path) -> None:
    """Drop the lines of steps that will be done again, and a line that was cut short."""
    path = out / LOSSES
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < step]
        with replacing(path) as draft:
            draft.write_text("".join(kept), encoding="utf-8")


def losses_line(step: int, values: Mapping[str, float]) -> str:
    """One line of losses.jsonl."""
    return json.dumps({"step": step, **values}) + "\n"


def plain(value: Any) -> Any:
    """Settings as the types that YAML and JSON have."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
