"""Budgets: what they can say, what breaks them, and how mistakes in their file are told."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from compress.reporting.budgets import SHIPPED, Verdict, judge, read_budgets
from compress.reporting.rows import PairsIdentity, Report, Row, Tile, Worst
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


def row(stage: str, against: str | None = None, **figures: float) -> Row:
    return Row(stage, against, figures, WORST, {})


def judged(text: str, rows: list[Row], tmp_path: Path) -> Verdict:
    (tmp_path / "budgets.yaml").write_text(text)
    return judge(
        Report(PairsIdentity("val", 1, "0"), rows), read_budgets(tmp_path / "budgets.yaml", [r.stage for r in rows])
    )


@pytest.mark.parametrize(
    ("limit", "value", "breach"),
    [
        ("{min: 42}", 42.0, ""),
        ("{min: 42}", 41.99, "qat psnr_previous: 41.99 dB, at least 42.00 dB asked"),
        ("{min: 42}", math.inf, ""),
        ("{max: 42}", 42.5, "qat psnr_previous: 42.50 dB, at most 42.00 dB asked"),
        ("{min: 40, max: 42}", 41.0, ""),
        ("{min: 1, relative_to: ptq}", 41.5, ""),
        ("{min: 1, relative_to: ptq}", 40.5, "qat psnr_previous: 0.50 dB more than ptq's, at least 1.00 dB asked"),
    ],
)
def test_limits(limit: str, value: float, breach: str, tmp_path: Path) -> None:
    rows = [row("ptq", psnr_previous=40.0), row("qat", psnr_previous=value)]
    verdict = judged(f"qat: {{psnr_previous: {limit}}}", rows, tmp_path)
    assert verdict.breaches == ([breach] if breach else [])
    assert verdict.notes == []


@pytest.mark.parametrize(("ptq", "broken"), [(41.0, False), (43.0, True), (47.0, False)])
def test_one_of_several_suffices(ptq: float, broken: bool, tmp_path: Path) -> None:
    text = "qat: {any: [{psnr_previous: {min: 1, relative_to: ptq}}, {ptq.psnr_previous: {min: 46}}]}"
    verdict = judged(text, [row("ptq", psnr_previous=ptq), row("qat", psnr_previous=42.5)], tmp_path)
    assert verdict.breaches == (
        [
            "qat psnr_previous: -0.50 dB more than ptq's, at least 1.00 dB asked; "
            "nor ptq psnr_previous: 43.00 dB, at least 46.00 dB asked"
        ]
        if broken
        else []
    )


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    text = "pruned: {cast: {max: 1}, delta_e: {max: 1}}\nqat: {psnr_y: {min: 0, relative_to: folded}, cast: {max: 1}}"
    verdict = judged(text, [row("qat", psnr_y=20.0)], tmp_path)
    assert verdict.breaches == ["qat cast: is not known, and has a budget"]
    assert verdict.notes == ["pruned: not checked, there is no row pruned", "qat: not checked, there is no row folded"]


def test_row_compared_with_another_than_its_budget_is_for(tmp_path: Path) -> None:
    rows = [row("folded"), row("student"), row("qat", "student")]
    verdict = judged("qat: {against: folded}", rows, tmp_path)
    assert verdict.breaches == ["qat: is compared with student, its budget is for folded"]


def test_row_older_than_what_it_is_compared_with(tmp_path: Path) -> None:
    rows = [replace(row(stage, other), provenance={"date": date}) for stage, other, date in DATED]
    verdict = judged("qat: {against: folded}", rows, tmp_path)
    assert verdict.notes == ["qat: was compared with an earlier folded; measure it again"]


def test_shipped_budgets_hold_the_targets() -> None:
    budgets = read_budgets(SHIPPED)
    ptq, qat = row("ptq", "folded", psnr_previous=41.0), row("qat", "folded", **GOOD_QAT)

    def breaches(changed: Row) -> list[str]:
        return judge(Report(PairsIdentity("val", 1, "0"), [ptq, changed]), budgets).breaches

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
        broken = breaches(replace(qat, figures=GOOD_QAT | {name: bad}))
        assert any(line.startswith(f"qat {name}: ") for line in broken), (name, broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qat: {psnr_prevoius: {min: 1}}", r"psnr_prevoius: no such figure, did you mean psnr_previous\?"),
        ("qta: {psnr_y: {min: 1}}", r"qta: no such row, did you mean qat\?"),
        ("qat: {psnr_y: {mim: 1}}", r"mim: no such key, did you mean min\?"),
        ("qat: {psnr_y: {min: high}}", "qat.psnr_y needs min or max, as numbers"),
        ("qat: {psnr_y: {min: true}}", "qat.psnr_y needs min or max, as numbers"),
        ("qat: {psnr_y: {relative_to: ptq}}", "qat.psnr_y needs min or max"),
        ("qat: {psnr_y: {min: 1, relative_to: ptk}}", r"ptk: no such row, did you mean ptq\?"),
        ("qat: {ptk.psnr_y: {min: 1}}", r"ptk: no such row, did you mean ptq\?"),
        ("qat: {against: foldet}", r"foldet: no such row, did you mean folded\?"),
        ("qat: {psnr_y: 42}", "expected a mapping of min or max"),
        ("qat: 42", "expected a mapping of figures for qat, got '42'"),
        ("qat: {any: 42}", "qat.any must be a list"),
        ("qat: {any: [42]}", "expected a mapping of figures for qat.any"),
        ("[qat]", "expected a mapping of rows"),
        ("", "expected a mapping of rows"),
        ("qat: {", "not valid YAML"),
    ],
)
def test_mistakes_in_the_file_are_told_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=message) as caught:
        judged(text, [row("qat")], tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'budgets.yaml'}: ")
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"none\.yaml: no such file"):
        read_budgets(tmp_path / "none.yaml")
