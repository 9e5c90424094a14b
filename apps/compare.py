"""`tadsr compare`: a page of one file with a slider between a bicubic enlargement and ours."""

import base64
import io
import tempfile
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image, ImageOps

from runtime import PictureError, Upscaler, save_picture
from runtime.atomic import replacing
from runtime.pictures.formats import open_image

TEMPLATE = Path(__file__).with_name("compare.html")
QUALITY = 92
"""Of the two JPEG pictures in the page, where nothing is transparent."""
DEEP = {"I": np.uint16, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16, "F": np.float32}
"""Pillow's modes of more than 8 bits, and what their values are."""
PAGE_SUFFIXES = (".html", ".htm")


def write_page(source: Path, target: Path, upscaler: Upscaler) -> None:
    """Enlarge `source` both ways and write the page; it appears complete or not at all. Raises a `TadsrError`."""
    if target.suffix.lower() not in PAGE_SUFFIXES:
        raise PictureError(f"{target}: a page is written; name it NAME.html")
    after = _in_8_bits(upscaler(source))
    with open_image(source) as image:
        small = _in_8_bits(ImageOps.exif_transpose(image))
        before = small.convert(after.mode).resize(after.size, Image.Resampling.BICUBIC)
    for picture in (before, after):  # one profile for both, so that a browser shows them alike
        picture.info["icc_profile"] = after.info.get("icc_profile")
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(source.name),
        before=_data(before),
        after=_data(after),
        width=after.width,
        height=after.height,
        from_size=f"{small.width}×{small.height}",
        to_size=f"{after.width}×{after.height}",
        model=escape(f"{upscaler.manifest.name}, {upscaler.artifact.file}"),
    )
    try:
        with replacing(target) as draft:
            draft.write_text(page, encoding="utf-8")
    except OSError as error:
        raise PictureError(f"{target}: cannot be written ({error.strerror}); choose another -o") from error


def _in_8_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey and floats as they would be saved in a format of 8 bits: Pillow's own conversion clips them white."""
    if picture.mode not in DEEP:
        return picture
    picture = Image.fromarray(np.asarray(picture).astype(DEEP[picture.mode]))  # a copy, without a profile
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.bmp"
        save_picture(picture, path)
        with open_image(path) as saved:
            return saved.convert("L")


def _data(picture: Image.Image) -> str:
    """The picture as a data URI: JPEG, or PNG where it may be transparent."""
    file = io.BytesIO()
    profile = picture.info.get("icc_profile")
    if "A" in picture.getbands():
        kind = "png"
        picture.save(file, kind, icc_profile=profile)
    else:
        kind = "jpeg"
        colours = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
        colours.save(file, kind, quality=QUALITY, subsampling=0, icc_profile=profile)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
