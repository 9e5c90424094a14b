"""Finding photos, keeping to free licences, and refusing what cannot be used in one line."""

import csv
import json
from math import prod
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.shared import shared
from train import publish
from train.data.photos import Credit, credits, credits_as_json, find_photos, is_free, load_photo, photo_size
from train.engine.errors import PhotoError


def save(path: Path, width: int = 8, height: int = 6) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "teal").save(path)
    return path


def manifest(folder: Path, rows: dict[str, str]) -> None:
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "source_repo", "licence"))
        writer.writerows((name, "a/b", licence) for name, licence in rows.items())


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC0 1.0 (repo LICENSE)", True),
        ("CC BY 4.0", True),
        ("CC BY-SA 4.0", True),
        ("CC-BY-SA-4.0 (debian/copyright)", True),
        ("LGPLv3 (wallpaper metadata)", True),
        ("GPL-2+ (debian/copyright of the Debian package)", True),
        ("Public Domain (attribution field in a data set (Wikimedia Commons))", True),
        ("Unlicense / public domain (repo LICENSE.md, README)", True),
        ("CC0 (before 2017-06) (of a branch or release tag)", True),
        ("CC BY-NC 4.0", False),
        ("CC BY-NC-SA 4.0", False),
        ("CC BY-ND 4.0", False),
        ("CC BY 4.0 or GPL-2.0+ (per-file not stated)", False),
        ("CC BY-SA 4.0 for most (per file in repo README)", False),
        ("CC (repo Attribution)", False),
        ("Public (repo Attribution)", False),
        ("Unsplash licence", False),
        ("none stated in repo; research use", False),
        ("", False),
    ],
)
def test_only_plainly_free_licences_count(licence: str, free: bool) -> None:
    assert is_free(licence) is free


def test_a_folder_is_searched_deeply_and_in_order(tmp_path: Path) -> None:
    expected = [save(tmp_path / name) for name in ("a.png", "b/c.JPG", "d.webp")]
    (tmp_path / "notes.md").write_text("no photo")
    assert find_photos(tmp_path) == expected


def test_a_list_names_photos_relative_to_itself(tmp_path: Path) -> None:
    one, two = save(tmp_path / "x" / "1.png"), save(tmp_path / "2.png")
    listing = tmp_path / "photos.txt"
    listing.write_text(f"x/1.png\n\n{two}\n")
    assert find_photos(listing) == sorted((one, two))


@pytest.mark.parametrize("beside", [True, False])
def test_free_photos_are_those_the_manifest_shows_as_free(tmp_path: Path, beside: bool) -> None:
    folder = tmp_path / "train"
    free, _ = save(folder / "free.png"), save(folder / "not.png")
    save(folder / "unlisted.png")
    prefix = "" if beside else "train/"
    manifest(folder if beside else tmp_path, {f"{prefix}free.png": "CC0 1.0", f"{prefix}not.png": "CC BY-NC 4.0"})
    assert find_photos(folder, "free") == [free]
    assert credits(folder) == [Credit("a/b", "CC0 1.0", 1)]
    assert credits_as_json(folder, "free") == {
        "photos": 1,
        "megapixels": prod(photo_size(free)) / 1e6,
        "credits": [{"source": "a/b", "licence": "CC0 1.0", "photos": 1}],
    }
    assert credits(folder, "all") == [Credit("a/b", "CC BY-NC 4.0", 1), Credit("a/b", "CC0 1.0", 1)]


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    empty, photos, listing, other = tmp_path / "empty", tmp_path / "photos", tmp_path / "l.txt", tmp_path / "l.json"
    empty.mkdir()
    save(photos / "a.png")
    listing.write_text("gone.png")
    other.write_text("{}")
    cases = (
        (tmp_path / "nowhere", "all", "no such folder"),
        (empty, "all", "no photos"),
        (listing, "all", "1 of its files do not exist"),
        (other, "all", "neither a folder nor a .txt list"),
        (photos, "free", "no MANIFEST.csv"),
    )
    for source, licences, reason in cases:
        with pytest.raises(PhotoError, match=reason) as caught:
            find_photos(source, licences)  # type: ignore[arg-type]
        assert str(source) in str(caught.value)
        assert "\n" not in str(caught.value)

    manifest(photos, {"a.png": "Unsplash licence"})
    with pytest.raises(PhotoError, match="none of its 1 photos is shown as free"):
        find_photos(photos, "free")
    (photos / "MANIFEST.csv").write_text("file,licence\na.png,CC0\n")
    with pytest.raises(PhotoError, match="lacks the column source_repo"):
        find_photos(photos, "free")


def test_photos_load_upright_as_rgb(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (8, 6)).save(path, exif=exif)
    assert load_photo(path).shape == (8, 6, 3)
    assert load_photo(path).dtype == np.uint8
    assert sorted(photo_size(path)) == [6, 8]


@pytest.mark.parametrize("kept", [0, 40, 90])
def test_a_broken_photo_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PhotoError, match=r"cut\.png: "):
        load_photo(path)


def test_the_shared_collection_has_the_free_photos_its_readme_counts() -> None:
    folder = shared("data/train")
    free = find_photos(folder, "free")
    assert len(free) == 1301
    assert sum(row.photos for row in credits(folder)) == 1301
    assert not any(photo.name.startswith(("imagenet_", "bsds500_", "div2k_", "afhq_")) for photo in free)


def test_credits_of_photos_are_printed_for_a_model_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "free.png")
    manifest(tmp_path, {"free.png": "CC0 1.0"})
    publish.main(["--credits", str(tmp_path)])
    assert json.loads(capsys.readouterr().out) == credits_as_json(tmp_path, "free")
    with pytest.raises(SystemExit) as stop:
        publish.main([])
    assert stop.value.code == 2
