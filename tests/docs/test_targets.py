"""The arithmetic of the targets' table, on figures of our own."""

from typing import Any

import pytest

from docs.tables.quality import INT8, ROWS
from docs.tables.targets import Target, most_natural, of_quality, targets

FIGURES = {"psnr_y": 23.0, "ssim_y": 0.67, "naturalness": 4.0, "delta_e": 5.0, "hf_ratio": 0.5, "cast": 0.1}
STAGES = ("teacher", "student", "full-decoder", "pruned", "folded", "qat")


@pytest.fixture
def quality() -> dict[str, Any]:
    models = {row.key: {"mean": dict(FIGURES)} for row in ROWS if row.key not in STAGES}
    models["bicubic"]["mean"]["naturalness"] = 7.0
    models["HR"]["mean"] |= {"naturalness": 3.0, "psnr_y": None}
    return models


@pytest.fixture
def report() -> dict[str, Any]:
    sizes = {"parameters": 2_000_000, "macs_per_pixel": 400_000}
    rows = [{"stage": stage, "figures": FIGURES | sizes} for stage in STAGES]
    rows[0]["figures"] = FIGURES | sizes | {"macs_per_pixel": 30 * 400_000, "naturalness": 4.5}
    return {"rows": rows, "breaches": [], "notes": []}


@pytest.fixture
def speed() -> dict[str, Any]:
    peers = {"RRDB (x4plus)": 1000.0, "SRVGG (general-x4v3)": 100.0}
    return {
        "peers": [{"network": name, "median_ms": ms, "ratio_to_ours": ms / 40} for name, ms in peers.items()],
        "files": [
            {"backend": engine, "precision": precision, "side": side, "median_ms": ms}
            for engine, precision, side, ms in (
                ("onnx", "fp32", 128, 5.0),
                ("onnx", "int8", 128, 20.0),
                ("openvino", "int8", 128, 12.5),
                ("openvino", "int8", 64, 1.0),
            )
        ],
    }


MANIFEST = {"artifacts": [{"size": 20_000_000}, {"size": 9_900_000}]}


def rows_of(page: str) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()[2:]]
    return {text: rest for text, *rest in lines}


def test_reached_ones(quality: dict[str, Any], report: dict[str, Any], speed: dict[str, Any]) -> None:
    rows = rows_of(targets(quality, report, MANIFEST, speed))
    assert {verdict for _, _, verdict in rows.values()} == {"reached"}
    assert rows["shipped INT8: PSNR-Y"] == ["≥ 22.90 dB", "23.00 dB", "reached"]
    assert (
        rows["student as deployed (1 step) beside the teacher (15 steps): times fewer multiply-accumulates"][1]
        == "30.0×"
    )
    assert rows["RRDB (x4plus) in fp32 over our fastest INT8"][1] == "80.0×"
    assert rows["SRVGG (general-x4v3) over ours, both fp32"][1] == "2.5×"
    assert rows["bundle, all files"][1] == "29.9 MB"
    assert rows["deployed: GMACs"][1] == "6.6"


def test_missed_ones(quality: dict[str, Any], report: dict[str, Any], speed: dict[str, Any]) -> None:
    quality[INT8]["mean"] |= {"psnr_y": 22.89, "naturalness": 4.4}
    report["rows"][1]["figures"] = report["rows"][1]["figures"] | {"ssim_y": 0.5, "macs_per_pixel": 500_000}
    report |= {"breaches": ["qat: too far"], "notes": ["ptq: not checked, there is no row ptq"]}
    speed["files"][2]["median_ms"] = 13.0
    manifest = {"artifacts": [{"size": 30_100_000}]}
    rows = rows_of(targets(quality, report, manifest, speed))
    assert [text for text, (_, _, verdict) in rows.items() if verdict != "reached"] == [
        "shipped INT8: PSNR-Y",
        "shipped INT8: naturalness, two thirds of the way from bicubic's to the originals'",
        "student as distilled (1 step) beside the teacher (15 steps): SSIM-Y",
        "student as distilled (1 step) beside the teacher (15 steps): times fewer multiply-accumulates",
        "compression budgets that are broken, or not checked",
        "bundle, all files",
        "RRDB (x4plus) in fp32 over our fastest INT8",
    ]
    assert rows["compression budgets that are broken, or not checked"] == ["≤ 0", "2", "**missed**"]


def test_two_thirds_of_the_way() -> None:
    known = {"bicubic": {"naturalness": 7.0}, "HR": {"naturalness": 4.0}}
    assert most_natural(known) == pytest.approx(5.0)


def test_the_shipped_file_is_the_int8_one() -> None:
    known = {row.key: FIGURES | {"macs_per_pixel": 1} for row in ROWS}
    known[INT8] = FIGURES | {"psnr_y": 1.0}
    assert next(of_quality(known)) == Target("shipped INT8: PSNR-Y", 1.0, "{:.2f} dB", least=22.9)


def test_limits_include_their_ends() -> None:
    assert Target("", 2.0, "{:g}", least=2.0, most=2.0).reached
    assert not Target("", 1.9999, "{:g}", least=2.0).reached
    assert Target("", 1.0, "{:g} dB", least=0.5, most=2.0).limits == "≥ 0.5 dB, ≤ 2 dB"
