"""`tadsr compare`: a page of one file with a slider between a bicubic enlargement and ours."""

import base64
import io
from html import escape
from pathlib import Path
from string import Template

from PIL import Image, ImageOps

from runtime import PictureError, Upscaler
from runtime.atomic import replacing

TEMPLATE = Path(__file__).with_name("compare.html")
QUALITY = 92
"""Of the two JPEG pictures in the page, where nothing is transparent."""
PAGE_SUFFIXES = (".html", ".htm")


def write_page(source: Path, target: Path, upscaler: Upscaler) -> None:
    """Enlarge `source` both ways and write the page; it appears complete or not at all. Raises a `TadsrError`."""
    if target.suffix.lower() not in PAGE_SUFFIXES:
        raise PictureError(f"{target}: a page is written; name it NAME.html")
    after = upscaler(source)
    with Image.open(source) as image:
        small = ImageOps.exif_transpose(image)
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
