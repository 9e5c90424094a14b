"""The whole of compression in order, from the committed weights to a report: a short form of what makes a bundle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.reporting.results import read_report

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "train/weights/mobile/deployed"
PHOTOS = ROOT / "tests/photos"
BUDGETS = """
folded: {baseline: unfolded, psnr_previous: {min: 38}}
pruned: {baseline: full-decoder, psnr_previous: {min: 25}, decoder_macs_ratio: {max: 0.7}}
qat: {baseline: folded, psnr_previous: {min: 33}, size_ratio: {max: 0.4}}
onnx-int8: {baseline: qat, psnr_previous: {min: 40}}
"""
"""What a handful of steps on four photos must keep to; those of the shipped model are in tests/accuracy."""


def commands(folder: Path) -> list[list[str]]:
    """In order, each as the words behind ``python -m``."""
    networks = {name: WEIGHTS / f"{name}.safetensors" for name in ("deployed_student", "lr_encoder")}
    photos = ["--preset=mobile", f"--photos={PHOTOS / 'HR'}", "--data.crop=64", "--workers=0"]
    short = [*photos, "--batch=2"]
    inputs = [f"--student={networks['deployed_student']}", f"--lr_encoder={networks['lr_encoder']}"]
    row = [f"--pairs={PHOTOS}", f"--report={folder / 'report'}"]
    full, pruned = WEIGHTS.parent / "autoencoder.safetensors", folder / "pruned/autoencoder.safetensors"
    int8, bundle = folder / "int8/student.int8.pt2", folder / "mobile.tadsr"

    def fold(out: str, autoencoder: Path) -> list[str]:
        files = [f"--out={folder / out}", f"--autoencoder={autoencoder}"]
        return ["compress.fold", *photos, *inputs, *row, *files]

    return [
        fold("whole", full),
        [
            *("compress.prune", *short, *inputs, *row, "--steps=2", "--warmup=1", "--macs=0.7"),
            *("--measured_batches=4", f"--out={folder / 'pruned'}", f"--autoencoder={full}"),
        ],
        fold("folded", pruned),
        [
            *("compress.quantize", *short, *row, "--steps=4", "--warmup=1", "--calibration=4"),
            *(f"--out={folder / 'int8'}", f"--program={folder / 'folded/student.pt2'}"),
        ],
        ["export.onnx", str(int8), "-o", str(folder / "student.onnx")],
        ["export.bundle", str(int8), "-o", str(bundle)],
        ["compress.report", "measure", "onnx-int8", str(bundle), "--precision=int8", "--baseline=qat", *row],
        [
            *("compress.report", str(folder / "report"), "--html", str(folder / "report.html")),
            *("--budgets", str(folder / "budgets.yaml")),
        ],
    ]


@pytest.mark.slow
def test_committed_weights_are_compressed_exported_and_reported(tmp_path: Path) -> None:
    for package in ("torchao", "nncf", "torch_pruning", "onnx"):
        pytest.importorskip(package, reason="needs all of compression: pip install 'tadsr[compress,onnx]'")
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    for command in commands(tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, env=one_thread(), check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"

    rows = {row.stage: row for row in read_report(tmp_path / "report").results}
    assert rows.keys() == {"full-decoder", "pruned", "unfolded", "folded", "ptq", "qat", "onnx-int8"}
    assert rows["folded"].metrics["parameters"] < rows["full-decoder"].metrics["parameters"]
    assert rows["qat"].metrics["size"] < 0.4 * rows["folded"].metrics["size"]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(stage in html for stage in rows)
    assert (tmp_path / "student.onnx").is_file()


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}
