"""The Core ML packages: the program's numbers, pictures in and out, what they say of themselves, and bad input."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.bundle import bundle
from export.coreml.exporter import FP16, INT8, CoremlExporter, main
from export.coreml.package import read_package
from export.errors import ExportError
from export.protocol import Exporter, Report, check, render
from export.verification.mil_reader import quantised_tensors
from export.verification.tiles import photo_like
from export.verify import verify
from runtime.bundle import read_bundle
from tadsr.program import Program, open_program
from tests.export.conftest import Export
from tests.export.programs import CARD, TILE, needs_coremltools, needs_int8, tiny_network

pytestmark = needs_coremltools
KINDS = [pytest.param(FP16, id="fp16"), pytest.param(INT8, marks=needs_int8, id="int8")]


@pytest.mark.parametrize("exporter", KINDS)
def test_it_is_the_program(exported: Export, exporter: CoremlExporter) -> None:
    report = exported(exporter).report
    assert report.findings["off_neural_engine"] == 0
    if exporter is FP16:
        assert report.worst_psnr >= 55
        assert report.findings["psnr_in_float32"] > report.worst_psnr  # rounding every tensor costs something
    else:
        assert report.findings["largest_step"] <= 1
        assert report.findings["differing_steps"] < 0.02
        assert report.findings["psnr_of_same_steps"] >= 55


@pytest.mark.parametrize("exporter", KINDS)
def test_pictures_go_in_and_come_out(exported: Export, exporter: CoremlExporter) -> None:
    package = read_package(exported(exporter).path)
    assert {"fp16": ("CoreML6", 7), "int8": ("CoreML7", 8)}[exporter.precision] == (
        package.opset,
        package.specification.specificationVersion,
    )
    engine = exporter.engine(package.path)
    tile = photo_like((1, 3, TILE, TILE))
    np.testing.assert_array_equal(engine(tile), engine(np.round(tile * 255) / 255))  # a pixel buffer holds 8 bits
    first, *_ = package.operations
    assert (first.kind, first.output.dtype) == ("cast", "FLOAT16")  # whole numbers to 255 are exact in it


def test_it_describes_itself(exported: Export) -> None:
    path = exported(FP16).path
    description = read_package(path).specification.description
    metadata = description.metadata
    assert (metadata.author, metadata.license) == ("tadsr", CARD.licence)
    assert "4 times larger" in metadata.shortDescription
    known = dict(metadata.userDefined)
    assert metadata.versionString == known["tadsr.program_sha256"][:12]
    assert (known["tadsr.name"], known["tadsr.scale"], known["tadsr.tile"]) == ("tiny", "4", str(TILE))
    assert known["tadsr.precision"] == "fp16"
    assert json.loads(known["tadsr.provenance"]) == CARD.provenance
    assert f"{TILE}x{TILE}" in description.input[0].shortDescription
    assert sorted(path.name for path in path.iterdir()) == ["Data", "Manifest.json"]
    assert b".py" not in (path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()


@needs_int8
def test_every_scale_and_zero_point_is_the_programs_to_the_bit(exported: Export) -> None:
    program, path, _ = exported(INT8)
    package = read_package(path)
    names = quantised_tensors(program, package)
    operations = {operation.output.name: operation for operation in package.of_kind("quantize")}
    nodes = {node.name: node for node in program.exported.graph.nodes}
    assert len(names) == len(operations) > 10
    for name, node in names.items():
        stored = package.constant(operations[name], "scale")
        assert isinstance(stored, np.ndarray)
        assert stored.dtype == np.float16
        assert float(stored) == nodes[node].args[1]
        assert package.constant(operations[name], "zero_point") is None  # 0
    theirs = [package.constant(operation, "scale") for operation in package.of_kind("constexpr_affine_dequantize")]
    ours = [value for name, value in program.exported.state_dict.items() if name.startswith("_scale")]
    assert sorted(np.asarray(s, np.float32).tobytes() for s in theirs) == sorted(s.numpy().tobytes() for s in ours)


def program_of(network: nn.Module, folder: Path) -> Program:
    exported = torch.export.export(network, (torch.rand(1, 3, TILE, TILE),))
    torch.export.save(exported, folder / "student.pt2")
    CARD.write(folder)
    return open_program(folder / "student.pt2")


class Enlarge(nn.Module):
    """Pixels repeated, with ``between`` before them."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.between = between
        self.conv = nn.Conv2d(3, 48, 1)

    def forward(self, lr: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.conv(self.between(lr)), 4).clamp(0, 1)


