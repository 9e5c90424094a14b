"""The results of a report: one schema for what every stage measures, kept in ``report.json``.

In the file results are ``rows``, metrics ``figures`` and the baseline is ``against``. JSON has no word for infinity,
the PSNR of equal pictures: it is written as the string "inf". A metric that is not known or not defined is left out.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runtime.atomic import replacing
from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean

FORMAT_VERSION = 1
REPORT_FILE = "report.json"
PICTURES = "pictures"
ORIGINALS = "HR"
"""Folder of the HR pictures, beside those of the stages, whose names are in lower case."""
STAGES = (
    *("teacher", "student", "full-decoder", "pruned", "unfolded", "folded", "ptq", "qat"),
    *("onnx-fp32", "onnx-int8", "executorch-fp32", "executorch-int8", "coreml-int8", "openvino-fp32", "openvino-int8"),
)
"""What the project's commands call their rows, in the order of the stages. Others may have any name of lower-case
letters, digits, dots and dashes."""

_STAGE = re.compile(r"[a-z0-9][a-z0-9.-]{0,49}")


class Metric(NamedTuple):
    """How a metric is shown, and what it means."""

    title: str
    form: str
    meaning: str


METRICS: Mapping[str, Metric] = {
    "psnr_y": Metric("PSNR-Y", "{:.2f} dB", "luma PSNR to HR, mean"),
    "ssim_y": Metric("SSIM-Y", "{:.4f}", "luma SSIM to HR, mean"),
    "naturalness": Metric("naturalness", "{:.2f}", "distance of local statistics from sharp photos', lower is better"),
    "delta_e": Metric("ΔE", "{:.2f}", "CIEDE2000 to HR, mean"),
    "hf_ratio": Metric("fine detail", "{:.3f}", "high-frequency energy as a share of HR's, mean"),
    "cast": Metric("colour cast", "{:.2f}", "mean shift of a colour channel against bicubic, in levels of 255"),
    "psnr_previous": Metric("PSNR to previous", "{:.2f} dB", "RGB PSNR to the baseline's pictures, mean"),
    "psnr_previous_worst": Metric("worst picture", "{:.2f} dB", "the same of the picture where it is least"),
    "delta_e_previous": Metric("ΔE to previous", "{:.3f}", "CIEDE2000 to the baseline's pictures, mean"),
    "psnr_y_change": Metric("change of PSNR-Y", "{:+.3f} dB", "PSNR-Y less the baseline's"),
    "naturalness_change": Metric("change of naturalness", "{:+.2%}", "relative to the baseline's"),
    "psnr_teacher": Metric("PSNR to teacher", "{:.2f} dB", "RGB PSNR to the teacher's pictures, mean"),
    "psnr_teacher_worst": Metric("worst to teacher", "{:.2f} dB", "the same of the picture where it is least"),
    "size": Metric("bytes", "{:,.0f}", "size of the model's files"),
    "size_ratio": Metric("size ratio", "{:.3f}", "size as a share of the baseline's"),
    "parameters": Metric("parameters", "{:,.0f}", "numbers in the weights"),
    "macs_per_pixel": Metric("MACs/pixel", "{:,.0f}", "multiply-accumulates per LR pixel, all steps together"),
    "macs_ratio": Metric("MACs ratio", "{:.3f}", "multiply-accumulates as a share of the baseline's"),
    "decoder_macs_ratio": Metric("decoder's MACs", "{:.3f}", "the decoder's, as a share of the full decoder's"),
}


class Tile(NamedTuple):
    """A part of a large picture, in its pixels, and its RGB PSNR."""

    picture: str
    left: int
    top: int
    width: int
    height: int
    psnr: float


class Worst(NamedTuple):
    """Where a stage is farthest from its baseline, or from HR where it has none."""

    picture: str
    """Name of the picture with the least RGB PSNR."""
    psnr: float
    tile: Tile
    """The 64x64 tile with the least RGB PSNR of all tiles of all pictures."""


@dataclass(frozen=True)
class StageResult:
    """What was measured of one stage: a row of the report."""

    stage: str
    """Name of the row, and of its folder of pictures."""
    baseline: str | None
    """The row it is compared with."""
    metrics: dict[str, float]
    """By the names of ``METRICS``; what is not known or not defined is not there."""
    worst: Worst
    provenance: dict[str, Any]
    """How it came about: command, seed, versions, pairs, date; JSON-able."""


@dataclass(frozen=True)
class PairsIdentity:
    """Which pairs all rows of a report were measured on."""

    name: str
    """Name of their folder."""
    count: int
    sha256: str
    """Of their names and pixels."""


@dataclass(frozen=True)
class Report:
    """All results of a folder, in the order of ``STAGES``."""

    pairs: PairsIdentity
    results: list[StageResult] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    """What ``python -m export.verify --report`` wrote of each file that was made of the model."""

    @property
    def stages(self) -> list[str]:
        """The names of the rows."""
        return [result.stage for result in self.results]

    def find(self, stage: str, option: str = "") -> StageResult:
        """The row of that name. Raises ``TrainError``, which begins with ``option``, where there is none."""
        if stage not in self.stages:
            known = f"there are {', '.join(self.stages)}" if self.results else "there is none yet"
            raise TrainError(f"{option}{stage}: the report has no such row{did_you_mean(stage, self.stages)} {known}")
        return self.results[self.stages.index(stage)]


def describe_check(check: Mapping[str, Any]) -> str:
    """One of a report's ``checks`` in one line."""
    if check["report"] is None:
        return str(check["problem"] or f"not run: {check['unchecked']}")
    return f"passes, {float(check['report']['worst_psnr']):.1f} dB from its program at worst"


