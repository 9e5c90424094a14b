"""Finding photos to train on, keeping to free licences, and crediting them."""

import csv
import re
from collections import Counter
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime.errors import PictureError
from runtime.pictures.formats import open_image
from runtime.pictures.picture import open_picture, quantise
from train.engine.errors import PhotoError

Licences = Literal["free", "all"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
MANIFEST = "MANIFEST.csv"
"""Table beside the photos, or one folder up: columns `file` (relative to the table), `source_repo`, `licence`."""

_FREE = re.compile(r"CC0|CC[ -]BY|Public Domain|Unlicense|L?GPL", re.IGNORECASE)
_SOURCE = re.compile(r"\s*\((?:[^()]|\([^()]*\))*\)$")
"""Where a licence was read, behind it in parentheses: words there say nothing about the licence."""
_UNSURE = re.compile(r"\b(NC|ND|or|most|per[ -]file|not stated|not checked)\b", re.IGNORECASE)
"""Non-commercial, no derivatives, or not said plainly for this very file."""


class Credit(NamedTuple):
    """One row of a model card: how many photos of a source, under which licence."""

    source: str
    licence: str
    photos: int


def is_free(licence: str) -> bool:
    """Whether a licence text is plainly CC0, CC BY, CC BY-SA, public domain, Unlicense, LGPL or GPL.

    Not where it says NC or ND, "or", "for most"; a source in parentheses at its end is not looked at.
    """
    return bool(_FREE.match(licence)) and not _UNSURE.search(_SOURCE.sub("", licence))


def find_photos(source: Path, licences: Licences = "all") -> list[Path]:
    """Photos under the folder `source` (searched deeply), or named line by line in a .txt file, sorted by name.

    Lines of a .txt file are relative to it; "free" keeps those that a manifest shows as freely licensed.

    Raises PhotoError where `source` is missing, holds no photo that qualifies, or lacks the manifest "free" needs.
    """
    photos = _listed(source) if source.is_file() else _in_folder(source)
    if not photos:
        raise PhotoError(f"{source}: no photos in it; give a folder with {', '.join(sorted(SUFFIXES))} files")
    if licences == "all":
        return photos
    rows = _manifest(source)
    kept = [photo for photo in photos if photo.resolve() in rows and is_free(rows[photo.resolve()]["licence"])]
    if not kept:
        raise PhotoError(
            f"{source}: none of its {len(photos)} photos is shown as free in {MANIFEST}; allow all licences"
        )
    return kept


def credits(source: Path, licences: Licences = "free") -> list[Credit]:
    """Sources and licences of the photos that `find_photos` returns, most photos first, from the manifest.

    Raises PhotoError as `find_photos` does, and where there is no manifest.
    """
    rows = _manifest(source)
    known = (rows[photo.resolve()] for photo in find_photos(source, licences) if photo.resolve() in rows)
    counts = Counter((row["source_repo"], row["licence"]) for row in known)
    return [Credit(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def credits_as_json(source: Path, licences: Licences = "free") -> dict[str, Any]:
    """How many photos and megapixels `find_photos` returns, and the rows of `credits`: what a model card says of them.

    Raises PhotoError as `credits` does, and where a photo's size cannot be read.
    """
    photos = find_photos(source, licences)
    megapixels = sum(prod(photo_size(photo)) for photo in photos) / 1e6
    rows = [credit._asdict() for credit in credits(source, licences)]
    return {"photos": len(photos), "megapixels": megapixels, "credits": rows}


_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for files that are no pictures, cut short or absurdly large."""


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height of the photo as its header says, which is quick.

    Raises PhotoError where that cannot be read.
    """
    try:
        with open_image(path) as image:
            return image.size
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def load_photo(path: Path) -> NDArray[np.uint8]:
    """The photo as RGB [H, W, 3], turned upright.

    Raises PhotoError where it cannot be read or decoded.
    """
    try:
        return quantise(open_picture(path).pixels, np.dtype(np.uint8))
    except PictureError as error:
        raise PhotoError(str(error)) from error


def _unreadable(path: Path, error: Exception) -> PhotoError:
    return PhotoError(f"{path}: not a readable photo ({error}); replace or remove it")


def _in_folder(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise PhotoError(f"{folder}: no such folder; give a folder of photos, or a .txt file with a path per line")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _listed(source: Path) -> list[Path]:
    if source.suffix != ".txt":
        raise PhotoError(
            f"{source}: neither a folder nor a .txt list; give a folder of photos, or a .txt file of paths"
        )
    lines = source.read_text(encoding="utf-8").splitlines()
    photos = sorted(source.parent / line.strip() for line in lines if line.strip())
    missing = [photo for photo in photos if not photo.is_file()]
    if missing:
        raise PhotoError(
            f"{source}: {len(missing)} of its files do not exist, the first is {missing[0]}; correct the list"
        )
    return photos


def _manifest(source: Path) -> dict[Path, dict[str, str]]:
    """Rows of the manifest in `source` or its parent, by resolved path of the file."""
    for folder in (source, source.parent) if source.is_dir() else (source.parent,):
        path = folder / MANIFEST
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            missing = {"file", "licence", "source_repo"} - set(rows[0] if rows else ())
            if missing:
                raise PhotoError(f"{path}: lacks the column {min(missing)}; add it")
            return {(folder / row["file"]).resolve(): row for row in rows}
    raise PhotoError(
        f"{source}: no {MANIFEST} in it or one folder up to show the licences; add one, or allow all licences"
    )
