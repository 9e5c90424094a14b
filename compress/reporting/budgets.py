"""Budgets: the least and the most that the metrics of a report's rows may be.

A YAML file has an entry per row: what the row must be compared with, and limits by the names of
``compress.reporting.results.METRICS``.

.. code-block:: yaml

    qat:
      baseline: folded
      psnr_previous: {min: 42}
      psnr_y_change: {min: -0.05, max: 0.05}
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from compress.reporting.results import METRICS, STAGES, Report
from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean

SHIPPED = Path(__file__).with_name("budgets.yaml")
BASELINE = "baseline"
CALIBRATED_WELL = 46.0
"""dB of PSNR to the float program: calibrated INT8 that reaches it leaves finetuning little to gain."""
FINETUNING_GAIN = 1.0
"""dB that finetuned INT8 must be above calibrated INT8 otherwise."""


@dataclass(frozen=True)
class Limit:
    """Bounds of one metric, both included."""

    min: float = -math.inf
    max: float = math.inf


@dataclass(frozen=True)
class Budget:
    """What one row must keep to."""

    baseline: str | None
    """What it must be compared with, where that matters: a PSNR to the baseline means little without."""
    limits: Mapping[str, Limit]


Budgets = Mapping[str, Budget]
"""By the rows' names."""


@dataclass(frozen=True)
class Verdict:
    """What came of the check: lines for people."""

    breaches: list[str]
    notes: list[str]
    """What keeps the rest from being trusted: budgets of rows that are not there, rows older than their baseline."""


def check(report: Report, budgets: Budgets) -> Verdict:
    """Check the rows that are there; a budgeted metric that its row does not know is a breach too."""
    breaches = []
    for result in report.results:
        budget = budgets.get(result.stage, Budget(None, {}))
        if budget.baseline and result.baseline != budget.baseline:
            breaches.append(
                f"{result.stage}: is compared with {result.baseline or 'nothing'}, its budget is for {budget.baseline}"
            )
        for name, limit in budget.limits.items():
            value, form = result.metrics.get(name), METRICS[name].form
            if value is None:
                breaches.append(f"{result.stage} {name}: is not known, and has a budget")
            elif value < limit.min:
                breaches.append(f"{result.stage} {name}: {form.format(value)}, less than {form.format(limit.min)}")
            elif value > limit.max:
                breaches.append(f"{result.stage} {name}: {form.format(value)}, more than {form.format(limit.max)}")
    missing = [f"{stage}: not checked, there is no such row" for stage in budgets if stage not in report.stages]
    return Verdict(breaches, _outdated(report) + missing)


def check_shipped(report: Report) -> Verdict:
    """Check the budgets that come with tadsr, and that INT8 is finetuned to some purpose."""
    verdict = check(report, read_budgets(SHIPPED))
    return Verdict(verdict.breaches + _finetuning_gain(report), verdict.notes)


def _finetuning_gain(report: Report) -> list[str]:
    psnr = {result.stage: result.metrics.get("psnr_previous") for result in report.results}
    calibrated, finetuned = psnr.get("ptq"), psnr.get("qat")
    if calibrated is None or finetuned is None or calibrated >= CALIBRATED_WELL:
        return []
    if finetuned >= calibrated + FINETUNING_GAIN:
        return []
    gain = finetuned - calibrated
    return [f"qat psnr_previous: {gain:.2f} dB more than ptq's {calibrated:.2f} dB, less than {FINETUNING_GAIN:.2f} dB"]


def _outdated(report: Report) -> list[str]:
    dates = {result.stage: str(result.provenance.get("date")) for result in report.results}
    return [
        f"{result.stage}: was compared with an earlier {result.baseline}; measure it again"
        for result in report.results
        if result.baseline in dates and dates[result.baseline] > dates[result.stage]
    ]


def read_budgets(path: Path, stages: Iterable[str] = ()) -> Budgets:
    """The budgets of a YAML file; known rows are those of ``compress.reporting.results.STAGES`` and ``stages``.

    Raises ``TrainError`` where the file is missing or of another shape, or names an unknown row, metric or bound.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainError(f"{path}: no such file; leave --budgets out for those that come with tadsr") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    rows = _mapping(path, data, "rows", [*STAGES, *stages])
    return {stage: _budget(path, stage, entries, [*STAGES, *stages]) for stage, entries in rows.items()}


def _budget(path: Path, stage: str, data: Any, stages: Iterable[str]) -> Budget:
    entries = dict(_mapping(path, data, f"limits of {stage}", [BASELINE, *METRICS]))
    baseline = entries.pop(BASELINE, None)
    if baseline is not None:
        _mapping(path, {str(baseline): None}, "rows", stages)
    return Budget(baseline, {name: _limit(path, f"{stage}.{name}", value) for name, value in entries.items()})


def _limit(path: Path, name: str, data: Any) -> Limit:
    bounds = _mapping(path, data, f"bounds of {name}", [field.name for field in fields(Limit)])
    if not all(type(bound) in (int, float) for bound in bounds.values()):
        raise TrainError(f"{path}: {name} needs min or max, as numbers; got {dict(bounds)}")
    return Limit(**bounds)


def _mapping(path: Path, data: Any, what: str, known: Iterable[str]) -> Mapping[str, Any]:
    """The data where it is a mapping with known keys and not empty; else ``TrainError``."""
    if not isinstance(data, dict) or not data:
        raise TrainError(f"{path}: expected {what} by name, got {str(data)[:60]!r}; see the shipped file")
    known = list(dict.fromkeys(known))
    for name in data:
        if name not in known:
            hint = did_you_mean(str(name), known)
            raise TrainError(f"{path}: {name}: not among the {what}{hint} there are {', '.join(known)}")
    return data
