"""Every mistake that the command must answer with one line, exit code 2, and no trace on the disk."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps.commands import Tadsr

Draw = Callable[..., Path]
ROOT = Path(__file__).parents[3]


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Everything below `folder`."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def desk(draw: Draw, toy_bundle: Path, tmp_path: Path) -> Path:
    """A folder with one good picture, everything that can be wrong, and bundles."""
    photo = draw("good.jpg", (200, 150))
    (tmp_path / "truncated.jpg").write_bytes(photo.read_bytes()[:3000])
    (tmp_path / "truncated.png").write_bytes(draw("cut.png", (200, 150)).read_bytes()[:3000])
    (tmp_path / "zero.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/notes.txt").write_text("none here either")
    shutil.copytree(toy_bundle, tmp_path / "toy.tadsr")
    wrong = Path(shutil.copytree(toy_bundle, tmp_path / "wrong.tadsr"))
    model = bytearray((wrong / "toy.onnx").read_bytes())
    model[100] ^= 1
    (wrong / "toy.onnx").write_bytes(model)
    newer = Path(shutil.copytree(toy_bundle, tmp_path / "newer.tadsr"))
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99, "more": 1}))
    return tmp_path


EXISTS = "exists already; choose another -o, --skip-existing or --overwrite"
ITSELF = "is the input itself; choose another -o, or replace it with --overwrite"
IN_THE_WAY = "a file stands where this folder is needed; choose another -o"
DAMAGED = r"is damaged or truncated \(.+\); get the file again"
CHANGED = r"toy\.onnx is damaged or was changed \(.+\); get the bundle again"
NEWER = r"made for a newer tadsr \(.+\); upgrade tadsr: pip install -U tadsr"

# What is typed, and the file and the rest of the message.
MISTAKES = {
    "missing file": ("missing.jpg -o out.png", "missing.jpg", "no such file or folder; check the name"),
    "missing among others": ("good.jpg missing.jpg -o out", "missing.jpg", "no such file or folder; check the name"),
    "folder without pictures": ("notes -o out", "notes", r"holds no pictures; name a folder with \.png, .+"),
    "truncated JPEG": ("truncated.jpg -o out.png", "truncated.jpg", DAMAGED),
    "truncated PNG": ("truncated.png -o out.png", "truncated.png", DAMAGED),
    "zero bytes": ("zero.png -o out.png", "zero.png", r"is empty \(0 bytes\); get the file again"),
    "not an image": ("text.png -o out.png", "text.png", "is not a picture of a known format; convert it to .+"),
    "output in a file": ("good.jpg -o zero.png/", "zero.png", IN_THE_WAY),
    "outputs in a file": ("good.jpg cut.png -o zero.png", "zero.png", IN_THE_WAY),
    "output in no folder": ("good.jpg -o none/out.png", "none/out.png", "its folder does not exist; make it first"),
    "unknown output": ("good.jpg -o out.docx", "out.docx", r"unknown picture suffix '\.docx'; use one of \.png .+"),
    "unwritable output": ("good.jpg -o /proc/", "/proc", r"cannot be written to \(.+\); choose another -o"),
    "output is the input": ("good.jpg -o good.jpg", "good.jpg", ITSELF),
    "output exists": ("good.jpg -o cut.png", "cut.png", EXISTS),
    "outputs are the inputs": ("good.jpg cut.png -o .", "good.jpg", ITSELF),
    "missing bundle": ("good.jpg --bundle none.tadsr", "none.tadsr", "no such bundle; check the name"),
    "wrong hash": ("good.jpg --bundle wrong.tadsr", "wrong.tadsr", CHANGED),
    "newer bundle": ("good.jpg --bundle newer.tadsr", "newer.tadsr", NEWER),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, tadsr: Tadsr, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, file, message = MISTAKES[mistake]
    if "/proc" in arguments and not Path("/proc/self").exists():
        pytest.skip("needs a folder that even root cannot write to")
    monkeypatch.chdir(desk)
    before = contents(desk)
    bundle = [] if "--bundle" in arguments else ["--bundle", "toy.tadsr"]
    done = tadsr("upscale", *arguments.split(), *bundle)
    assert re.fullmatch(rf"error: {re.escape(file)}: {message}\n", done.err)
    assert (done.code, done.out) == (2, "")
    assert contents(desk) == before


@pytest.mark.parametrize(("pictures", "code"), [(["truncated.png"], 2), (["truncated.png", "zero.png"], 1)])
def test_a_real_process_says_no_more_than_that(pictures: list[str], code: int, desk: Path) -> None:
    arguments = [
        "upscale",
        *(desk / picture for picture in pictures),
        "-o",
        desk / "out/",
        "--bundle",
        desk / "toy.tadsr",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, "")
    *errors, summary = done.stderr.splitlines() if code == 1 else [*done.stderr.splitlines(), ""]
    assert len(errors) == len(pictures)
    assert all(line.startswith("error: ") for line in errors)
    assert summary == ("2 of 2 pictures failed, the others are done" if code == 1 else "")
    assert "\x1b" not in done.stderr