def test_convolutions_without_bias_and_per_channel(tmp_path: Path) -> None:
    torch.manual_seed(0)
    between = nn.Conv2d(3, 3, 1, groups=3, bias=False)
    report = render(FP16, program_of(Enlarge(between), tmp_path), tmp_path / "out.mlpackage")
    assert report.worst_psnr >= 55


class TooLarge(nn.Module):
    def forward(self, lr: Tensor) -> Tensor:
        return lr * 60000 * 4 - 60000 * 4 * lr


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (TooLarge(), r"mul \w+ overflows float16 \(its largest value is 2\.\d+e\+05, float16 ends at 65504\)"),
        (nn.Softmax(1), "softmax is not an operation that can be checked here"),
        (nn.LPPool2d(3, 1), "is not an operation that can be checked here|coremltools cannot convert it"),
    ],
)
def test_what_a_phone_would_get_wrong_is_an_error(tmp_path: Path, between: nn.Module, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        render(FP16, program_of(Enlarge(between), tmp_path), tmp_path / "out.mlpackage")


def test_it_wants_one_tile_size(programs: Path) -> None:
    with pytest.raises(ExportError, match=r"of free sizes; coreml fp16 is for one tile size: give it as --tile \(32\)"):
        check(FP16, open_program(programs / "student.pt2"))


@pytest.mark.parametrize(("exporter", "ios"), [(FP16, 15), (INT8, 16)])
def test_a_precision_that_the_target_cannot_run(
    opened: Callable[[str], Program], tmp_path: Path, exporter: CoremlExporter, ios: int
) -> None:
    with pytest.raises(
        ExportError, match=f"iOS {ios} cannot run {exporter.precision}; the first that can is iOS {ios + 1}"
    ):
        replace(exporter, ios=ios).export(opened(f"student.{TILE}"), tmp_path / "out.mlpackage")
    assert not (tmp_path / "out.mlpackage").exists()


def test_a_missing_package_names_its_extra(exported: Export) -> None:
    with pytest.raises(ExportError, match=r'alien is not installed; get it with: pip install "tadsr\[coreml\]"'):
        check(replace(FP16, packages=(*FP16.packages, "alien")), exported(FP16).program)


def test_a_bundle_carries_it_zipped_and_verifies_it(programs: Path, tmp_path: Path) -> None:
    path = programs / f"student.{TILE}.pt2"
    made = bundle([path], tmp_path / "tiny.tadsr", [FP16])
    (artifact,) = made.manifest.artifacts
    assert (artifact.file, artifact.tile) == (f"tiny-fp16-{TILE}.mlpackage.zip", TILE)
    (row,) = verify(read_bundle(tmp_path / "tiny.tadsr"), [open_program(path)])
    assert (row.problem, row.unchecked) == (None, None)
    assert row.report is not None
    assert row.report.worst_psnr == made.manifest.accuracy[0]["worst_psnr"]


def test_command_writes_and_reports(programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.mlpackage"
    (output / "half-written").mkdir(parents=True)
    main([str(programs / f"student.{TILE}.pt2"), "-o", str(output)])
    done = capsys.readouterr()
    assert done.err == ""
    assert "psnr in float32" in done.out
    assert sorted(path.name for path in output.iterdir()) == ["Data", "Manifest.json"]
    assert list(tmp_path.iterdir()) == [output]


def test_an_old_package_survives_a_failed_export(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.mlpackage"
    (output / "old").mkdir(parents=True)

    def fail(exporter: Exporter, program: Program, path: Path) -> Report:
        (path / "half-written").mkdir(parents=True)
        raise ExportError("not the program")

    monkeypatch.setattr("export.command.render", fail)
    with pytest.raises(ExportError, match="not the program"):
        main([str(programs / f"student.{TILE}.pt2"), "-o", str(output)])
    assert list(tmp_path.rglob("*")) == [output, output / "old"]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("missing/out.mlpackage", "cannot be written (No such file or directory); choose another -o"),
        ("file/out.mlpackage", "cannot be written (Not a directory); choose another -o"),
        ("out.zip", "a Core ML package's name ends in .mlpackage; choose such an -o"),
    ],
)
def test_places_that_cannot_be_written(programs: Path, tmp_path: Path, output: str, message: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError) as caught:
        main([str(programs / f"student.{TILE}.pt2"), "-o", str(tmp_path / output)])
    assert message in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_numbers_that_float16_cannot_hold_are_known(tmp_path: Path) -> None:
    network = tiny_network(bias=1e-9)
    torch.export.save(torch.export.export(network, (torch.rand(1, 3, TILE, TILE),)), tmp_path / f"student.{TILE}.pt2")
    CARD.write(tmp_path)
    assert render(FP16, open_program(tmp_path / f"student.{TILE}.pt2"), tmp_path / "tiny.mlpackage").worst_psnr >= 55
