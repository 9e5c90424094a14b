"""From a picture file to an enlarged picture file, with all that the file's format can keep."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from .decoding import Array, decode_file
from .frames import Timing, check_frames, read_frames, read_timing, save_frames
from .saving import check_output, check_quality, save_levels

Progress = Callable[[int, int], None]


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

    >>> with runtime.load() as upscaler:  # doctest: +SKIP
    ...     runtime.upscale_file(upscaler, "cat.gif", "cat_x4.webp")
    """
    source, target = Path(source), Path(target)
    check_output(target)
    check_quality(quality)
    if (timing := read_timing(source)) is not None:
        check_frames(timing, target)
        return _upscale_frames(upscaler, source, target, timing, strip_metadata, quality, progress, settings)
    levels, metadata = decode_file(source)
    result: Array = upscaler(levels, progress=progress, **settings)
    save_levels(result, metadata.stripped() if strip_metadata else metadata, target, quality=quality)
    return result.shape[1], result.shape[0]


def _upscale_frames(
    upscaler: Enlarger,
    source: Path,
    target: Path,
    timing: Timing,
    strip_metadata: bool,
    quality: int | None,
    progress: Progress | None,
    settings: dict[str, Any],
) -> tuple[int, int]:
    count = len(timing.durations)
    results: list[Image.Image] = []

    def overall(done: int, total: int) -> None:
        if progress is not None:
            progress(len(results) * total + done, count * total)

    for frame in read_frames(source):
        result = upscaler(frame, progress=overall, **settings)
        if strip_metadata:
            for name in ("exif", "xmp"):
                result.info.pop(name, None)
        results.append(result)
    save_frames(results, timing, target, quality=quality)
    return results[0].size
