"""``python -m compress.reporting.measure``: any model over pairs of pictures becomes a row of a report.

Writes the row into ``DIR/report.json`` and its pictures into ``DIR/pictures/STAGE``, where later rows find them.
"""

import argparse
import hashlib
import math
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import track

from compress.reporting.comparison import Picture, mean_psnr, worst_tile
from compress.reporting.opened import Opened, open_model
from compress.reporting.rows import (
    ORIGINALS,
    PICTURES,
    PairsIdentity,
    Report,
    Row,
    Tile,
    Worst,
    check_stage,
    put_row,
    read_report_of,
)
from tadsr import commands
from train.data.photos import load_photo
from train.engine.errors import TrainError
from train.evaluate import Pair, find_pairs, restored, saved
from train.evaluation import metrics, scoring
from train.evaluation.measuring import describe_versions
from train.evaluation.metrics import MetricError
from train.evaluation.predictors import Predictor, SamplingOptions
from train.evaluation.scoring import Result, Scores

FIGURES_TO_HR = ("psnr_y", "ssim_y", "naturalness", "delta_e", "hf_ratio", "cast")
TEACHER = "teacher"
PACKAGES = ("numpy", "torch", "onnxruntime", "nncf", "torchao", "executorch")
"""Whose versions a row names."""


def check_report(pairs: Path | None, report: Path | None, against: str | None = None) -> None:
    """Ask before a long run whether ``measure`` could add a row afterwards; nothing is asked where both are None.

    Raises ``TrainError`` where only one is given, where there are no pairs with HR, where the report is damaged or of
    other pairs, or has no row ``against``.
    """
    if (pairs is None) != (report is None):
        given, missing = ("--pairs", "--report") if report is None else ("--report", "--pairs")
        raise TrainError(f"{given}: a row is measured where both are given; give {missing} too, or neither")
    if pairs is not None and report is not None:
        found = read_report_of(identity(pairs, _pairs_with_hr(pairs)), report)
        if against is not None:
            found.find(against, "--against ")


def measure(
    stage: str,
    predictor: Predictor,
    pairs: Path,
    report: Path,
    *,
    against: str | None,
    size: int | None,
    macs_per_pixel: int | None,
    parameters: int | None,
    provenance: dict[str, Any],
    further: Mapping[str, float] = MappingProxyType({}),
) -> Row:
    """Run the predictor on the pairs, keep its pictures, and put the row ``stage`` into the report, in place of an
    earlier one of that name.

    ``size`` is in bytes and ``macs_per_pixel`` per LR pixel; ``further`` are figures of
    ``compress.reporting.rows.FIGURES`` that
    only the stage knows; ``provenance`` says at least its command and seed, and gets versions, pairs and date.

    Raises ``TrainError`` where a name is not one for a row, the pairs have no HR, the report is damaged, of other pairs
    or without the row ``against``, and ``MetricError`` where a picture has not its HR picture's size.
    """
    check_stage(stage)
    if against == stage:
        raise TrainError(f"--against {against}: a row cannot be compared with itself; name an earlier one")
    found = _pairs_with_hr(pairs)
    before = read_report_of(identity(pairs, found), report)
    previous = None if against is None else before.find(against, "--against ")
    sides = [None if previous is None else previous.stage, _teacher(stage, before)]
    originals = report / PICTURES / ORIGINALS
    if not originals.is_dir():
        with _drafted(originals) as folder:
            list(saved(((name, hr, hr, lr) for name, lr, hr in found if hr is not None), folder))
    with _drafted(report / PICTURES / stage) as folder:
        results = restored(predictor, found, folder)
        shown = track(results, stage, len(found), console=Console(stderr=True), transient=True)
        measured = []
        for result in shown:
            others = [None if side is None else kept_picture(report, side, result[0]) for side in sides]
            measured.append(_measured(result, *others))
        sizes = {"size": size, "macs_per_pixel": macs_per_pixel, "parameters": parameters}
        figures = _figures(measured, {k: float(v) for k, v in sizes.items() if v is not None}, previous)
        row = Row(stage, against, {**figures, **further}, _worst(measured), _provenance(provenance, before))
    put_row(row, before, report)
    return row


def measure_opened(
    stage: str, model: Opened, pairs: Path, report: Path, *, against: str | None, provenance: dict[str, Any]
) -> Row:
    """``measure`` of a model with what is known of its size. Raises as ``measure``."""
    return measure(
        stage,
        model.predictor,
        pairs,
        report,
        against=against,
        size=model.size,
        macs_per_pixel=model.macs_per_pixel,
        parameters=model.parameters,
        provenance=provenance,
    )


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


class _Measured(NamedTuple):
    name: str
    scores: Scores
    near: float
    """RGB PSNR to the previous stage, or to HR where there is none."""
    tile: Tile
    delta_e: float | None
    to_teacher: float | None


