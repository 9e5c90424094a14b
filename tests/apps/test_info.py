import json
import shutil
from pathlib import Path

from .commands import Tadsr


def test_json_is_the_manifest(tadsr: Tadsr, toy_bundle: Path) -> None:
    done = tadsr("info", toy_bundle, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"path": str(toy_bundle), **json.loads((toy_bundle / "manifest.json").read_text())}


def test_tables(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = [{"file": "toy.onnx", "psnr": 23.456789}, {"file": "[bold]", "ssim": 0.6}]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "accuracy": rows}))
    done = tadsr("info", folder)
    assert (done.code, done.err) == (0, "")
    for text in ("toy.onnx", "fp32", "Apache-2.0", "23.4568", "[bold]", "made by", "the tests"):
        assert text in done.out


def test_advice(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    done = tadsr("info", toy_bundle)
    assert "worth it" not in done.out
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    manifest = json.loads((folder / "manifest.json").read_text())
    fast = {"file": "toy.onnx", "against": "slow.onnx", "recommended": True, "speedup": 2.53, "median_ms": 9.75}
    slow = {"file": "[bold]", "recommended": False}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "advice": [fast, slow]}))
    done = tadsr("info", folder)
    assert (done.code, done.err) == (0, "")
    for text in ("worth it", "slow.onnx", "yes", "2.53", "9.75", "[bold]"):
        assert text in done.out


def test_damage_is_told(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(toy_bundle, tmp_path / "toy.tadsr"))
    (folder / "toy.onnx").write_bytes(b"changed")
    done = tadsr("info", folder)
    assert (done.code, done.out) == (2, "")
    assert "toy.onnx is damaged or was changed" in done.err


def test_the_shipped_bundle(tadsr: Tadsr) -> None:
    done = tadsr("info", "--json")
    assert (done.code, done.err) == (0, "")
    assert sum(artifact["size"] for artifact in json.loads(done.out)["artifacts"]) <= 30 * 2**20
