import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from apps.benchmarks import inference
from apps.benchmarks.compare_files import usable_files
from runtime.bundle import Artifact, read_bundle, write_bundle
from tests.apps.commands import Tadsr

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "SIDES", (16, 32))
    monkeypatch.setattr(inference, "OVERHEAD_SIDES", (32, 600))
    monkeypatch.setattr(inference, "ENGINES_SIDE", 80)


def test_json(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("bench", "--bundle", toy_bundle, "--repeats", 2, "--threads", 1, "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["model"]["name"] == "toy"
    assert report["model"]["sha256"] == read_bundle(toy_bundle).manifest.artifacts[0].sha256
    assert report["machine"]["cpu"]
    assert report["machine"]["cpus"] >= 1
    assert {"tadsr", "python", "onnxruntime", "numpy", "pillow"} == {*report["versions"]}
    engines = [choice.backend.name for choice in usable_files(read_bundle(toy_bundle))]
    assert [row["backend"] for row in report["files"]] == (2 * engines if len(engines) > 1 else [])
    assert (report["threads"], report["repeats"], report["peers"]) == (1, 2, None)
    assert [row["side"] for row in report["upscale"]] == [16, 32]
    assert {row["backend"] for row in report["engines"]} == {*engines}
    for row in report["upscale"] + report["engines"]:
        assert row["tiles_per_second"] == pytest.approx(1e3 * row["tiles"] / row["warm_median_ms"])
        assert row["cold_ms"] > row["warm_median_ms"] >= row["warm_min_ms"] > 0
        assert 20 < row["peak_memory_mib"] < 2000


def test_table(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("bench", "--bundle", toy_bundle, "--repeats", 1)
    assert (done.code, done.err) == (0, "")
    assert "toy (onnx/fp32)" in done.out
    assert "32x32" in done.out
    assert "\x1b" not in done.out


def test_a_chart(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib, which comes with tadsr[plot]")
    command = ["bench", "--bundle", toy_bundle, "--repeats", 1, "--json", "--plot"]
    done = tadsr(*command, tmp_path / "speed.svg")
    assert (done.code, done.err) == (0, "")
    drawn = ElementTree.parse(tmp_path / "speed.svg").getroot()
    labels = {text.text for text in drawn.iter(f"{SVG}text")}
    assert {f"{row['backend']}/{row['precision']}" for row in json.loads(done.out)["engines"]} <= labels
    for name, reason in (
        ("speed.png", "a chart is drawn as SVG; name it FILE.svg"),
        ("no/a.svg", "its folder does not"),
    ):
        refused = tadsr(*command, tmp_path / name)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith(f"error: {tmp_path / name}: {reason}")


def test_files_of_two_precisions_side_by_side(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    toy = read_bundle(toy_bundle)
    artifacts = [Artifact("a.onnx", "onnx", "fp32"), Artifact("b.onnx", "onnx", "int8"), Artifact("c", "alien", "int8")]
    files = {artifact.file: toy_bundle / "toy.onnx" for artifact in artifacts}
    both = write_bundle(tmp_path / "both.tadsr", replace(toy.manifest, artifacts=artifacts), files).path
    done = tadsr("bench", "--bundle", both, "--repeats", 1, "--json")
    assert (done.code, done.err) == (0, "")
    rows = [row for row in json.loads(done.out)["files"] if row["backend"] == "onnx"]
    assert [(row["precision"], row["side"]) for row in rows] == [("fp32", 16), ("int8", 16), ("fp32", 32), ("int8", 32)]
    assert [row["ratio_to_first"] for row in rows[::2]] == [1, 1]
    assert rows[1]["ratio_to_first"] == pytest.approx(rows[0]["median_ms"] / rows[1]["median_ms"])
    assert "onnx/int8" in tadsr("bench", "--bundle", both, "--repeats", 1).out


def test_the_runtime_beside_the_bare_engine(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("bench", "--bundle", toy_bundle, "--repeats", 1, "--overhead", "--json")
    assert (done.code, done.err) == (0, "")
    rows = [row for row in json.loads(done.out)["overhead"] if row["backend"] == "onnx"]
    assert [(row["side"], row["tiles"]) for row in rows] == [(32, 1), (600, 4)]
    for row in rows:
        assert row["overhead"] == pytest.approx(row["runtime_median_ms"] / row["bare_median_ms"] - 1)
    assert rows[0]["two_at_once"] is None
    assert rows[1]["two_at_once"] > -1
    assert "600x600" in tadsr("bench", "--bundle", toy_bundle, "--repeats", 1, "--overhead").out


def test_bundles_that_cannot_be_timed(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    done = tadsr("bench", "--bundle", tmp_path / "none.tadsr")
    assert (done.code, done.err) == (2, f"error: {tmp_path / 'none.tadsr'}: no such bundle; check the name\n")
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "scale": 2}))
    done = tadsr("bench", "--bundle", folder, "--repeats", 1)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"the process that measures picture {folder} 16 " in done.err
    assert "instead of" in done.err


def test_the_shipped_bundle(tadsr: Tadsr) -> None:
    done = tadsr("bench", "--repeats", 1, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["model"]["name"]
