"""``tadsr``, as a command and as a package, beside other people's packages that have the names of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("apps", "runtime", "train", "compress", "export")
FOREIGN = "raise RuntimeError('this package is somebody else\\'s')\n"


@pytest.fixture(params=["modules", "packages"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of modules or packages with the names of ours."""
    for name in NAMES:
        if request.param == "packages":
            (tmp_path / name).mkdir()
        path = tmp_path / name / "__init__.py" if request.param == "packages" else tmp_path / f"{name}.py"
        path.write_text(FOREIGN)
    return tmp_path


def python(*words: str, cwd: Path, path: tuple[Path, ...]) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("words", [("info", "--json"), ("train", "--help"), ("export", "verify", "--help")])
def test_the_command_runs_beside_them(words: tuple[str, ...], foreign: Path) -> None:
    by_path = python(str(ROOT / "tadsr/__main__.py"), *words, cwd=foreign, path=(foreign,))
    as_module = python("-m", "tadsr", *words, cwd=foreign, path=(foreign, ROOT))
    for done in (by_path, as_module):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == by_path.stdout


def test_commands_that_it_starts_run_beside_them(foreign: Path) -> None:
    code = (
        "import subprocess, sys; from tadsr.packages import python_command; "
        "sys.exit(subprocess.run(python_command('train', 'publish', '--help')).returncode)"
    )
    done = python("-P", "-c", code, cwd=foreign, path=(ROOT, foreign))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: tadsr train publish")


SPAWNED = """
from multiprocessing import get_context
from pathlib import Path

if __name__ == "__main__":
    from tadsr.packages import prefer

    prefer()
    from apps.upscale.jobs import is_pattern

    with get_context("spawn").Pool(1) as pool:
        print(pool.apply(is_pattern, [Path("*.jpg")]))
"""


def test_processes_that_multiprocessing_spawns_find_ours(foreign: Path, tmp_path: Path) -> None:
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    done = python("-P", str(script), cwd=foreign, path=(foreign, ROOT))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


def test_the_package_gives_what_the_runtime_gives() -> None:
    import runtime
    import tadsr

    assert tadsr.__all__ == runtime.__all__
    assert all(getattr(tadsr, name) is getattr(runtime, name) for name in runtime.__all__)
    assert set(runtime.__all__) <= set(dir(tadsr))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tadsr.nothing  # noqa: B018


def test_the_package_is_imported_beside_them_and_leaves_them_alone(foreign: Path) -> None:
    code = (
        "import sys, tadsr; assert 'numpy' not in sys.modules; tadsr.upscale; import runtime; "
        "assert tadsr.load is runtime.load; import importlib.util; print(importlib.util.find_spec('apps').origin)"
    )
    done = python("-c", code, cwd=foreign, path=(foreign, ROOT))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(foreign)


def test_a_foreign_runtime_that_was_imported_first_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "runtime.py").write_text("")
    code = "import runtime, tadsr; tadsr.upscale"
    done = python("-c", code, cwd=tmp_path, path=(tmp_path, ROOT))
    assert done.stderr.splitlines()[-1].startswith("ImportError: runtime: another package of this name is loaded")
