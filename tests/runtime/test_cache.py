"""The folder for what was built here."""

from pathlib import Path

import pytest

from runtime.cache import VARIABLE, cache_folder


def test_the_variable_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b"
    assert cache_folder().is_dir()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/tadsr"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/tadsr"),
        ("darwin", {"XDG_CACHE_HOME": "xdg"}, "home/Library/Caches/tadsr"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/tadsr"),
    ],
)
def test_every_platform_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for variable in (VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    for variable, folder in variables.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert cache_folder() == tmp_path / expected
