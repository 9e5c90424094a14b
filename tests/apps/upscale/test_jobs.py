import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.errors import CommandError
from apps.upscale.jobs import Job, check_jobs, find_pictures, make_folders, plan_jobs, split_existing, suffix_of
from runtime.errors import PictureError

Draw = Callable[..., Path]


def test_a_file_by_default_goes_beside_itself(draw: Draw, tmp_path: Path) -> None:
    photo = draw("photo.v2.jpg")
    assert plan_jobs([photo], None, scale=4) == [Job(photo, tmp_path / "photo.v2_x4.png")]
    assert plan_jobs([photo], None, scale=2) == [Job(photo, tmp_path / "photo.v2_x2.png")]


@pytest.mark.parametrize("output", ["out/", "made"])
def test_one_file_into_a_folder(output: str, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    photo = draw("photo.jpg")
    assert plan_jobs([photo], output, scale=4) == [Job(photo, Path(output) / "photo.jpg")]


def test_one_file_to_a_file(draw: Draw, tmp_path: Path) -> None:
    photo, target = draw("photo.jpg"), tmp_path / "big.webp"
    assert plan_jobs([photo], str(target), scale=4) == [Job(photo, target)]


def test_files_and_folders_are_mirrored_and_only_writable_suffixes_kept(draw: Draw, tmp_path: Path) -> None:
    one, a, b, c = draw("one.PNG"), draw("photos/a.jpg"), draw("photos/trip/b.tiff"), draw("photos/trip/day.1/c.gif")
    out = tmp_path / "out"
    jobs = plan_jobs([one, tmp_path / "photos"], str(out), scale=4)
    assert jobs == [
        Job(one, out / "one.PNG"),
        Job(a, out / "a.jpg"),
        Job(b, out / "trip/b.tiff"),
        Job(c, out / "trip/day.1/c.png"),
    ]
    assert plan_jobs([tmp_path / "photos", a], str(out), scale=4) == jobs[1:]  # the same picture twice is one job


def test_a_format_for_all_results(draw: Draw, tmp_path: Path) -> None:
    photo, gif = draw("photos/a.jpg"), draw("photos/b.gif")
    out = tmp_path / "out"
    assert plan_jobs([photo], None, scale=4, suffix=".webp") == [Job(photo, photo.with_name("a_x4.webp"))]
    jobs = plan_jobs([tmp_path / "photos"], str(out), scale=4, suffix=".gif")
    assert jobs == [Job(photo, out / "a.gif"), Job(gif, out / "b.gif")]
    jpegs = plan_jobs([photo], str(tmp_path / "a.jpeg"), scale=4, suffix=".jpg")  # the same by another name
    assert jpegs == [Job(photo, tmp_path / "a.jpeg")]
    with pytest.raises(CommandError, match=r"a\.png: is no jpg file, which --format asks for; leave one of them out"):
        plan_jobs([photo], str(tmp_path / "a.png"), scale=4, suffix=".jpg")


def test_what_cannot_be_written_here_becomes_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.heic").touch()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (job,) = plan_jobs([tmp_path / "photos"], str(tmp_path / "out"), scale=4)
    assert job.target == tmp_path / "out" / "a.png"


@pytest.mark.parametrize(("form", "suffix"), [(None, None), ("png", ".png"), ("JPG", ".jpg"), (".tif", ".tif")])
def test_names_of_formats(form: str | None, suffix: str | None) -> None:
    assert suffix_of(form) == suffix


def test_formats_that_cannot_be_written() -> None:
    with pytest.raises(CommandError, match="--format psd: is not a format that can be written; use one of png, jpg,"):
        suffix_of("psd")


def test_a_folder_is_searched_for_pictures_only(draw: Draw, tmp_path: Path) -> None:
    wanted = [draw("photos/a.png"), draw("photos/b/c.JPG")]
    for other in ("photos/notes.txt", "photos/.hidden.png", "photos/.trash/x.png", "photos/._a.png"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"")
    (tmp_path / "photos/folder.png").mkdir()
    assert find_pictures(tmp_path / "photos", tmp_path / "out") == wanted


def test_results_inside_the_input_folder_are_no_inputs(draw: Draw, tmp_path: Path) -> None:
    photo = draw("photos/a.png")
    draw("photos/big/a.png")
    assert find_pictures(tmp_path / "photos", tmp_path / "photos/big") == [photo]
    assert len(find_pictures(tmp_path / "photos", tmp_path / "photos")) == 2


def test_inputs_that_cannot_be_planned(draw: Draw, tmp_path: Path) -> None:
    photo = draw("photo.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match=r"missing\.png: no such file or folder; check the name"):
        plan_jobs([photo, tmp_path / "missing.png"], None, scale=4)
    with pytest.raises(PictureError, match=r"empty: holds no pictures; name a folder with \.png"):
        plan_jobs([tmp_path / "empty"], str(tmp_path / "out"), scale=4)
    with pytest.raises(CommandError, match="empty: is a folder; name a folder for the results with -o"):
        plan_jobs([tmp_path / "empty"], None, scale=4)
    with pytest.raises(PictureError, match=r"unknown picture suffix '\.xyz'"):
        plan_jobs([photo], str(tmp_path / "out.xyz"), scale=4)


def test_patterns_that_no_shell_expanded(draw: Draw, tmp_path: Path) -> None:
    a, b, out = draw("photos/a.jpg"), draw("photos/trip/b.jpg"), tmp_path / "out"
    for other in ("photos/c.png", "photos/.d.jpg"):
        draw(other)
    (tmp_path / "photos" / "folder.jpg").mkdir()
    assert plan_jobs([tmp_path / "photos/*.jpg"], str(out), scale=4) == [Job(a, out / "a.jpg")]
    everywhere = plan_jobs([tmp_path / "photos/**/*.jpg"], str(out), scale=4)
    assert everywhere == [Job(a, out / "a.jpg"), Job(b, out / "trip/b.jpg")]
    beside = plan_jobs([tmp_path / "photos/tr?p/*.jp[g]"], None, scale=4)
    assert beside == [Job(b, b.with_name("b_x4.png"))]
    draw("photos/big/a.jpg")
    assert plan_jobs([tmp_path / "photos/**/*.jpg"], str(tmp_path / "photos/big"), scale=4)[0].source == a
    assert len(plan_jobs([tmp_path / "photos/**/*.jpg"], str(tmp_path / "photos/big"), scale=4)) == 2


def test_a_pattern_in_this_folder(draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw("a.jpg")
    monkeypatch.chdir(tmp_path)
    assert plan_jobs([Path("*.jpg")], "out", scale=4) == [Job(Path("a.jpg"), Path("out/a.jpg"))]


def test_a_name_with_wildcards_is_a_name_where_there_is_such_a_file(draw: Draw, tmp_path: Path) -> None:
    photo = draw("[a].jpg")
    draw("a.jpg")
    assert plan_jobs([photo], None, scale=4) == [Job(photo, tmp_path / "[a]_x4.png")]


def test_a_pattern_without_matches(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"\*\.jpg: matches no pictures; check the pattern"):
        plan_jobs([tmp_path / "*.jpg"], None, scale=4)


def test_jobs_whose_results_exist(draw: Draw, tmp_path: Path) -> None:
    photo, old = draw("photo.png"), draw("old.png")
    new, again, itself = Job(photo, tmp_path / "new.png"), Job(photo, old), Job(photo, photo)
    assert split_existing([new, again, itself]) == ([new, itself], [again])


def test_two_pictures_for_one_place(draw: Draw, tmp_path: Path) -> None:
    jobs = plan_jobs([draw("a.gif"), draw("a.png")], str(tmp_path / "out"), scale=4)
    for overwrite in (False, True):
        with pytest.raises(CommandError, match=r"out/a\.png: both .*a\.gif and .*a\.png would be saved there"):
            check_jobs(jobs, overwrite=overwrite)


def test_nothing_is_replaced_unasked(draw: Draw) -> None:
    photo, old = draw("photo.png"), draw("old.png")
    with pytest.raises(CommandError, match=r"old\.png: exists already; choose another -o, --skip-existing or --over"):
        check_jobs([Job(photo, old)], overwrite=False)
    with pytest.raises(CommandError, match=r"photo\.png: is the input itself"):
        check_jobs([Job(photo, photo)], overwrite=False)
    check_jobs([Job(photo, old)], overwrite=True)
    check_jobs([Job(photo, photo)], overwrite=True)


def test_an_input_by_another_name_is_still_the_input(draw: Draw, tmp_path: Path) -> None:
    photo = draw("folder/photo.png")
    (tmp_path / "link.png").symlink_to(photo)
    for alias in (tmp_path / "folder/../folder/photo.png", tmp_path / "link.png"):
        with pytest.raises(CommandError, match="is the input itself"):
            check_jobs([Job(photo, alias)], overwrite=False)


def test_no_job_replaces_the_input_of_another(draw: Draw) -> None:
    jobs = plan_jobs([draw("a_x4.png")], None, scale=4)
    photo = draw("a.png")
    with pytest.raises(CommandError, match=r"a_x4\.png: is an input too, and .*a\.png would replace it"):
        check_jobs([*jobs, Job(photo, jobs[0].source)], overwrite=True)


def test_folders_are_made_and_tried(draw: Draw, tmp_path: Path) -> None:
    photo = draw("photo.png")
    make_folders([Job(photo, tmp_path / "new/deep/photo.png")])
    assert not list((tmp_path / "new/deep").iterdir())
    for target in (photo / "a.png", photo / "deep" / "a.png"):
        with pytest.raises(CommandError, match="a file stands where this folder is needed; choose another -o"):
            make_folders([Job(photo, target)])
    (tmp_path / "new/folder.png").mkdir()
    with pytest.raises(PictureError, match="is a folder"):
        make_folders([Job(photo, tmp_path / "new/folder.png")])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write to")
def test_unwritable_folder(draw: Draw) -> None:
    for target in ("/proc/a.png", "/proc/new/a.png"):
        with pytest.raises(CommandError, match=r"/proc\S*: cannot be written to \(.+\); choose another -o"):
            make_folders([Job(draw("photo.png"), Path(target))])
