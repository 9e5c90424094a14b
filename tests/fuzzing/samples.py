"""Small whole files of every format that is read, in the variety that decoders have code for."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from runtime.pictures.metadata import Metadata
from runtime.pictures.optional import teach_heic
from tests.conftest import write_toy_bundle
from tests.runtime.pictures.levels import save_levels
from tests.runtime.pictures.profiles import rgb_profile

SIZE = (22, 14)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'
TARGETS = (".png", ".jpg", ".webp", ".tif", ".gif", ".bmp", ".avif")


def write_samples(folder: Path) -> None:
    """Write each sample as FORMAT-NAME.SUFFIX, and the bundles as bundle-folder.tadsr and bundle-zip.tadsr."""
    folder.mkdir(parents=True)
    for form, name, suffix, frames, options in _pictures():
        more = {"save_all": True, "append_images": [frame.copy() for frame in frames[1:]]} if len(frames) > 1 else {}
        frames[0].copy().save(folder / f"{form.lower()}-{name}{suffix}", form, **more, **options)
    for form, suffix in (("png", ".png"), ("tiff", ".tif")):
        for channels in (2, 3, 4):
            levels = np.random.default_rng(1).integers(0, 65536, (SIZE[1], SIZE[0], channels), np.uint16)
            save_levels(levels, Metadata(exif=_exif(), xmp=XMP), folder / f"{form}-deep{channels}{suffix}")
    bundle = write_toy_bundle(folder / "bundle-folder.tadsr")
    (folder / "bundle-folder.onnx").unlink()
    with zipfile.ZipFile(folder / "bundle-zip.tadsr", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(bundle.iterdir()):
            archive.write(file, file.name)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: 0.01}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (1.0, 2.0, 3.0)}
    return exif.tobytes()


def _pictures() -> Iterator[tuple[str, str, str, list[Image.Image], dict[str, Any]]]:
    """Format, name, suffix, frames and options of Pillow's `save`."""
    teach_heic()
    random = np.random.default_rng(0)
    rgb = [Image.fromarray(random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)) for _ in range(3)]
    rgba = [frame.copy() for frame in rgb]
    for frame in rgba:
        frame.putalpha(Image.linear_gradient("L").resize(SIZE))
    grey, deep = rgb[0].convert("L"), Image.fromarray(random.integers(0, 65536, SIZE[::-1], np.uint16))
    tagged = {"exif": _exif(), "icc_profile": rgb_profile("Display P3")}
    timed = {"duration": [100, 200, 300], "loop": 2}

    yield "PNG", "rgb", ".png", rgb[:1], tagged
    yield "PNG", "rgba", ".png", rgba[:1], {}
    yield "PNG", "palette", ".png", [rgb[0].quantize(16)], {"transparency": 3}
    yield "PNG", "bits", ".png", [rgb[0].convert("1")], {}
    yield "PNG", "deep1", ".png", [deep], {"transparency": 9}
    yield "PNG", "animated", ".png", rgba, timed
    yield "JPEG", "rgb", ".jpg", rgb[:1], tagged | {"xmp": XMP}
    yield "JPEG", "progressive", ".jpg", rgb[:1], {"progressive": True, "quality": 40}
    yield "JPEG", "grey", ".jpg", [grey], {}
    yield "JPEG", "cmyk", ".jpg", [rgb[0].convert("CMYK")], tagged
    yield "MPO", "two", ".jpg", rgb[:2], tagged
    yield "WEBP", "lossy", ".webp", rgb[:1], tagged | {"xmp": XMP}
    yield "WEBP", "lossless", ".webp", rgba[:1], {"lossless": True}
    yield "WEBP", "animated", ".webp", rgba, timed
    yield "GIF", "still", ".gif", rgb[:1], {}
    yield "GIF", "animated", ".gif", [frame.quantize(8) for frame in rgb], timed | {"disposal": 2, "transparency": 0}
    yield "TIFF", "plain", ".tif", rgb[:1], tagged
    yield "TIFF", "deflate", ".tif", rgba[:1], {"compression": "tiff_deflate"}
    yield "TIFF", "lzw", ".tif", rgb[:1], {"compression": "tiff_lzw"}
    yield "TIFF", "jpeg", ".tif", rgb[:1], {"compression": "jpeg"}
    yield "TIFF", "fax", ".tif", [rgb[0].convert("1")], {"compression": "group4"}
    yield "TIFF", "float", ".tif", [grey.convert("F").point(lambda level: level / 255)], {}
    yield "TIFF", "lab", ".tif", [Image.new("LAB", SIZE, (99, 120, 140))], {}
    yield "TIFF", "pages", ".tif", [rgb[0], grey, rgba[0]], {}
    yield "BMP", "rgb", ".bmp", rgb[:1], {}
    yield "BMP", "palette", ".bmp", [rgb[0].quantize(16)], {}
    yield "AVIF", "rgb", ".avif", rgb[:1], tagged
    yield "AVIF", "animated", ".avif", rgba, {"duration": 100}
    yield "HEIF", "rgb", ".heic", rgb[:1], tagged
    yield "HEIF", "rgba", ".heic", rgba[:1], {}
    yield "JPEG2000", "rgb", ".jp2", rgb[:1], {}
    yield "TGA", "rgba", ".tga", rgba[:1], {"compression": "tga_rle"}
    yield "PPM", "rgb", ".ppm", rgb[:1], {}


def copy_bundle(source: Path, target: Path) -> dict[str, bytes]:
    """Copy a bundle folder and return its files."""
    shutil.copytree(source, target)
    return {file.name: file.read_bytes() for file in sorted(target.iterdir())}


def manifest_of(files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest among a bundle's files."""
    manifest: dict[str, Any] = json.loads(files["manifest.json"])
    return manifest
