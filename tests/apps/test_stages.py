"""`tadsr GROUP COMMAND`: the table of the stages' commands, and how their arguments get there."""

from pathlib import Path

import pytest

from apps.stages import GROUPS

from .commands import Tadsr

ROOT = Path(__file__).parents[2]
COMMANDS = [(group, name) for group, (_, commands) in GROUPS.items() for name in commands]


def source(group: str, name: str) -> str:
    """The code of what `python -m GROUP.NAME` runs."""
    file, folder = ROOT / group / f"{name}.py", ROOT / group / name / "__main__.py"
    return (file if file.is_file() else folder).read_text(encoding="utf-8")


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_every_command_is_a_module_that_resumes_as_the_table_says(group: str, name: str) -> None:
    assert "commands.run(main" in source(group, name)
    assert ("resumes=True" in source(group, name)) == GROUPS[group][1][name].resumes


@pytest.mark.parametrize("group", ["train", "compress"])
def test_top_of_the_folder_holds_nothing_but_commands(group: str) -> None:
    modules = {path.stem for path in (ROOT / group).glob("[!_]*.py")} - {"errors"}
    assert modules == {*GROUPS[group][1]}


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_help_says_what_was_typed(group: str, name: str, tadsr: Tadsr) -> None:
    done = tadsr(group, name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: tadsr {group} {name} ")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_alone_lists_its_commands(group: str, tadsr: Tadsr) -> None:
    done = tadsr(group)
    assert (done.code, done.err) == (0, "")
    assert done == tadsr(group, "--help")
    assert {line.split()[0] for line in done.out.splitlines() if line.startswith("  ")} >= {*GROUPS[group][1]}
    (line,) = (line for line in tadsr("--help").out.splitlines() if line.startswith(f"  {group} "))
    assert line.endswith(".")


def test_mistakes_are_those_of_the_command(tadsr: Tadsr, tmp_path: Path) -> None:
    done = tadsr("train", "evaluate", tmp_path / "none.safetensors", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert tadsr("train", "fly").code == 2
