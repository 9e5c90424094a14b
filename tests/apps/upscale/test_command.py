import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import runtime
from tests.apps.commands import Tadsr
from tests.conftest import write_toy_bundle

Draw = Callable[..., Path]
ROOT = Path(__file__).parents[3]


def test_a_picture_becomes_the_runtimes_picture(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    photo = draw("photo.png")
    done = tadsr("upscale", photo, "--bundle", toy_bundle)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{tmp_path / 'photo_x4.png'} (48x36)\n"
    expected = runtime.upscale(Image.open(photo), bundle=toy_bundle)
    with Image.open(tmp_path / "photo_x4.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.asarray(expected))


def test_options_reach_the_runtime(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    photo, out = draw("photo.png", (50, 40)), tmp_path / "out.png"
    options = ["--bundle", toy_bundle, "--backend", "onnx", "--precision", "fp32", "--tile", 32, "--seam", "exact"]
    assert tadsr("upscale", photo, "-o", out, *options).code == 0
    expected = np.asarray(runtime.upscale(photo, bundle=toy_bundle, tile=32, seam="exact"))
    np.testing.assert_array_equal(np.asarray(Image.open(out)), expected)
    for option, message in (
        (["--tile", 30], "tile=30: a tile is a multiple of 4 pixels"),
        (["--tile", 8, "--seam", "exact"], "too small to tile with a seam of 7 pixels"),
        (["--backend", "cuda"], "backend=cuda: unknown"),
        (["--precision", "int8"], "nothing for auto/int8"),
    ):
        failed = tadsr("upscale", photo, "-o", tmp_path / "no.png", "--bundle", toy_bundle, *option)
        assert failed.code == 2
        assert message in failed.err
        assert failed.err.count("\n") == 1
    assert not (tmp_path / "no.png").exists()


def test_a_folder(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    for name in ("photos/a.jpg", "photos/b/[c].gif", "photos/b/d e.png"):
        draw(name)
    done = tadsr("upscale", tmp_path / "photos", "-o", tmp_path / "out", "--bundle", toy_bundle)
    assert (done.code, done.err) == (0, "")
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert made == {"a.jpg", "b/[c].png", "b/d e.png"}
    assert len(done.out.splitlines()) == 3


def test_one_bad_picture_does_not_stop_the_rest(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    first, last = draw("a.png"), draw("z.png")
    (tmp_path / "m.png").write_bytes(b"")
    (tmp_path / "n.png").write_text("no picture")
    done = tadsr("upscale", tmp_path, "-o", tmp_path / "out", "--bundle", toy_bundle)
    assert done.code == 1
    assert done.err.splitlines() == [
        f"error: {tmp_path / 'm.png'}: is empty (0 bytes); get the file again",
        f"error: {tmp_path / 'n.png'}: is not a picture of a known format; convert it to PNG or JPEG",
        "2 of 4 pictures failed, the others are done",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {first.name, last.name}


def test_json_tells_what_became_of_each(tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    draw("in/a.png")
    draw("in/b.png")
    (tmp_path / "in" / "c.png").write_bytes(b"")
    draw("out/b.png")
    inputs = ["upscale", tmp_path / "in", "-o", tmp_path / "out", "--bundle", toy_bundle, "--json"]
    done = tadsr(*inputs, "--skip-existing")
    assert done.code == 1
    report = json.loads(done.out)
    totals = {name: report["totals"][name] for name in ("pictures", "done", "skipped", "failed")}
    assert totals == {"pictures": 3, "done": 1, "skipped": 1, "failed": 1}
    rows = {Path(row["source"]).name: row for row in report["pictures"]}
    assert (rows["a.png"]["status"], rows["a.png"]["size"], rows["a.png"]["error"]) == ("done", [48, 36], None)
    assert rows["a.png"]["target"] == str(tmp_path / "out" / "a.png")
    assert 0 < rows["a.png"]["seconds"] <= report["totals"]["seconds"]
    assert (rows["b.png"]["status"], rows["b.png"]["size"], rows["b.png"]["seconds"]) == ("skipped", None, 0)
    assert (rows["c.png"]["status"], rows["c.png"]["size"]) == ("failed", None)
    assert "is empty (0 bytes)" in rows["c.png"]["error"]
    assert done.err.splitlines() == [
        "1 of 3 pictures skipped, their results exist",
        f"error: {rows['c.png']['error']}",
        "1 of 3 pictures failed, the others are done",
    ]


def test_json_of_a_single_failure_keeps_its_exit_code(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    done = tadsr("upscale", tmp_path / "a.png", "--bundle", toy_bundle, "--json")
    assert done.code == 2
    assert json.loads(done.out)["pictures"][0]["status"] == "failed"
    assert done.err.count("\n") == 1


def test_skip_existing_goes_on_where_a_run_was_stopped(
    tadsr: Tadsr, draw: Draw, toy_bundle: Path, tmp_path: Path
) -> None:
    draw("in/a.jpg")
    command = ["upscale", tmp_path / "in" / "*.jpg", "-o", tmp_path / "out", "--bundle", toy_bundle]
    assert tadsr(*command).code == 0
    made = (tmp_path / "out" / "a.jpg").stat()
    draw("in/b.jpg")
    done = tadsr(*command, "--skip-existing")
    assert (done.code, done.out) == (0, f"{tmp_path / 'out' / 'b.jpg'} (48x36)\n")
    assert done.err == "1 of 2 pictures skipped, their results exist\n"
    assert (tmp_path / "out" / "a.jpg").stat() == made
    both = tadsr(*command, "--skip-existing", "--overwrite")
    assert (both.code, both.out) == (2, "")
    assert both.err == "error: --overwrite and --skip-existing: exclude each other; leave one of them out\n"


def test_a_failing_network_is_told_with_the_pictures_name(tadsr: Tadsr, draw: Draw, tmp_path: Path) -> None:
    broken = write_toy_bundle(tmp_path / "nan.tadsr", gain=float("nan"))
    photo = draw("photo.png")
    done = tadsr("upscale", photo, "--bundle", broken)
    assert done.code == 2
    assert done.err.startswith(f"error: {photo}: ")
    assert "gave NaN or infinite values" in done.err
    assert not (tmp_path / "photo_x4.png").exists()


def test_overwrite_replaces_even_the_input(tadsr: Tadsr, draw: Draw, toy_bundle: Path) -> None:
    photo = draw("photo.png")
    assert tadsr("upscale", photo, "-o", photo, "--overwrite", "--bundle", toy_bundle).code == 0
    with Image.open(photo) as saved:
        assert saved.size == (48, 36)


def test_the_suffix_that_cannot_hold_the_picture_is_a_failure(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 100)).save(tmp_path / "clear.png")
    done = tadsr("upscale", tmp_path / "clear.png", "-o", tmp_path / "clear.jpg", "--bundle", toy_bundle)
    assert done.code == 2
    assert "JPEG cannot hold transparency; save as .png" in done.err
    assert not (tmp_path / "clear.jpg").exists()


def test_the_shipped_bundle(tadsr: Tadsr, draw: Draw, tmp_path: Path) -> None:
    done = tadsr("upscale", draw("photo.png", (40, 30)))
    assert (done.code, done.err) == (0, "")
    with Image.open(tmp_path / "photo_x4.png") as saved:
        assert saved.size == (160, 120)


def test_formats_quality_and_metadata(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    photo = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((32, 24)).convert("RGB").save(photo, exif=exif)
    common = ["upscale", photo, "--bundle", toy_bundle, "--overwrite"]
    sizes = []
    for quality in (5, 95):
        assert tadsr(*common, "--format", "JPG", "--quality", quality).out == f"{tmp_path / 'photo_x4.jpg'} (128x96)\n"
        sizes.append((tmp_path / "photo_x4.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    with Image.open(tmp_path / "photo_x4.jpg") as saved:
        assert saved.getexif()[ExifTags.Base.Make] == "Camera"
    assert tadsr(*common, "--format", "webp", "--strip-metadata").code == 0
    with Image.open(tmp_path / "photo_x4.webp") as saved:
        assert (saved.format, len(saved.getexif())) == ("WEBP", 0)


def test_an_animation_by_default_becomes_an_apng(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200])
    done = tadsr("upscale", tmp_path / "a.gif", "--bundle", toy_bundle)
    assert (done.code, done.err) == (0, "")
    with Image.open(tmp_path / "a_x4.png") as saved:
        assert (saved.n_frames, saved.size) == (2, (48, 32))


def test_what_is_lost_is_said_once(tadsr: Tadsr, toy_bundle: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 200])
    done = tadsr("upscale", tmp_path / "a.gif", "-o", tmp_path / "a.tif", "--bundle", toy_bundle)
    assert done.code == 0
    assert (
        done.err
        == f"warning: {tmp_path / 'a.tif'}: TIFF holds no timing, so it was left out; save as .png, .webp or .gif\n"
    )


INTERRUPTED = """
import os, signal
from apps.cli import main
from runtime import job
signal.signal(signal.SIGINT, signal.default_int_handler)
job.write_levels = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGINT)
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c(draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    photo = draw("photo.png")
    command = [sys.executable, "-c", INTERRUPTED, "upscale", str(photo), "--bundle", str(toy_bundle)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert [*tmp_path.iterdir()] == [photo]


def read_all(terminal: int) -> str:
    """What is written to a pseudo-terminal until its last writer is gone, which Linux tells by an error."""
    seen = b""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 2**16):
            seen += part
    os.close(terminal)
    return seen.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_bars_go_to_the_terminal_and_results_to_the_pipe(draw: Draw, toy_bundle: Path, tmp_path: Path) -> None:
    import pty

    draw("photos/[a].png", (80, 80))
    draw("photos/b.png")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "apps.cli", "upscale", str(tmp_path / "photos"), "-o", str(tmp_path / "out")]
    command += ["--tile", "32", "--bundle", str(toy_bundle)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True) as running:
        os.close(theirs)
        seen = read_all(ours)
        out, _ = running.communicate()
    assert running.returncode == 0
    assert out.splitlines() == [f"{tmp_path}/out/[a].png (320x320)", f"{tmp_path}/out/b.png (48x36)"]
    for text in ("all pictures", "2/2", "[a].png", "tiles", "left"):
        assert text in seen