def check_stage(stage: str) -> None:
    """Raise ``TrainError`` for a name that a row cannot have: it is a folder's name too."""
    if not _STAGE.fullmatch(stage):
        raise TrainError(f"{stage}: not a name for a row; use lower-case letters, digits, dots and dashes")


def read_report(folder: Path) -> Report:
    """The report of a folder. Raises ``TrainError`` where there is none or a damaged one."""
    path = folder / REPORT_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainError(
            f"{path}: no such file; measure a model with `python -m compress.report measure` first"
        ) from error
    except ValueError as error:
        raise _damaged(path, f"not JSON: {' '.join(str(error).split())}") from error
    version = data.get("format_version") if isinstance(data, dict) else None
    if version != FORMAT_VERSION:
        raise _damaged(path, f"format version {version}, this tadsr reads {FORMAT_VERSION}")
    try:
        return Report(
            PairsIdentity(**data["pairs"]), [_read(entry) for entry in data["rows"]], list(data.get("checks", []))
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def read_report_of(pairs: PairsIdentity, folder: Path) -> Report:
    """The report of a folder, or an empty one where there is none yet.

    Raises ``TrainError`` for a damaged one, and for one with rows of other pairs.
    """
    if not (folder / REPORT_FILE).exists():
        return Report(pairs)
    report = read_report(folder)
    if report.pairs.sha256 != pairs.sha256:
        theirs = report.pairs
        raise TrainError(
            f"{folder / REPORT_FILE}: its rows are of {theirs.count} other pairs ({theirs.name}), not of these "
            f"{pairs.count} ({pairs.name}); give those, or another --report"
        )
    return report


def put_result(result: StageResult, report: Report, folder: Path) -> None:
    """Write the report with the result in place of an earlier one of its stage, in the order of ``STAGES``."""
    results = [*(other for other in report.results if other.stage != result.stage), result]
    results.sort(key=lambda other: STAGES.index(other.stage) if other.stage in STAGES else len(STAGES))
    written = as_json(Report(report.pairs, results, report.checks))
    with replacing(folder / REPORT_FILE) as draft:
        draft.write_text(json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def as_json(report: Report) -> dict[str, Any]:
    """The report as strict JSON can hold it."""
    return {
        "format_version": FORMAT_VERSION,
        "pairs": asdict(report.pairs),
        "rows": [_as_json(result) for result in report.results],
        "checks": report.checks,
    }


def _as_json(result: StageResult) -> dict[str, Any]:
    tile = result.worst.tile._asdict() | {"psnr": _written(result.worst.tile.psnr)}
    return {
        "stage": result.stage,
        "against": result.baseline,
        "figures": {name: _written(value) for name, value in result.metrics.items()},
        "worst": {"picture": result.worst.picture, "psnr": _written(result.worst.psnr), "tile": tile},
        "provenance": result.provenance,
    }


def _read(data: dict[str, Any]) -> StageResult:
    worst = data["worst"]
    tile = Tile(**{**worst["tile"], "psnr": float(worst["tile"]["psnr"])})
    metrics = {name: float(value) for name, value in data["figures"].items()}
    if unknown := metrics.keys() - METRICS.keys():
        raise ValueError(f"unknown metric {min(unknown)}")
    check_stage(data["stage"])
    where = Worst(worst["picture"], float(worst["psnr"]), tile)
    return StageResult(data["stage"], data["against"], metrics, where, dict(data["provenance"]))


def _written(value: float) -> float | str:
    if value == math.inf:
        return "inf"
    return int(value) if value.is_integer() else value


def _damaged(path: Path, why: str) -> TrainError:
    return TrainError(f"{path}: damaged, or not a report ({why}); take it away and measure again")
