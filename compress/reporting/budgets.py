"""Budgets: what the figures of a report's rows must keep to, written in YAML, and the check.

.. code-block:: yaml

    qat:                                          # a row
      against: folded                             # what it must be compared with
      psnr_previous: {min: 42}                    # a figure of it
      psnr_y: {min: -0.05, relative_to: folded}   # the same figure of another row subtracted
      any:                                        # one of these suffices
        - psnr_previous: {min: 1, relative_to: ptq}
        - ptq.psnr_previous: {min: 46}            # a figure of another row
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from compress.reporting.rows import FIGURES, STAGES, Report
from train.engine.errors import TrainError
from train.engine.suggestions import did_you_mean

SHIPPED = Path(__file__).with_name("budgets.yaml")
ANY, AGAINST = "any", "against"
KEYS = ("min", "max", "relative_to")


@dataclass(frozen=True)
class Limit:
    """What one figure must keep to, ends included."""

    stage: str
    figure: str
    min: float | None = None
    max: float | None = None
    relative_to: str | None = None
    """Row whose same figure is subtracted first."""

    @property
    def rows(self) -> set[str]:
        """The rows that must be there."""
        return {self.stage} if self.relative_to is None else {self.stage, self.relative_to}


@dataclass(frozen=True)
class Budget:
    """What a row must keep to: all limits of one of the alternatives at least."""

    stage: str
    alternatives: list[list[Limit]]


@dataclass(frozen=True)
class Budgets:
    """All of a file."""

    budgets: list[Budget]
    against: dict[str, str]
    """By row, what it must be compared with: a PSNR to the previous stage means little without."""


@dataclass(frozen=True)
class Verdict:
    """What came of the check: lines for people."""

    breaches: list[str]
    notes: list[str]
    """What keeps the rest from being trusted: budgets of rows that are not there, rows older than what they are
    compared with."""


def read_budgets(path: Path, rows: Iterable[str] = ()) -> Budgets:
    """The budgets of a YAML file; known rows are those of ``compress.reporting.rows.STAGES`` and ``rows``.

    Raises ``TrainError`` where the file is missing or of another shape, or names an unknown row, figure or key.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainError(f"{path}: no such file; leave --budgets out for those that come with tadsr") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    reader = _Reader(path, tuple(dict.fromkeys([*STAGES, *rows])))
    rows_of_file = reader.mapping(data, "rows")
    budgets = [budget for stage, entries in rows_of_file.items() for budget in reader.budgets(stage, entries)]
    against = {stage: reader.against(entries) for stage, entries in rows_of_file.items() if AGAINST in entries}
    return Budgets(budgets, against)


def judge(report: Report, asked: Budgets) -> Verdict:
    """Check the rows that are there; a budgeted figure that its row does not know is a breach too."""
    breaches, notes = [], _outdated(report)
    for row in report.rows:
        other = asked.against.get(row.stage, row.against)
        if row.against != other:
            breaches.append(f"{row.stage}: is compared with {row.against or 'nothing'}, its budget is for {other}")
    for budget in asked.budgets:
        checkable = [limits for limits in budget.alternatives if all(map(report.has, _rows(limits)))]
        if not checkable:
            missing = {row for limits in budget.alternatives for row in _rows(limits) if not report.has(row)}
            named = {budget.stage} if budget.stage in missing else missing
            notes.append(f"{budget.stage}: not checked, there is no row {', '.join(sorted(named))}")
            continue
        failures = [[line for limit in limits if (line := _breach(limit, report))] for limits in checkable]
        if all(failures):
            breaches.append("; nor ".join(", ".join(lines) for lines in failures))
    return Verdict(breaches, list(dict.fromkeys(notes)))


def _outdated(report: Report) -> list[str]:
    pairs = [(row, report.find(row.against)) for row in report.rows if row.against and report.has(row.against)]
    return [
        f"{row.stage}: was compared with an earlier {other.stage}; measure it again"
        for row, other in pairs
        if str(other.provenance.get("date")) > str(row.provenance.get("date"))
    ]


def _rows(limits: Iterable[Limit]) -> set[str]:
    return {row for limit in limits for row in limit.rows}


def _breach(limit: Limit, report: Report) -> str | None:
    """What is wrong, in one line; None where nothing is."""
    form = FIGURES[limit.figure].form
    value = report.find(limit.stage).figures.get(limit.figure)
    other = report.find(limit.relative_to).figures.get(limit.figure) if limit.relative_to else 0.0
    if value is None or other is None:
        where = limit.stage if value is None else limit.relative_to
        return f"{where} {limit.figure}: is not known, and has a budget"
    difference = 0.0 if value == other else value - other  # also of two infinite ones
    than = f" more than {limit.relative_to}'s" if limit.relative_to else ""
    for bound, broken, word in (
        (limit.min, limit.min is not None and difference < limit.min, "at least"),
        (limit.max, limit.max is not None and difference > limit.max, "at most"),
    ):
        if bound is not None and broken:
            return f"{limit.stage} {limit.figure}: {form.format(difference)}{than}, {word} {form.format(bound)} asked"
    return None


class _Reader:
    """Turns YAML into budgets; every mistake is a ``TrainError`` that names the file."""

    def __init__(self, path: Path, stages: tuple[str, ...]) -> None:
        self._path, self._stages = path, stages

    def mapping(self, data: Any, of: str) -> Mapping[str, Any]:
        if not isinstance(data, dict) or not data or not all(isinstance(key, str) for key in data):
            raise TrainError(f"{self._path}: expected a mapping of {of}, got {str(data)[:60]!r}; see the shipped file")
        return data

    def against(self, entries: Mapping[str, Any]) -> str:
        self._known(str(entries[AGAINST]), self._stages, "row")
        return str(entries[AGAINST])

    def budgets(self, stage: str, entries: Any) -> list[Budget]:
        self._known(stage, self._stages, "row")
        budgets = []
        for key, value in self.mapping(entries, f"figures for {stage}").items():
            if key == ANY:
                budgets.append(Budget(stage, self._alternatives(stage, value)))
            elif key != AGAINST:
                budgets.append(Budget(stage, [[self._limit(stage, key, value)]]))
        return budgets

    def _alternatives(self, stage: str, data: Any) -> list[list[Limit]]:
        if not isinstance(data, list) or not data:
            raise TrainError(f"{self._path}: {stage}.{ANY} must be a list of alternatives; see the shipped file")
        entries = [self.mapping(entry, f"figures for {stage}.{ANY}") for entry in data]
        return [[self._limit(stage, key, value) for key, value in entry.items()] for entry in entries]

    def _limit(self, stage: str, key: str, value: Any) -> Limit:
        other, _, figure = key.rpartition(".")
        self._known(other or stage, self._stages, "row")
        self._known(figure, FIGURES, "figure")
        values = self.mapping(value, f"{' or '.join(KEYS)} for {stage}.{key}")
        for name in values:
            self._known(name, KEYS, "key")
        bounds = {name: values[name] for name in ("min", "max") if name in values}
        if not bounds or not all(type(bound) in (int, float) for bound in bounds.values()):
            raise TrainError(f"{self._path}: {stage}.{key} needs min or max, as numbers; got {dict(values)}")
        if "relative_to" in values:
            self._known(str(values["relative_to"]), self._stages, "row")
        return Limit(other or stage, figure, **values)

    def _known(self, name: str, known: Iterable[str], what: str) -> None:
        known = tuple(known)
        if name not in known:
            hint = did_you_mean(name, known)
            raise TrainError(f"{self._path}: {name}: no such {what}{hint} there are {', '.join(known)}")
