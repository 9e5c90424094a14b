"""A model measured over pairs of pictures becomes a row of a report.

The row goes into ``DIR/report.json`` and its pictures into ``DIR/pictures/STAGE``, where later rows find them.
"""

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.progress import track

from compress.reporting.comparison import Picture, compare, summarise, worst
from compress.reporting.results import (
    ORIGINALS,
    PICTURES,
    PairsIdentity,
    Report,
    StageResult,
    check_stage,
    put_result,
    read_report_of,
)
from tadsr.measuring import describe_versions
from train.data.photos import load_photo
from train.engine.errors import TrainError
from train.evaluation.pairs import Pair, find_pairs, originals, restored, saved
from train.evaluation.predictors import Predictor

TEACHER = "teacher"
PACKAGES = ("numpy", "torch", "onnxruntime", "nncf", "torchao", "executorch")
"""Whose versions a row names."""


def check_report(pairs: Path | None, report: Path | None, baseline: str | None = None) -> None:
    """Make sure before a long run that ``measure`` could add a row afterwards; fine where both folders are None.

    Raises ``TrainError`` where only one is given, where there are no pairs with HR, where the report is damaged or of
    other pairs, or has no row ``baseline``.
    """
    if (pairs is None) != (report is None):
        option, missing = ("--pairs", "--report") if report is None else ("--report", "--pairs")
        raise TrainError(f"{option}: a row is measured where both are given; give {missing} too, or neither")
    if pairs is not None and report is not None:
        before = read_report_of(identity(pairs, _pairs_with_hr(pairs)), report)
        if baseline is not None:
            before.find(baseline, "--baseline ")


def measure(
    stage: str,
    predictor: Predictor,
    pairs: Path,
    report: Path,
    *,
    baseline: str | None,
    provenance: Mapping[str, Any],
    further: Mapping[str, float] = MappingProxyType({}),
) -> StageResult:
    """Run the predictor on the pairs, keep its pictures, and put the row ``stage`` into the report, in place of an
    earlier one of that name.

    ``further`` are metrics of ``compress.reporting.results.METRICS`` that only the stage knows; ``provenance`` says at
    least its command and seed, and gets versions, pairs and date.

    Raises ``TrainError`` where a name is not one for a row, the pairs have no HR, the report is damaged, of other pairs
    or without the row ``baseline``, and ``MetricError`` where a picture has not its HR picture's size.
    """
    check_stage(stage)
    if baseline == stage:
        raise TrainError(f"--baseline {baseline}: a row cannot be compared with itself; name an earlier one")
    pictures = _pairs_with_hr(pairs)
    before = read_report_of(identity(pairs, pictures), report)
    previous = None if baseline is None else before.find(baseline, "--baseline ")
    others = [baseline, TEACHER if stage != TEACHER and TEACHER in before.stages else None]
    if not (report / PICTURES / ORIGINALS).is_dir():
        with _drafted(report / PICTURES / ORIGINALS) as folder:
            list(saved(originals(pictures), folder))
    with _drafted(report / PICTURES / stage) as folder:
        results = saved(restored(predictor.predict, pictures), folder)
        tracked = track(results, stage, len(pictures), console=Console(stderr=True), transient=True)
        comparisons = [compare(result, *(_kept(report, other, result[0]) for other in others)) for result in tracked]
        measured = StageResult(
            stage,
            baseline,
            summarise(comparisons, _sizes(predictor), None if previous is None else previous.metrics) | dict(further),
            worst(comparisons),
            _provenance(provenance, before),
        )
    put_result(measured, before, report)
    return measured


def identity(folder: Path, pairs: list[Pair]) -> PairsIdentity:
    """What tells these pairs from others."""
    digest = hashlib.sha256()
    for name, *pictures in pairs:
        digest.update(name.encode())
        for picture in pictures:
            assert picture is not None
            digest.update(repr(picture.shape).encode() + picture.tobytes())
    return PairsIdentity(folder.resolve().name, len(pairs), digest.hexdigest())


def kept_picture(report: Path, stage: str, name: str) -> Picture:
    """A stage's picture of that name, or with ``ORIGINALS`` the HR one. Raises ``TrainError`` where it is not there."""
    path = (report / PICTURES / stage / name).with_suffix(".png")
    if not path.is_file():
        raise TrainError(f"{path}: no such file; measure {stage} again")
    return load_photo(path)


def summary(result: StageResult) -> str:
    """The main metrics in one line."""
    near = f", {result.metrics['psnr_previous']:.2f} dB to {result.baseline}" if result.baseline else ""
    return f"{result.stage}, PSNR-Y {result.metrics['psnr_y']:.2f} dB{near}"


def _kept(report: Path, stage: str | None, name: str) -> Picture | None:
    return None if stage is None else kept_picture(report, stage, name)


def _sizes(predictor: Predictor) -> dict[str, float]:
    sizes = {name: getattr(predictor, name) for name in ("size", "macs_per_pixel", "parameters")}
    return {name: float(value) for name, value in sizes.items() if value is not None}


def _provenance(provenance: Mapping[str, Any], report: Report) -> dict[str, Any]:
    versions = {name: version for name, version in describe_versions(*PACKAGES).items() if version}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {**provenance, "versions": versions, "pairs": report.pairs.name, "count": report.pairs.count, "date": date}


def _pairs_with_hr(folder: Path) -> list[Pair]:
    pairs = find_pairs(folder)
    if any(hr is None for _, _, hr in pairs):
        raise TrainError(f"{folder}: a row needs originals; give a folder that holds LR and HR, with the same names")
    return pairs


@contextmanager
def _drafted(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of ``folder`` once it is full."""
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}")
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
