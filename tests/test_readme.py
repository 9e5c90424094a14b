"""The README keeps its word: its `python -m` commands parse, its links lead somewhere, `.ci/run` does what it says."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = ROOT / ".ci" / "run"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

SET_UP = {
    "first": "pip install .\ntadsr upscale docs/pictures/sample.jpg -o sample_x4.png",
    "tests": 'pip install -e ".[dev]"\npython -m pytest -n auto',
    "browser": "npm test --prefix apps/web\npython -m pytest tests/web",
}
"""The blocks that `.ci/run` follows, and how each of them ends."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands(*start: str) -> list[list[str]]:
    """The command lines of the README, in words, that start with these words."""
    lines = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    found = [line for line in lines if tuple(line[: len(start)]) == start]
    assert found, f"the README has no line {' '.join(start)} ..."
    return found


def options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}


@pytest.mark.parametrize("name", SET_UP)
def test_ci_reads_the_set_up_blocks(name: str) -> None:
    function = re.search(r"^block\(\) \{\n.*?^\}\n", CI.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert function is not None
    script = f"{function[0]}block {name}"
    read = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert read in blocks("bash")
    assert read.strip().endswith(SET_UP[name])


def test_contributing_answers_with_files_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    answers = [path for row in rows for path in re.findall(r"`([\w/.]+/[\w/.]+)`", row)]
    assert len(answers) >= 10
    assert [path for path in answers if not (ROOT / path).exists()] == []


def test_ci_fails_without_a_block(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(CI, tmp_path / ".ci" / "run")
    (tmp_path / "README.md").write_text("<!-- ci:tests -->\nno block here\n", encoding="utf-8")
    assert subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, check=False).returncode != 0


def test_ci_is_executable() -> None:
    assert os.access(CI, os.X_OK)


def test_first_block_installs_the_base_only() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert not any("torch" in requirement for requirement in pyproject["project"]["dependencies"])


@pytest.mark.parametrize("words", commands("python", "-m"), ids=" ".join)
def test_module_commands_know_their_options(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(words[2])
    if words[2] == "pytest":
        return
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert options(words[3:]) <= set(re.findall(r"--?[\w.-]+", capsys.readouterr().out))


@pytest.mark.parametrize("words", commands("pip", "install"), ids=" ".join)
def test_extras_exist(words: list[str]) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = re.search(r"\[(.*)\]", words[-1])
    assert {*(named[1].split(",") if named else [])} <= {*pyproject["project"]["optional-dependencies"]}


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "docs" / "pictures" / "sample.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "photo_x4.png").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
