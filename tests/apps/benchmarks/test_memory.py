import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps.benchmarks import memory
from runtime.tiles.memory import MEASURED

ROOT = Path(__file__).parents[3]


def test_the_measuring_command_writes_what_the_runtime_reads(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyvips", reason="needs pyvips, which comes with tadsr[imaging]")
    monkeypatch.setattr(memory, "SIDES", (64, 128))
    monkeypatch.setattr(memory, "CODEC_WIDTH", 1000)
    measured = memory.measure(toy_bundle, threads=1)
    assert {"command", *measured} == json.loads(MEASURED.read_text()).keys()
    (engine,) = measured["engines"]
    assert (engine["backend"], engine["precision"]) == ("onnx", "fp32")
    assert [pixels for pixels, _ in engine["points"]] == [64 * 64, 128 * 128]
    assert 30e6 < engine["points"][0][1] <= engine["points"][1][1]
    assert 0 < measured["codec"]["bytes"] < 500e6


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "apps.benchmarks.memory", "--bundle", str(tmp_path / "none.tadsr")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'none.tadsr'}: no such bundle; check the name\n"
