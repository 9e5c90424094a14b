"""Checking a bundle again: what is right passes, what was changed since is found."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from compress.reporting.results import describe_check, read_report
from export.bundle import bundle
from export.errors import ExportError
from export.verify import main, verify
from runtime.bundle import read_bundle, write_bundle
from runtime.errors import BundleError
from tadsr.program import open_program


@pytest.fixture(scope="module")
def tiny(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle([programs / "student.pt2"], tmp_path_factory.mktemp("verify") / "tiny.tadsr").path


def test_what_is_right_passes(programs: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tiny), str(programs / "student.pt2"), "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["file"], row["problem"], row["unchecked"]) == ("tiny-fp32.onnx", None, None)
    assert row["report"]["worst_psnr"] >= 90


def test_without_programs_only_hashes_are_checked(tiny: Path) -> None:
    (row,) = verify(read_bundle(tiny), [])
    assert (row.problem, row.report) == (None, None)
    assert row.unchecked == "its program is not among those given"


def test_another_network_is_found(
    programs: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(tiny / "tiny-fp32.onnx")
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight) + 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "other.onnx")
    other = write_bundle(
        tmp_path / "other.tadsr", read_bundle(tiny).manifest, {"tiny-fp32.onnx": tmp_path / "other.onnx"}
    )
    (row,) = verify(other, [open_program(programs / "student.pt2")])
    assert row.problem is not None
    assert row.problem.startswith("tiny-fp32.onnx: ")
    assert "90 dB are required" in row.problem
    with pytest.raises(SystemExit, match="1"):
        main([str(other.path), str(programs / "student.pt2")])
    assert "1 of 1 files are not what they should be" in capsys.readouterr().err


def test_a_damaged_file_is_found(tiny: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(tiny, tmp_path / "damaged.tadsr"))
    data = bytearray((damaged / "tiny-fp32.onnx").read_bytes())
    data[-1] ^= 1
    (damaged / "tiny-fp32.onnx").write_bytes(data)
    with pytest.raises(BundleError, match="damaged or was changed"):
        verify(read_bundle(damaged), [])


def test_rows_go_into_the_report_of_the_stages(programs: Path, tiny: Path, tmp_path: Path) -> None:
    kept = {"format_version": 1, "pairs": {"name": "val", "count": 1, "sha256": "0"}, "rows": []}
    (tmp_path / "report.json").write_text(json.dumps(kept))
    main([str(tiny), str(programs / "student.pt2"), "--report", str(tmp_path)])
    (check,) = read_report(tmp_path).checks
    assert (check["file"], check["problem"]) == ("tiny-fp32.onnx", None)
    assert describe_check(check).startswith("passes, ")
    with pytest.raises(ExportError, match=r"report\.json: no such file; measure a model"):
        main([str(tiny), "--report", str(tmp_path / "other")])
