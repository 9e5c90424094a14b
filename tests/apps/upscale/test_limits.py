"""`tadsr upscale` within limits: sizes, memory, threads; and its ends by Ctrl-C and by a full disk."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from tests.apps.commands import Tadsr

Draw = Callable[..., Path]
ROOT = Path(__file__).parents[3]


def test_exact_sizes_scales_and_textures(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    photo = draw("photo.png", (50, 40))
    for options, expected in (
        (["--scale", 2], runtime.Options(scale=2)),
        (["--size", "77x55"], runtime.Options(size=(77, 55))),
        (["--wrap", "--threads", 1], runtime.Options(wrap=True)),
        (["--max-memory", "3GB"], runtime.Options()),
    ):
        done = tadsr("upscale", photo, "-o", tmp_path / "out.png", "--overwrite", "--bundle", toy_bundle, *options)
        assert (done.code, done.err) == (0, "")
        whole = np.asarray(runtime.upscale(photo, bundle=toy_bundle, **expected))
        with Image.open(tmp_path / "out.png") as saved:
            np.testing.assert_array_equal(np.asarray(saved), whole)


def test_the_scale_names_the_file(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    assert tadsr("upscale", draw("photo.png"), "--scale", 3, "--bundle", toy_bundle).code == 0
    with Image.open(tmp_path / "photo_x3.png") as saved:
        assert saved.size == (36, 27)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "large"], "size=large: is no size; write it as 1920x1080"),
        (["--size", "900x10"], "size=900x10: the model makes 48x36 of this picture at most"),
        (["--scale", 5], "scale=5: the model enlarges 4 times"),
        (["--scale", 2, "--size", "4x4"], "give one of them"),
        (["--max-memory", "much"], "max_memory=much: not an amount of memory"),
    ],
)
def test_mistakes(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path, options: list[str], message: str) -> None:
    photo = draw("photo.png")
    done = tadsr("upscale", photo, "--bundle", toy_bundle, *options)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert [*tmp_path.iterdir()] == [photo]


def test_too_little_memory_for_one_does_not_stop_the_rest(
    tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path
) -> None:
    draw("photos/large.png", (900, 900))
    draw("photos/small.png")
    options = ["--bundle", toy_bundle, "--max-memory", "150MB"]
    done = tadsr("upscale", tmp_path / "photos", "-o", f"{tmp_path / 'out'}/", *options)
    assert done.code == 1
    assert "even in strips this picture needs about" in done.err or "pip install" in done.err
    assert "1 of 2 pictures failed" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.png"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_full_disk(
    tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    for number in range(count):
        draw(f"photos/{number}.png")

    def full(self: Image.Image, path: Path, *args: object, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    done = tadsr("upscale", tmp_path / "photos", "-o", tmp_path / "out", "--bundle", toy_bundle)
    assert done.code == (2 if count == 1 else 1)
    assert done.err.count("No space left on device); nothing was saved") == count
    assert [*(tmp_path / "out").iterdir()] == []


INTERRUPTED = """
import os, signal
from apps.cli import main
from runtime.enlarging import Enlarger
from runtime.tiles import running
signal.signal(signal.SIGINT, signal.default_int_handler)
Enlarger.fits = lambda self, shape, settings: False
paint, calls = running._paint, []
def interrupt(*arguments):
    calls.append(1)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGINT)
    paint(*arguments)
running._paint = interrupt
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c_in_the_middle_of_strips(draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyvips", reason="needs pyvips, which comes with tadsr[imaging]")
    photo = draw("photo.png", (90, 90))
    command = [sys.executable, "-c", INTERRUPTED, "upscale", str(photo), "--bundle", str(toy_bundle)]
    command += ["--max-memory", "2GB", "--tile", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert [*tmp_path.iterdir()] == [photo]
