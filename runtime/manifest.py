"""The schema of `manifest.json`: what a bundle says about itself, and the checks before any of it is believed."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import BundleError
from .native import is_native_name

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
DEEPEST = 16
"""Of lists and objects within each other in a manifest."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True)
class Artifact:
    """One file of a bundle: the network rendered for one backend and precision.

    `tile` is the fixed side in LR pixels, or None where height and width are free. `size` is in bytes.
    """

    file: str
    backend: str
    precision: str
    tile: int | None = None
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds and how it wants to be run; every length is in LR pixels.

    `align` divides every height and width the network accepts. Beyond `receptive_radius` no input changes an output at
    all; beyond `effective_radius` none changes it visibly (1/4 level of 255). `tiles` are tile sizes that
    suit the network. `artifacts` stand in order of preference, which holds among the files of one engine where nothing
    was measured. `advice` says of files beside a more exact one of the same engine whether they are `recommended`, with
    the figures that were measured when the bundle was made; bundles of before it existed are read as having none.
    """

    name: str
    scale: int
    align: int
    receptive_radius: int
    effective_radius: int
    tiles: list[int]
    artifacts: list[Artifact]
    accuracy: list[dict[str, Any]]
    licence: str
    provenance: dict[str, Any]
    format_version: int = FORMAT_VERSION
    advice: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """The manifest as indented JSON. Raises `BundleError` for values that JSON does not know (NaN, a Path)."""
        try:
            return json.dumps(asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BundleError(f"{self.name}: the manifest cannot be written as JSON ({error})") from error

    @classmethod
    def from_json(cls, text: str | bytes, source: str = MANIFEST_FILE) -> "Manifest":
        """Parse and check a manifest; `source` names the bundle in the message of a `BundleError`."""
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{source}: its {MANIFEST_FILE} is not valid JSON; get the bundle again") from error
        version = data.get("format_version") if isinstance(data, dict) else None
        if _whole(FORMAT_VERSION + 1)(version):
            raise BundleError(
                f"{source}: made for a newer tadsr (bundle format {version}, this one reads {FORMAT_VERSION}); "
                "upgrade tadsr: pip install -U tadsr"
            )
        if isinstance(data, dict):
            data.setdefault("advice", [])
        if _is_deeper(data, DEEPEST):
            raise BundleError(f"{source}: its {MANIFEST_FILE} is nested too deeply to be one; do not use this bundle")
        _check(data, _MANIFEST_FIELDS, {each.name for each in fields(cls)}, source, "manifest")
        for entry in data["artifacts"]:
            _check(entry, _ARTIFACT_FIELDS, {each.name for each in fields(Artifact)}, source, "artifact")
        manifest = cls(**{**data, "artifacts": [Artifact(**entry) for entry in data["artifacts"]]})
        _check_relations(manifest, source)
        return manifest


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_deeper(data: Any, levels: int) -> bool:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return levels == 0 or any(_is_deeper(value, levels - 1) for value in inner)


def _whole(low: int, high: int | None = None) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= low and (high is None or value <= high)


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_SIDE = _whole(1, 2048)  # at scale 4 the result of such a tile takes 800 MB already
_RADIUS = _whole(0, 1024)
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"

_MANIFEST_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "format_version": _whole(1, FORMAT_VERSION),
    "name": _text(_NAME),
    "scale": _whole(1, 16),
    "align": _whole(1, 256),
    "receptive_radius": _RADIUS,
    "effective_radius": _RADIUS,
    "tiles": lambda value: isinstance(value, list) and all(map(_SIDE, value)),
    "artifacts": lambda value: isinstance(value, list) and 0 < len(value) <= 1000,
    "accuracy": lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value),
    "advice": lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value),
    "licence": lambda value: isinstance(value, str) and value != "",
    "provenance": lambda value: isinstance(value, dict),
}

_ARTIFACT_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "file": lambda value: _text(_NAME)(value) and value != MANIFEST_FILE and not is_native_name(value),
    "backend": _text(r"[a-z0-9][a-z0-9_-]{0,31}"),
    "precision": lambda value: value in PRECISIONS,
    "tile": lambda value: value is None or _SIDE(value),
    "sha256": _text(r"[0-9a-f]{64}"),
    "size": _whole(1, 2**31),
}


def _check(data: Any, checks: Mapping[str, Callable[[Any], bool]], known: set[str], source: str, what: str) -> None:
    if not isinstance(data, dict):
        raise BundleError(f"{source}: its {what} is not a JSON object; get the bundle again")
    if missing := sorted(known - data.keys()):
        raise BundleError(f"{source}: its {what} lacks {', '.join(missing)}; get the bundle again")
    if unknown := sorted(data.keys() - known):
        raise BundleError(f"{source}: its {what} has the unknown field {unknown[0][:40]!r}; get the bundle again")
    for name, valid in checks.items():
        if not valid(data[name]):
            value = repr(data[name])[:60]
            raise BundleError(f"{source}: its {what} has an impossible {name} ({value}); get the bundle again")


def _check_relations(manifest: Manifest, source: str) -> None:
    files = [artifact.file for artifact in manifest.artifacts]
    sides = [*manifest.tiles, *(artifact.tile for artifact in manifest.artifacts if artifact.tile)]
    problems = {
        "its effective radius is larger than its receptive radius": (
            manifest.effective_radius > manifest.receptive_radius
        ),
        f"a tile size is not a multiple of {manifest.align}": any(side % manifest.align for side in sides),
        "two artifacts share one file": len(set(files)) != len(files),
    }
    for problem, is_so in problems.items():
        if is_so:
            raise BundleError(f"{source}: {problem}; get the bundle again")
