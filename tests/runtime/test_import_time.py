"""The runtime is quick to import, and brings in no engine but the one that is used."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_MILLISECONDS = 150
TRIES = 7
ENGINES = ("coreml", "coremltools", "executorch", "onnxruntime", "openvino", "tensorrt", "torch")
HEAVY = {*ENGINES, "onnx", "scipy", "skimage", "rich", "pyvips", "train", "compress", "export", "apps"}

TIMED = """
import numpy, PIL.Image, sys, time
before = {*sys.modules}
start = time.perf_counter()
import runtime
print(1e3 * (time.perf_counter() - start), *sorted({*sys.modules} - before))
"""

LOADED = """
import sys, runtime
bundle, backend = sys.argv[1:]
with runtime.load(bundle, backend=backend, precision="fp32") as upscaler:
    upscaler.warmup()
print(upscaler.backend, *sorted(sys.modules))
"""


def run(code: str, *arguments: object) -> list[str]:
    """What a fresh Python prints, in words."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def packages(modules: list[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_importing_the_runtime_costs_little_more_than_numpy_and_pillow() -> None:
    tries = [run(TIMED) for _ in range(TRIES)]
    assert min(float(milliseconds) for milliseconds, *_ in tries) < MOST_MILLISECONDS
    _, *modules = tries[0]
    assert not packages(modules) & HEAVY
    assert len(modules) < 200


@pytest.mark.parametrize(
    ("backend", "brought"),
    [
        ("onnx", {"onnxruntime"}),
        ("auto", {"onnxruntime"}),
        ("openvino", {"openvino"}),
    ],
)
def test_only_the_engine_in_use_is_imported(toy_bundle: Path, backend: str, brought: set[str]) -> None:
    for package in brought:
        pytest.importorskip(package, reason=f"needs {package}, which is not installed")
    used, *modules = run(LOADED, toy_bundle, backend)
    assert used == ("onnx" if backend == "auto" else backend)
    assert packages(modules) & {*ENGINES} == brought
