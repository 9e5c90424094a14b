"""Presets: YAML files with a section per stage, and sections that all stages share."""

from pathlib import Path
from typing import Any

import yaml

from train.errors import TrainError

PRESETS = Path(__file__).parent / "configs"
SHARED = ("model", "data", "degradation")
"""Sections that every stage reads, beside its own."""


def preset_defaults(preset: str, stage: str) -> dict[str, Any]:
    """The flat defaults {"model.teacher.widths": ..., "steps": ...} that a preset gives to one stage."""
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.yaml")))
        raise TrainError(f"{preset}: no such preset; choose one of {known}, or give the path of a YAML file")
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise TrainError(f"{path}: not a preset; it holds sections (model, data, teacher, ...) of keys and values")
    shared = {name: sections[name] for name in SHARED if name in sections}
    return flatten(shared) | flatten(sections.get(stage, {}))


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
