"""Budgets: what they can say, what breaks them, and how mistakes in their file are told."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from compress.reporting.budgets import Verdict, check, check_shipped, read_budgets
from compress.reporting.results import PairsIdentity, Report, StageResult, Tile, Worst
from train.engine.errors import TrainError

WORST = Worst("a.png", 30.0, Tile("a.png", 0, 0, 64, 64, 20.0))
GOOD_QAT = {
    "psnr_previous": 43.0,
    "psnr_previous_worst": 38.5,
    "psnr_y_change": -0.04,
    "naturalness_change": 0.01,
    "delta_e_previous": 0.4,
    "size_ratio": 0.27,
}


DATED = [("folded", None, "2026-11-21T07:00:02+00:00"), ("qat", "folded", "2026-11-21T07:00:01+00:00")]


def row(stage: str, baseline: str | None = None, **metrics: float) -> StageResult:
    return StageResult(stage, baseline, metrics, WORST, {})


def report(*rows: StageResult) -> Report:
    return Report(PairsIdentity("val", 1, "0"), list(rows))


def checked(text: str, rows: list[StageResult], tmp_path: Path) -> Verdict:
    (tmp_path / "budgets.yaml").write_text(text)
    return check(report(*rows), read_budgets(tmp_path / "budgets.yaml", [r.stage for r in rows]))


@pytest.mark.parametrize(
    ("limit", "value", "breach"),
    [
        ("{min: 42}", 42.0, ""),
        ("{min: 42}", 41.99, "qat psnr_previous: 41.99 dB, less than 42.00 dB"),
        ("{min: 42}", math.inf, ""),
        ("{max: 42}", 42.5, "qat psnr_previous: 42.50 dB, more than 42.00 dB"),
        ("{min: 40, max: 42}", 41.0, ""),
    ],
)
def test_limits(limit: str, value: float, breach: str, tmp_path: Path) -> None:
    verdict = checked(f"qat: {{psnr_previous: {limit}}}", [row("qat", psnr_previous=value)], tmp_path)
    assert verdict.breaches == ([breach] if breach else [])
    assert verdict.notes == []


@pytest.mark.parametrize(("ptq", "broken"), [(41.0, False), (43.0, True), (46.0, False)])
def test_finetuning_gains_over_calibration_that_is_not_good_already(ptq: float, broken: bool) -> None:
    rows = row("ptq", "folded", psnr_previous=ptq), row("qat", "folded", **GOOD_QAT)
    breaches = check_shipped(report(*rows)).breaches
    assert [line.partition(":")[0] for line in breaches] == (["qat psnr_previous"] if broken else [])


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    text = "pruned: {cast: {max: 1}, delta_e: {max: 1}}\nqat: {cast: {max: 1}}"
    verdict = checked(text, [row("qat", psnr_y=20.0)], tmp_path)
    assert verdict.breaches == ["qat cast: is not known, and has a budget"]
    assert verdict.notes == ["pruned: not checked, there is no such row"]


def test_row_compared_with_another_than_its_budget_is_for(tmp_path: Path) -> None:
    rows = [row("folded"), row("student"), row("qat", "student")]
    verdict = checked("qat: {baseline: folded}", rows, tmp_path)
    assert verdict.breaches == ["qat: is compared with student, its budget is for folded"]


def test_row_older_than_what_it_is_compared_with(tmp_path: Path) -> None:
    rows = [replace(row(stage, other), provenance={"date": date}) for stage, other, date in DATED]
    verdict = checked("qat: {baseline: folded}", rows, tmp_path)
    assert verdict.notes == ["qat: was compared with an earlier folded; measure it again"]


def test_shipped_budgets_hold_the_targets() -> None:
    ptq, qat = row("ptq", "folded", psnr_previous=41.0), row("qat", "folded", **GOOD_QAT)

    def breaches(changed: StageResult) -> list[str]:
        return check_shipped(report(ptq, changed)).breaches

    assert breaches(qat) == []
    for name, bad in (
        ("psnr_previous", 41.9),
        ("psnr_previous_worst", 37.9),
        ("psnr_y_change", -0.06),
        ("naturalness_change", 0.021),
        ("naturalness_change", -0.021),
        ("delta_e_previous", 0.51),
        ("size_ratio", 0.281),
    ):
        broken = breaches(replace(qat, metrics=GOOD_QAT | {name: bad}))
        assert any(line.startswith(f"qat {name}: ") for line in broken), (name, broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qat: {psnr_prevoius: {min: 1}}", r"psnr_prevoius: not among .*, did you mean psnr_previous\?"),
        ("qta: {psnr_y: {min: 1}}", r"qta: not among the rows, did you mean qat\?"),
        ("qat: {psnr_y: {mim: 1}}", r"mim: not among .*, did you mean min\?"),
        ("qat: {psnr_y: {min: high}}", "qat.psnr_y needs min or max, as numbers"),
        ("qat: {psnr_y: {min: true}}", "qat.psnr_y needs min or max, as numbers"),
        ("qat: {psnr_y: {}}", "expected bounds of qat.psnr_y"),
        ("qat: {baseline: foldet}", r"foldet: not among the rows, did you mean folded\?"),
        ("qat: {against: folded}", "against: not among .* there are baseline, "),
        ("qat: {psnr_y: 42}", "expected bounds of qat.psnr_y"),
        ("qat: 42", "expected limits of qat by name, got '42'"),
        ("[qat]", "expected rows by name"),
        ("", "expected rows by name"),
        ("qat: {", "not valid YAML"),
    ],
)
def test_mistakes_in_the_file_are_told_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=message) as caught:
        checked(text, [row("qat")], tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'budgets.yaml'}: ")
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"none\.yaml: no such file"):
        read_budgets(tmp_path / "none.yaml")
