"""The ONNX artifact: proven against the program, with the layout that the runtime needs, and safe to write."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from compress.deployed import Deployed
from compress.fold import export_program
from export import verify
from export.bundle import bundle
from export.errors import ExportError
from export.onnx import OnnxExporter
from export.program import open_program
from runtime.errors import BundleError
from runtime.program import ProgramCard, ProgramError
from tests.tiny import AUTOENCODER, LR_ENCODER, STUDENT
from train.networks.autoencoder import Decoder
from train.networks.lr_encoder import LREncoder
from train.networks.unet import UNet

CARD = ProgramCard(
    name="tiny",
    scale=4,
    align=2,
    receptive_radius=20,
    effective_radius=8,
    tiles=[64],
    parameters=1,
    macs_per_pixel=1,
    licence="Apache-2.0",
    provenance={"seed": 0},
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = Deployed(LREncoder(LR_ENCODER, 3), UNet(STUDENT, 3, time_conditioned=False), Decoder(AUTOENCODER))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    folder = tmp_path_factory.mktemp("program")
    torch.export.save(export_program(network.requires_grad_(False)), folder / "student.pt2")
    CARD.write(folder)
    return folder / "student.pt2"


@pytest.fixture(scope="module")
def artifact(program: Path) -> Path:
    path = program.parent / "student.onnx"
    OnnxExporter().export(open_program(program)[0], path)
    return path


def test_artifact_equals_the_program(program: Path, artifact: Path) -> None:
    report = OnnxExporter().verify(artifact, open_program(program)[0], CARD.align)
    assert report.worst_psnr >= 90
    assert report.largest_error < 1e-4


def test_artifact_is_one_file_with_clean_names_and_free_sizes(artifact: Path) -> None:
    model = onnx.load(artifact, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    (lr,), (sr,) = model.graph.input, model.graph.output
    assert (lr.name, sr.name) == ("lr", "sr")
    names = [dimension.dim_param or dimension.dim_value for dimension in lr.type.tensor_type.shape.dim]
    assert names == ["batch", 3, "height", "width"]


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (2, 3, 10, 4), (1, 3, 64, 30)])
def test_artifact_runs_at_any_aligned_size(artifact: Path, shape: tuple[int, ...]) -> None:
    session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    sr = np.asarray(session.run(["sr"], {"lr": np.random.default_rng(0).random(shape, dtype=np.float32)})[0])
    assert sr.shape == (shape[0], 3, 4 * shape[2], 4 * shape[3])
    assert sr.min() >= 0
    assert sr.max() <= 1


def test_a_changed_weight_is_caught(program: Path, artifact: Path, tmp_path: Path) -> None:
    model = onnx.load(artifact)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(ExportError, match="90 dB are required"):
        OnnxExporter().verify(tmp_path / "broken.onnx", open_program(program)[0], CARD.align)


def test_nan_is_never_good_enough() -> None:
    with pytest.raises(ExportError):
        verify.require(verify.Report(float("nan"), float("nan")), 90, "nan.onnx")


def test_an_engine_that_answers_nan_on_one_tile_is_caught(program: Path) -> None:
    opened, module = open_program(program)[0], open_program(program)[0].module()
    tiles = verify.test_tiles(CARD.align)

    def engine(tile: verify.Tile) -> verify.Tile:
        answer: verify.Tile = module(torch.from_numpy(tile)).detach().numpy()
        return answer * np.float32(np.nan) if tile is tiles[1] else answer

    with pytest.raises(ExportError, match="nan dB"):
        verify.require(verify.compare(opened, engine, tiles), 90, "nan.onnx")


def test_equal_answers_have_the_psnr_that_stands_for_infinity(program: Path) -> None:
    opened = open_program(program)[0]
    module = opened.module()
    report = verify.compare(opened, lambda tile: module(torch.from_numpy(tile)).detach().numpy(), verify.test_tiles(2))
    assert report == verify.Report(verify.EQUAL_PSNR, 0.0)


def test_command_writes_and_reports(program: Path, tmp_path: Path) -> None:
    done = run("export.onnx", program, "-o", tmp_path / "out.onnx")
    assert done.returncode == 0, done.stderr
    assert "dB from the program" in done.stdout
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 20


def test_bundle_is_what_the_runtime_reads(program: Path, tmp_path: Path) -> None:
    import runtime

    written = bundle(program, tmp_path / "tiny.tadsr")
    assert (written.manifest.name, written.manifest.align) == ("tiny", 2)
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert runtime.upscale(picture, bundle=tmp_path / "tiny.tadsr").shape == (28, 36, 3)


def test_a_bundle_needs_its_suffix(program: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"\.tadsr"):
        bundle(program, tmp_path / "tiny")


def test_bad_programs_are_one_line_errors(program: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"compress\.fold"):
        open_program(tmp_path / "missing.pt2")
    (tmp_path / "alone.pt2").write_bytes(b"no program")
    with pytest.raises(ProgramError, match=r"program\.json"):
        open_program(tmp_path / "alone.pt2")
    CARD.write(tmp_path)
    with pytest.raises(ExportError, match="not an exported program"):
        open_program(tmp_path / "alone.pt2")


def test_a_failed_export_keeps_the_old_artifact(program: Path, tmp_path: Path) -> None:
    done = run("export.onnx", program, "-o", tmp_path / "no such folder" / "out.onnx")
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
    assert "Traceback" not in done.stderr


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
