"""Rows, means and their renderings."""

import json
import math

import numpy as np
import pytest

from train.evaluation import metrics, scoring

SIDE = 192


@pytest.fixture(scope="module")
def lr() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def hr(lr: np.ndarray) -> np.ndarray:
    detail = np.random.default_rng(1).normal(0, 12, (SIDE, SIDE, 1))
    return np.clip(scoring.bicubic(lr, 4) + detail, 0, 255).astype(np.uint8)


def test_bicubic_keeps_size_mean_and_type(lr: np.ndarray) -> None:
    larger = scoring.bicubic(lr[:, :30], 4)
    assert larger.shape == (SIDE, 120, 3)
    assert larger.dtype == np.uint8
    assert np.abs(larger.mean((0, 1)) - lr[:, :30].mean((0, 1))).max() < 1


def test_every_column_is_what_it_says(lr: np.ndarray, hr: np.ndarray) -> None:
    base = scoring.bicubic(lr, 4)
    row = scoring.score(base, hr, base)
    assert tuple(row) == scoring.COLUMNS
    assert row["psnr_y"] == metrics.psnr_y(base, hr)
    assert row["ssim_rgb"] == metrics.ssim_rgb(base, hr)
    assert row["delta_e"] == metrics.delta_e(base, hr)
    assert row["naturalness"] == metrics.naturalness(base)
    assert row["cast"] == 0
    assert 0 < row["hf_ratio"] < 1


def test_the_hr_picture_itself_is_perfect(lr: np.ndarray, hr: np.ndarray) -> None:
    row = scoring.score(hr, hr, scoring.bicubic(lr, 4))
    assert row["psnr_y"] == math.inf
    assert row["hf_ratio"] == pytest.approx(1)
    assert row["delta_e"] == 0


def test_cast_is_the_largest_channel_shift(lr: np.ndarray) -> None:
    base = scoring.bicubic(lr, 4)
    shifted = base.copy()
    shifted[..., 0] += 1
    shifted[..., 2] -= 3
    assert scoring.cast(shifted, base) == pytest.approx(3)


def test_cast_ignores_detail_without_a_shift(lr: np.ndarray) -> None:
    base = scoring.bicubic(lr, 4)
    checks = np.where(np.indices(base.shape[:2]).sum(0) % 2, 9, -9)[..., None]
    assert scoring.cast((base + checks).astype(np.uint8), base) == pytest.approx(0, abs=1e-9)


def test_without_hr_only_measures_that_need_none(lr: np.ndarray) -> None:
    base = scoring.bicubic(lr, 4)
    row = scoring.score(base, None, base)
    assert {column for column in scoring.COLUMNS if not math.isnan(row[column])} == {"naturalness", "cast"}


def test_score_all_takes_the_scale_from_the_pictures(lr: np.ndarray) -> None:
    rows = scoring.score_all([("double", scoring.bicubic(lr, 2), None, lr), ("four", scoring.bicubic(lr, 4), None, lr)])
    assert [row["cast"] for row in rows.values()] == [0, 0]


def test_score_all_names_the_picture_that_fails(lr: np.ndarray, hr: np.ndarray) -> None:
    with pytest.raises(metrics.MetricError, match=r"cat\.png: cannot compare"):
        scoring.score_all([("cat.png", hr[:-4], hr, lr)])
    with pytest.raises(metrics.MetricError, match=r"dog\.png: .*LR side"):
        scoring.score_all([("dog.png", hr, None, lr[:, :-1])])


def test_further_measures_are_further_columns(lr: np.ndarray, hr: np.ndarray) -> None:
    seen = []

    def brightness(sr: np.ndarray, reference: np.ndarray | None) -> float:
        seen.append(reference)
        return float(sr.mean())

    rows = scoring.score_all([("a", hr, hr, lr), ("b", hr, None, lr)], {"brightness": brightness})
    assert seen[0] is hr
    assert seen[1] is None
    assert scoring.mean(rows.values())["brightness"] == pytest.approx(hr.mean())
    assert scoring.table({"x": rows["a"] | {"fid": 12.3456}, "y": rows["b"]}).splitlines()[0].split()[-1] == "fid"
    assert scoring.as_json(rows, {"fid": 12.5})["mean"]["fid"] == 12.5


def test_mean_leaves_out_what_is_not_defined() -> None:
    rows = [dict.fromkeys(scoring.COLUMNS, value) for value in (1.0, 2.0, 6.0)]
    rows[2] |= {"psnr_y": math.nan}
    found = scoring.mean(rows)
    assert found["psnr_y"] == pytest.approx(1.5)
    assert found["cast"] == pytest.approx(3)
    assert all(math.isnan(value) for value in scoring.mean([]).values())


def test_table_is_aligned() -> None:
    row = dict.fromkeys(scoring.COLUMNS, 1.23456) | {"psnr_y": math.inf, "ssim_y": math.nan}
    lines = scoring.table({"bicubic": row, "a longer name": row}).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == list(scoring.COLUMNS)
    assert lines[1].split() == ["bicubic", "inf", "–", "1.23", "1.2346", "1.23", "1.235", "1.23", "1.23"]


def test_json_is_strict() -> None:
    row = dict.fromkeys(scoring.COLUMNS, 1.5) | {"psnr_y": math.inf, "ssim_y": math.nan}
    report = scoring.as_json({"a.png": row})
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["mean"] == report["pictures"]["a.png"]
    assert (report["mean"]["psnr_y"], report["mean"]["ssim_y"], report["mean"]["cast"]) == (None, None, 1.5)