def _measured(result: Result, previous: Picture | None, teacher: Picture | None) -> _Measured:
    name, sr, hr, _ = result
    scores = scoring.score_all([result])[name]
    other = hr if previous is None else previous
    assert other is not None
    try:
        return _Measured(
            name,
            scores,
            metrics.psnr_rgb(sr, other),
            worst_tile(name, sr, other),
            None if previous is None else metrics.delta_e(sr, previous),
            None if teacher is None else metrics.psnr_rgb(sr, teacher),
        )
    except MetricError as error:
        raise MetricError(f"{name}: {error}") from error


def _figures(measured: list[_Measured], sizes: Mapping[str, float], previous: Row | None) -> dict[str, float]:
    mean = scoring.mean(one.scores for one in measured)
    figures = {name: mean[name] for name in FIGURES_TO_HR if not math.isnan(mean[name])}
    figures.update(sizes)
    to_teacher = [one.to_teacher for one in measured if one.to_teacher is not None]
    if to_teacher:
        figures |= {"psnr_teacher": mean_psnr(to_teacher), "psnr_teacher_worst": min(to_teacher)}
    if previous is None:
        return figures
    near = [one.near for one in measured]
    delta_e = [one.delta_e for one in measured if one.delta_e is not None]
    figures |= {"psnr_previous": mean_psnr(near), "psnr_previous_worst": min(near)}
    figures["delta_e_previous"] = sum(delta_e) / len(delta_e)
    return figures | _changes(figures, previous.figures)


def _changes(figures: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    changes = {
        "psnr_y_change": ("psnr_y", lambda now, then: now - then),
        "naturalness_change": ("naturalness", lambda now, then: now / then - 1),
        "size_ratio": ("size", lambda now, then: now / then),
        "macs_ratio": ("macs_per_pixel", lambda now, then: now / then),
    }
    return {
        name: change(figures[of], before[of])
        for name, (of, change) in changes.items()
        if of in figures and before.get(of)
    }


def _worst(measured: list[_Measured]) -> Worst:
    picture = min(measured, key=lambda one: one.near)
    return Worst(picture.name, picture.near, min((one.tile for one in measured), key=lambda tile: tile.psnr))


def _provenance(given: Mapping[str, Any], report: Report) -> dict[str, Any]:
    versions = {name: version for name, version in describe_versions(*PACKAGES).items() if version}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {**given, "versions": versions, "pairs": report.pairs.name, "count": report.pairs.count, "date": date}


def _teacher(stage: str, report: Report) -> str | None:
    return TEACHER if stage != TEACHER and report.has(TEACHER) else None


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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m compress.reporting.measure",
        description="Measure a model on pairs of pictures and put the row into a report.",
        epilog="example: python -m compress.reporting.measure teacher train/weights/mobile/teacher.safetensors "
        "--pairs photos/val --report runs/report",
    )
    parser.add_argument("stage", help="name of the row: teacher, student, folded, onnx-int8, ...")
    parser.add_argument(
        "model", type=Path, help="a bundle (.tadsr), a program (.pt2) or a network (.safetensors) with its autoencoder"
    )
    parser.add_argument("--pairs", type=Path, required=True, help="a folder with LR and HR inside")
    parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="folder of the report")
    parser.add_argument("--against", metavar="STAGE", help="the row of the report that this one is compared with")
    parser.add_argument(
        "--autoencoder", type=Path, help="for networks: the autoencoder's weights, else those beside the network"
    )
    parser.add_argument("--steps", type=int, help="for networks: sampling steps; else as trained")
    parser.add_argument("--seed", type=int, default=0, help="for networks: seed of the noise")
    parser.add_argument("--backend", default="auto", help="for bundles: the engine")
    parser.add_argument("--precision", default="auto", help="for bundles: fp32, int8, ...")
    asked = parser.parse_args()

    check_report(asked.pairs, asked.report, asked.against)
    options = SamplingOptions(asked.autoencoder, asked.steps, asked.seed)
    model = open_model(asked.model, options, asked.backend, asked.precision)
    command = commands.typed("compress.reporting.measure")
    provenance = {"command": command, "seed": asked.seed}
    row = measure_opened(asked.stage, model, asked.pairs, asked.report, against=asked.against, provenance=provenance)
    commands.say(f"{asked.report}: {row.stage}, {in_short(row)}")


def in_short(row: Row) -> str:
    """The row's main figures in one line."""
    near = f", {row.figures['psnr_previous']:.2f} dB to {row.against}" if row.against else ""
    return f"PSNR-Y {row.figures['psnr_y']:.2f} dB{near}"


if __name__ == "__main__":
    commands.run(main)
