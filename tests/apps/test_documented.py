"""Every `tadsr` line of the README and the docs runs, to the letter, in a folder that holds the files it names."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import runtime
from apps.stages import GROUPS
from runtime.bundle import Artifact
from tests.conftest import write_bundle_of, write_toy_onnx

from .commands import Tadsr

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

PICTURES = (
    "photo.jpg",
    "scan.png",
    "holiday/a.jpg",
    "holiday/beach/b.png",
    "photos/a.jpg",
    "photos/b.jpg",
    "docs/pictures/sample.jpg",
    "Pictures/a.jpg",
)
BUNDLES = ("runs/mine.tadsr", "photo.tadsr", "mine.tadsr")

SHORTENED = {
    "bench": (["--help"], "takes minutes; test_bench.py runs it and its options on small pictures"),
    "recipe": (["--dry-run"], "trains for hours"),
    "web": (["--help"], "serves until it is stopped"),
    **dict.fromkeys(GROUPS, (["--help"], "needs networks, photos or hours")),
}
"""What is added to a line that cannot run in a test, by its first word, and why it cannot."""


def documented(page: str) -> list[str]:
    """The `tadsr` lines of a page, in bash blocks and between backticks, each once.

    In prose a command alone, such as `tadsr upscale`, is a name and no line.

    >>> documented("`tadsr info` and `tadsr info --json`")
    ['tadsr info --json']
    """
    blocks = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    quoted = re.findall(r"`(tadsr [^`\s]+ [^`\n]+)`", prose)
    return list(dict.fromkeys(line for line in [*lines, *quoted] if line.startswith("tadsr ")))


LINES = list(dict.fromkeys(line for page in PAGES for line in documented(page.read_text(encoding="utf-8"))))


def words_of(line: str) -> list[str]:
    """What follows `tadsr`, without a comment or a redirection; a COMMAND is any."""
    words = shlex.split(line, comments=True)[1:]
    kept = words[: words.index(">")] if ">" in words else words
    return ["upscale" if word == "COMMAND" else word for word in kept]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle in both precisions."""
    folder = tmp_path_factory.mktemp("documented")
    model = write_toy_onnx(folder / "toy.onnx").read_bytes()
    files = {Artifact(f"toy-{precision}.onnx", "onnx", precision): model for precision in ("fp32", "int8")}
    return write_bundle_of(folder / "toy.tadsr", files)


@pytest.fixture
def desk(draw: Callable[..., Path], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder and home, with all files that the lines name; a small bundle is the one that comes along."""
    for name in PICTURES:
        draw(name)
    for name in BUNDLES:
        shutil.copytree(bundle, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "DEFAULT_BUNDLE", bundle)
    return tmp_path


def test_lines_are_found() -> None:
    page = "`tadsr a f`\n```bash\ntadsr b \\\n  -o c  # so\npip d\n```\n```\ntadsr e\n```\n`tadsr a f`, `tadsr a`\n"
    assert documented(page) == ["tadsr b    -o c  # so", "tadsr a f"]
    assert len(LINES) >= 10


@pytest.mark.parametrize("line", LINES)
@pytest.mark.usefixtures("desk")
def test_documented_line_runs(line: str, tadsr: Tadsr) -> None:
    words = words_of(line)
    more, _reason = SHORTENED.get(words[0], ([], ""))
    done = tadsr(*words, *more)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("line", ["tadsr upscale photo.jpg --overwrit", "tadsr bench --peer 2", "tadsr enlarge a.jpg"])
@pytest.mark.usefixtures("desk")
def test_a_wrong_line_would_be_found(line: str, tadsr: Tadsr) -> None:
    words = words_of(line)
    more, _reason = SHORTENED.get(words[0], ([], ""))
    assert tadsr(*words, *more).code == 2
