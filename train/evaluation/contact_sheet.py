"""``python -m train.evaluation.contact_sheet PICTURES... -o sheet.jpg``: left enlarged bicubically, right by a model.

Of every picture it shows the part in which the two differ most, at the pixels of the enlarged picture: there the
model shows what it can do, for better or worse.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track

import runtime
from runtime.pictures.saving import check_output
from tadsr import commands
from train.data.photos import find_photos, load_photo
from train.evaluation.predictors import Picture
from train.evaluation.scoring import bicubic

PART = (384, 288)
"""Width and height of what is shown of an enlarged picture, less where it is smaller."""
GAP, LABEL = 8, 26
QUALITY = 90


class Row(NamedTuple):
    """One picture of the sheet."""

    label: str
    columns: Mapping[str, Picture]
    """By their titles; [h, w, 3], all of one size."""


def most_different(a: Picture, b: Picture, width: int, height: int) -> tuple[slice, slice]:
    """Rows and columns of the ``width`` x ``height`` part in which two pictures [H, W, 3] differ most, on average.

    All of it where the pictures are not larger; the first of several, from the top and from the left.
    """
    difference = np.abs(a.astype(np.float64) - b).mean(axis=2)
    height, width = min(height, a.shape[0]), min(width, a.shape[1])
    sums = np.pad(difference, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    parts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(np.argmax(parts.round(3)), parts.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def sheet(rows: Sequence[Row]) -> Image.Image:
    """The pictures below each other, their columns side by side, titles at the top and a label above each row.

    There must be one row at least, and the same columns in each.
    """
    titles = list(rows[0].columns)
    sizes = [next(iter(row.columns.values())).shape[:2] for row in rows]
    column = max(width for _, width in sizes) + GAP
    page = Image.new("RGB", (column * len(titles) - GAP, LABEL + sum(height + LABEL for height, _ in sizes)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for i, title in enumerate(titles):
        draw.text((i * column + (column - GAP) / 2, LABEL / 2), title, "black", font, anchor="mm")
    top = LABEL
    for row, (height, _) in zip(rows, sizes, strict=True):
        draw.text((0, top + LABEL / 2), row.label, "#555", font, anchor="lm")
        for i, title in enumerate(titles):
            page.paste(Image.fromarray(row.columns[title]), (i * column, top + LABEL))
        top += LABEL + height
    return page


def compared(path: Path, upscaler: runtime.Upscaler) -> Row:
    """A picture's most different part. Raises ``TadsrError`` where it cannot be read or enlarged."""
    small = load_photo(path)
    ours, plain = upscaler(small), bicubic(small, upscaler.manifest.scale)
    part = most_different(ours, plain, *PART)
    return Row(path.name, {"bicubic": plain[part], upscaler.manifest.name: ours[part]})


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """The files, and all pictures of the folders. Raises ``PhotoError`` for a folder without any."""
    return [picture for path in paths for picture in (find_photos(path) if path.is_dir() else [path])]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluation.contact_sheet", description="Pictures enlarged bicubically and by a model."
    )
    parser.add_argument("pictures", type=Path, nargs="+", help="pictures, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the sheet: .jpg, .png, ...")
    parser.add_argument("--bundle", type=Path, help="another model than the shipped one")
    options = parser.parse_args(argv)

    console = Console(stderr=True)
    check_output(options.output)
    paths = find_pictures(options.pictures)
    with runtime.load(options.bundle) as upscaler:
        tracked = track(paths, "enlarging", console=console, transient=True, disable=not console.is_terminal)
        rows = [compared(path, upscaler) for path in tracked]
    runtime.save_picture(sheet(rows), options.output, quality=QUALITY)
    commands.say(f"wrote {options.output}: {len(rows)} pictures")


if __name__ == "__main__":
    commands.run(main)
