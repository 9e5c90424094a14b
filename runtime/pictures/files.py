"""From a picture file to an enlarged picture file, with all that the file's format can keep."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from ..settings import Progress
from .decoding import Array, decode_file
from .frames import check_frames, read_frames, read_timing, save_frames
from .saving import check_output, check_quality, save_levels

Enlarger = Callable[..., Any]
"""An `Upscaler`, or what is called like one: an array gives an array, an image an image."""


def upscale_file(
    upscaler: Enlarger,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    strip_metadata: bool = False,
    quality: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> tuple[int, int]:
    """Enlarge the picture file `source` to the file `target`, whose suffix names its format; returns width and height.

    Keeps more than a `PIL.Image` can: 16-bit colour (with the extra `imaging`), and every frame of an animation with
    its timing, or every page. `strip_metadata` leaves out EXIF and XMP; the ICC profile stays, it is part of the
    colours. `quality` is as in `save_picture`, `settings` are those of `upscaler`. What cannot be kept is said by a
    `PictureWarning`. The target appears complete or not at all; the source is only read. Raises a `TadsrError`.
    """
    source, target = Path(source), Path(target)
    check_output(target)
    check_quality(quality)
    enlarge = partial(upscaler, **settings)
    if (timing := read_timing(source)) is not None:
        check_frames(timing, target)
        frames = _enlarge_frames(enlarge, source, len(timing.durations), progress)
        if strip_metadata:
            _strip(frames)
        save_frames(frames, timing, target, quality=quality)
        return frames[0].size
    levels, metadata = decode_file(source)
    result: Array = enlarge(levels, progress=progress)
    save_levels(result, metadata.stripped() if strip_metadata else metadata, target, quality=quality)
    return result.shape[1], result.shape[0]


def _enlarge_frames(enlarge: Enlarger, source: Path, count: int, progress: Progress | None) -> list[Image.Image]:
    results: list[Image.Image] = []

    def overall(done: int, total: int) -> None:
        if progress is not None:
            progress(len(results) * total + done, count * total)

    for frame in read_frames(source):
        results.append(enlarge(frame, progress=overall))
    return results


def _strip(frames: list[Image.Image]) -> None:
    for frame in frames:
        for name in ("exif", "xmp"):
            frame.info.pop(name, None)
