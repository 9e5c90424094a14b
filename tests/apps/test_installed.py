"""The wheel, installed as a user has it, in a folder that holds the user's own `train.py` and `runtime.py`."""

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("hatchling", reason="building the wheel needs the dev extra")
if not list(importlib.metadata.distributions(name="pip")):  # importing it would switch off setuptools' own distutils
    pytest.skip("installing the wheel needs pip", allow_module_level=True)

ROOT = Path(__file__).parents[2]
PACKAGES = {"apps", "compress", "export", "runtime", "tadsr", "train"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `tadsr` of an environment that has this wheel, and the dependencies of the one that runs the tests."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home)
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    scripts, packages = Path(paths["scripts"]), Path(paths["purelib"])
    python = scripts / Path(sys.executable).name
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    here = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (packages / "dependencies.pth").write_text("\n".join(sorted(here)))
    return scripts / "tadsr"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a picture and modules of the user's own that have the names of ours."""
    for package in PACKAGES - {"tadsr"}:
        (tmp_path / f"{package}.py").write_text("raise RuntimeError('this file is the user\\'s own')\n")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)).save(tmp_path / "photo.png")
    return tmp_path


def tadsr(command: Path, folder: Path, *arguments: object, **environment: str) -> str:
    """What the installed command wrote to stdout when called in `folder`; it must succeed and say nothing else."""
    environment |= {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(command), *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_the_wheel_holds(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == PACKAGES
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pt", ".ckpt"))]
    for data in (
        "train/evaluation/naturalness.npz",
        "train/configs/mobile.yaml",
        *(f"{name}/py.typed" for name in PACKAGES),
    ):
        assert data in names


def test_the_wheel_holds_the_shipped_bundle(wheel: Path) -> None:
    sizes = {entry.filename: entry.file_size for entry in zipfile.ZipFile(wheel).infolist()}
    bundle = {name: size for name, size in sizes.items() if name.startswith("runtime/models/mobile.tadsr/")}
    assert "runtime/models/mobile.tadsr/manifest.json" in bundle
    assert sum(bundle.values()) <= 30 * 2**20


def test_upscale_beside_the_users_own_modules(installed: Path, desk: Path, toy_bundle: Path) -> None:
    out = tadsr(installed, desk, "upscale", "photo.png", "--bundle", toy_bundle)
    assert out == "photo_x4.png (48x36)\n"
    with Image.open(desk / "photo_x4.png") as saved:
        assert saved.size == (48, 36)


def test_bench_beside_the_users_own_modules(installed: Path, desk: Path, toy_bundle: Path) -> None:
    report = json.loads(tadsr(installed, desk, "bench", "--bundle", toy_bundle, "--repeats", 1, "--json"))
    assert [row["side"] for row in report["upscale"]] == [128, 512]


def test_the_command_is_this_wheels(installed: Path, wheel: Path, desk: Path) -> None:
    assert tadsr(installed, desk, "--version") == f"tadsr {wheel.name.split('-')[1]}\n"


def test_the_users_own_modules_on_pythonpath(installed: Path, desk: Path) -> None:
    assert tadsr(installed, desk, "upscale", "photo.png", PYTHONPATH=str(desk)) == "photo_x4.png (48x36)\n"
    usage = tadsr(installed, desk, "train", "publish", "--help", PYTHONPATH=str(desk))
    assert usage.startswith("usage: tadsr train publish ")


def test_the_shipped_bundle_beside_the_users_own_modules(installed: Path, desk: Path) -> None:
    assert tadsr(installed, desk, "upscale", "photo.png") == "photo_x4.png (48x36)\n"
