"""Native packages: compiled here, proven, kept in the cache by what they depend on, and in no bundle."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

from export import aoti, local
from export.aoti import FP16_TILE, FP32, FP32_TILE, AotiExporter
from export.errors import ExportError
from export.exporters import EXPORTERS, LOCAL
from runtime.backends import aoti as runtime_aoti
from runtime.cache import VARIABLE
from tadsr.program import Program, open_program
from tests.conftest import needs_compiler
from tests.export.programs import TILE, needs_int8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def program(programs: Path) -> Program:
    return open_program(programs / f"student.{TILE}.pt2")


@needs_compiler
@pytest.mark.slow
def test_it_is_the_program_and_is_built_once(program: Program, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, report = local.build(FP32_TILE, program)
    assert report.worst_psnr >= 90
    assert path.parent == cache
    assert path.name.startswith("tiny.aoti.fp32.")
    assert path.name.endswith(".aoti.pt2")
    monkeypatch.setattr(AotiExporter, "export", lambda *arguments: pytest.fail("it was there already"))
    again, report = local.build(FP32_TILE, program)
    assert (again, report.worst_psnr >= 90) == (path, True)
    engine = FP32_TILE.engine(path)
    tile = np.random.default_rng(0).random((1, 3, TILE, TILE), dtype=np.float32)
    first = engine(tile)
    engine(1 - tile)
    np.testing.assert_array_equal(engine(tile), first)  # answers do not share memory
    np.testing.assert_array_equal(engine(np.asfortranarray(tile)), first)


@needs_compiler
@pytest.mark.slow
def test_free_sizes_by_the_command(programs: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aoti.main([str(programs / "student.pt2")])
    (path,) = cache.iterdir()
    assert capsys.readouterr().out.startswith(f"{path}: ")
    assert FP32.verify(path, open_program(programs / "student.pt2")).worst_psnr >= 90


@needs_compiler
@pytest.mark.slow
def test_half_precision(program: Program) -> None:
    assert local.build(FP16_TILE, program)[1].worst_psnr >= 55


def test_what_a_package_depends_on_is_in_its_name(
    programs: Path, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(programs, tmp_path / "same")
    assert local.cached(FP32_TILE, open_program(tmp_path / "same" / program.path.name)) == local.cached(
        FP32_TILE, program
    )
    paths = [local.cached(FP32_TILE, program), local.cached(FP16_TILE, program)]
    paths.append(local.cached(FP32, open_program(programs / "student.pt2")))
    for owner, name, value in (
        (torch, "__version__", "2.14.0"),
        (runtime_aoti, "device_name", lambda: "NVIDIA H100 (9, 0)"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "another"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            paths.append(local.cached(FP32_TILE, program))
    assert len(set(paths)) == 6


def test_a_failed_build_leaves_the_old_one(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise CppCompileError(["g++"], "fatal error: no such header\n")

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", fail)
    (tmp_path / "old.aoti.pt2").write_bytes(b"old")
    with pytest.raises(ExportError, match=r"the C\+\+ compiler failed .*no such header") as error:
        local.build(FP32_TILE, program, tmp_path / "old.aoti.pt2")
    assert "\n" not in str(error.value)
    assert (tmp_path / "old.aoti.pt2").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["old.aoti.pt2"]


def test_bad_input_is_one_line(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found_none() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", found_none)
    with pytest.raises(ExportError, match=r"found no C\+\+ compiler; install one .* or name it in the variable CXX"):
        aoti.main([str(program.path)])
    with pytest.raises(ExportError, match="one file for several programs"):
        aoti.main([str(program.path), str(program.path), "-o", str(tmp_path / "a.aoti.pt2")])
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(ExportError, match=r"file/cache: cannot be written \(Not a directory\)"):
        aoti.main([str(program.path)])


@needs_int8
def test_integers_are_not_compiled(programs: Path) -> None:
    with pytest.raises(ExportError, match="aoti fp32 is made from an fp32 program"):
        local.build(FP32, open_program(programs / "student.int8.pt2"))


def test_a_missing_package_names_its_extra(program: Program) -> None:
    with pytest.raises(ExportError, match=r'alien is not installed; get it with: pip install "tadsr\[onnx\]"'):
        local.build(replace(FP32_TILE, packages=("alien",)), program)


def test_no_bundle_carries_native_code() -> None:
    assert not [exporter.name for exporter in EXPORTERS if exporter in LOCAL or hasattr(exporter, "machine")]
