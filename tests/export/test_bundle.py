"""A bundle of programs: what it holds, what it says of its files, and that the runtime runs them."""

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import runtime
from export.bundle import _common_metadata, bundle, main
from export.errors import ExportError
from export.speed import advise
from runtime.errors import BundleError
from runtime.manifest import Manifest
from tadsr.program import open_program
from tests.export.programs import CARD, HAS_COREMLTOOLS, TILE, needs_executorch, needs_int8

PICTURE = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def test_bundle_is_what_the_runtime_reads(programs: Path, tmp_path: Path) -> None:
    written = bundle([programs / "student.pt2"], tmp_path / "tiny.tadsr", tiles=[TILE])
    assert (written.manifest.name, written.manifest.align, written.manifest.advice) == ("tiny", 2, [])
    assert runtime.upscale(PICTURE, bundle=tmp_path / "tiny.tadsr").shape == (28, 36, 3)


@needs_int8
def test_both_precisions(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.speed.ROUNDS", 3)
    paths = [programs / "student.int8.pt2", programs / "student.pt2"]
    manifest = bundle(paths, tmp_path / "tiny.tadsr").manifest
    assert [artifact.file for artifact in manifest.artifacts] == ["tiny-fp32.onnx", "tiny-int8.onnx"]
    assert [row["file"] for row in manifest.accuracy] == ["tiny-fp32.onnx", "tiny-int8.onnx"]
    assert manifest.accuracy[1]["largest_step"] <= 1
    (advice,) = manifest.advice
    assert (advice["file"], advice["against"]) == ("tiny-int8.onnx", "tiny-fp32.onnx")
    assert advice["recommended"] == (advice["speedup"] > 1)
    answers, ran = {}, {}
    for precision in ("auto", "fp32", "int8"):
        with runtime.load(tmp_path / "tiny.tadsr", precision=precision) as upscaler:
            answers[precision], ran[precision] = upscaler(PICTURE), upscaler.artifact.precision
    assert ran["auto"] == "fp32" or advice["recommended"]  # what was measured here and now, so it may be either
    np.testing.assert_array_equal(answers["auto"], answers[ran["auto"]])
    assert not np.array_equal(answers["fp32"], answers["int8"])
    with pytest.raises(BundleError, match="nothing for auto/fp16; it offers onnx/fp32, onnx/int8"):
        runtime.load(tmp_path / "tiny.tadsr", precision="fp16")


@needs_int8
def test_float_and_int8_may_lie_in_the_folders_of_their_stages(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "quantize").mkdir()
    shutil.copy(programs / "student.int8.pt2", tmp_path / "quantize/student.int8.pt2")
    made_of = sha256((programs / "student.pt2").read_bytes()).hexdigest()
    replace(CARD, provenance={"quantisation": {"program": {"sha256": made_of}}}).write(tmp_path / "quantize")
    paths = [programs / "student.pt2", tmp_path / "quantize/student.int8.pt2"]
    metadata = _common_metadata([open_program(path) for path in paths])
    assert metadata.provenance["quantisation"]["program"]["sha256"] == made_of


@pytest.mark.slow
@needs_int8
@needs_executorch
def test_everything(programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(programs / name) for name in ("student.pt2", "student.int8.pt2")]
    main([*paths, "--all", "-o", str(tmp_path / "all.tadsr")])
    manifest = runtime.read_bundle(tmp_path / "all.tadsr").manifest
    assert [(artifact.backend, artifact.precision, artifact.tile) for artifact in manifest.artifacts] == [
        ("onnx", "fp32", None),
        ("onnx", "int8", None),
        ("onnx", "fp16", None),
        ("executorch", "fp32", TILE),
        ("executorch", "int8", TILE),
        *([("coreml", "fp16", TILE), ("coreml", "int8", TILE)] if HAS_COREMLTOOLS else []),
        ("tensorrt", "fp16", None),
        ("tensorrt", "int8", None),
    ]
    assert capsys.readouterr().out.count("recommended here: ") == 3


def test_slower_is_not_recommended() -> None:
    def slow(tile: np.ndarray) -> np.ndarray:
        return np.sort(np.tile(tile.ravel(), 50))

    row = advise("int8.onnx", slow, "fp32.onnx", lambda tile: tile, 32, threads=2)
    assert not row["recommended"]
    assert row["speedup"] < 1


def test_a_bundle_needs_its_suffix(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"\.tadsr"):
        bundle([programs / "student.pt2"], tmp_path / "tiny")


def test_programs_that_do_not_belong_together(programs: Path, tmp_path: Path) -> None:
    for name in ("student.pt2", "program.json"):
        shutil.copy(programs / name, tmp_path / name)
    with pytest.raises(ExportError, match="lies in another folder than"):
        bundle([programs / "student.pt2", tmp_path / "student.pt2"], tmp_path / "tiny.tadsr")
    with pytest.raises(ExportError, match="nothing in a bundle is made of it; add --all"):
        bundle([programs / "student.pt2", programs / f"student.{TILE}.pt2"], tmp_path / "tiny.tadsr")
    assert not (tmp_path / "tiny.tadsr").exists()


def test_manifests_from_before_advice_are_read(toy_bundle: Path) -> None:
    manifest = runtime.read_bundle(toy_bundle).manifest
    old = manifest.to_json().replace(',\n  "advice": []', "")
    assert "advice" not in old
    assert Manifest.from_json(old) == manifest
    with pytest.raises(BundleError, match="impossible advice"):
        Manifest.from_json(replace(manifest, advice=["fast"]).to_json())  # type: ignore[list-item]


def test_without_programs_those_of_the_checkout_are_taken(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"taken: a bundle's name ends in \.tadsr"):  # so programs were found
        main(["-o", str(tmp_path / "taken")])


def test_a_dry_run_proves_every_file_and_keeps_none(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main([str(programs / "student.pt2"), "--dry-run"])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("tiny-fp32.onnx: ")
    assert told[-1] == "dist/tiny.tadsr can be made; nothing was kept"
    assert list(tmp_path.iterdir()) == []
