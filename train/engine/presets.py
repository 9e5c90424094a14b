"""Presets: YAML files with a section per stage, and sections that all stages share."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean

PRESETS = Path(__file__).parents[1] / "configs"
SHARED = ("model", "data", "degradation")
"""Sections that every stage reads, beside its own."""
STAGES = ("autoencoder", "teacher", "sample_teacher", "distill", "ablate", "finetune", "fold", "prune", "quantize")
"""Sections of one stage each."""

RENAMED = {
    "data.drawn_share": "data.synthetic_prob",
    "data.plain_share": "data.flat_prob",
    "share": "interpolation",
    **{
        f"degradation.{part}.gray_prob": f"degradation.{part}.grey_prob"
        for part in ("first", "second", "light", "face")
    },
}
"""Settings of earlier versions and their names of today: in a run to be resumed they are read, elsewhere refused."""


def renamed(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings by their names of today."""
    return {RENAMED.get(key, key): value for key, value in flat.items()}


def hint(key: str, known: Collection[str], prefix: str = "") -> str:
    """The middle of a message about an unknown key: its name of today, its group's use, or the nearest known key."""
    if key in RENAMED:
        return f", which is {prefix}{RENAMED[key]} now;"
    if any(other.startswith(f"{key}.") for other in known):
        return ", it is a group of keys;"
    return did_you_mean(prefix + key, [prefix + other for other in known])


def preset_names() -> list[str]:
    """The presets that the project brings."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_defaults(preset: str, stage: str) -> dict[str, Any]:
    """The flat defaults {"model.teacher.widths": ..., "steps": ...} that a preset gives to one stage.

    Raises ``TrainError`` where there is no such preset, or a file of another shape, or with an unknown section.
    """
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = preset_names()
        raise TrainError(
            f"{preset}: no such preset{did_you_mean(preset, known)} choose one of {', '.join(known)}, or give the path "
            "of a YAML file"
        )
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise TrainError(f"{path}: not a preset; it holds sections (model, data, teacher, ...) of keys and values")
    allowed = dict.fromkeys((*SHARED, *STAGES, stage))
    for name in sections:
        if name not in allowed:
            nearest = did_you_mean(str(name), allowed)
            raise TrainError(f"{path}: unknown section {name}{nearest} there are {', '.join(allowed)}")
    shared = {name: sections[name] for name in SHARED if name in sections}
    return flatten(shared) | flatten(sections.get(stage, {}))


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
