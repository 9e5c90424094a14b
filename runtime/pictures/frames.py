"""Files of several pictures: animations with their timing, and the pages of a TIFF."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import PictureError, PictureWarning
from .depth import has_deep_colour
from .embedding import mark_webp_alpha
from .formats import Format, sequence_of
from .metadata import metadata_of_result
from .picture_file import PictureFile, faults_of, frame_count, warn_of_lost_depth
from .saving import check_size, fit, save_options, written

FOREVER = 0


@dataclass(frozen=True)
class Timing:
    """How frames are shown: each for how many milliseconds, and all of them how often, where 0 is forever."""

    durations: tuple[float, ...]
    plays: int = FOREVER
    paged: bool = False
    """Whether these are pages, which are turned and not shown one after the other."""


def read_timing(file: PictureFile) -> Timing | None:
    """The timing of a file of several frames or pages, else None.

    Raises `PictureError`, also for frames of more megapixels together than one picture may have.
    """
    if file.frames == 1:
        return None
    with faults_of(file.path):
        image, count = file.image, file.frames
        megapixels, limit = count * image.width * image.height / 10**6, 2 * (Image.MAX_IMAGE_PIXELS or 0) / 10**6
        if limit and megapixels > limit:
            message = f"{count} frames have more than {limit:g} megapixels; cut it into parts first"
            raise PictureError(f"{file.path}: {message}")
        plays = _plays(image)
        durations = []
        for index in _frame_indices(image):
            image.seek(index)
            image.load()  # some formats tell a duration only then
            durations.append(image.info.get("duration") or 0)
        return Timing(tuple(durations), plays, paged=sequence_of(file.form) == "pages")


def read_frames(path: Path) -> Iterator[Image.Image]:
    """Each frame or page as it is seen, not only what changes. Raises `PictureError`.

    The file is opened anew: what Pillow has read of one frame stays in its `info` when it goes back to another.
    """
    with PictureFile(path) as file:
        image, size, paged = file.image, file.image.size, sequence_of(file.form) == "pages"
        for index in _frame_indices(image):
            with faults_of(path):
                image.seek(index)
                if has_deep_colour(image):
                    warn_of_lost_depth(path)
                image.load()
                # A damaged GIF may reach beyond its screen, which nobody shows, but Pillow makes room for.
                frame = image.copy() if image.size == size or paged else image.crop((0, 0, *size))
            yield frame


def check_frames(timing: Timing, form: Format, path: Path) -> None:
    """Raise `PictureError` where frames cannot be saved in the format. Best asked early."""
    if form.sequence is None or (timing.paged and form.sequence != "pages"):
        number = f"{len(timing.durations)} {'pages' if timing.paged else 'frames'}"
        remedy = ".tif" if timing.paged else ".png, .webp or .gif"
        raise PictureError(f"{path}: {form.name} cannot hold the {number} of this picture; save as {remedy}")


def save_frames(
    frames: Sequence[Image.Image], timing: Timing, form: Format, path: Path, *, quality: int | None = None
) -> None:
    """Save ``frames`` with their ``timing``, as `save_picture` does one, in a format that passes `check_frames`.

    Consecutive frames that do not differ become one, of both durations. Raises `PictureError`.

    >>> save_frames([red, green], Timing((500, 500), FOREVER), FORMATS[".gif"], Path("lights.gif"))  # doctest: +SKIP
    """
    fitted = []
    for frame in frames:
        check_size(frame.size, form, path)
        fitted.append(fit(frame, form, path))
    if form.sequence == "pages" and not timing.paged:
        message = f"{path}: {form.name} holds no timing, so it was left out; save as .png, .webp or .gif"
        warnings.warn(message, PictureWarning, stacklevel=3)
    if form.sequence == "frames":
        mode = max((frame.mode for frame in fitted), key=_MODES.index)
        fitted = [frame if frame.mode == mode else frame.convert(mode) for frame in fitted]
    kind = form.name, fitted[0].mode
    with written(path) as draft:
        options = save_options(form, fitted[0], metadata_of_result(frames[0]), quality, path)
        options |= {"save_all": True, "append_images": fitted[1:]}
        options |= _TIMING_OPTIONS.get(form.name, _no_timing)(timing) | _KIND_OPTIONS.get(kind, {})
        fitted[0].save(draft, form.name, **options)
        if kind in _FINISHING:
            _FINISHING[kind](draft)


_MODES = ("L", "LA", "I;16", "RGB", "RGBA")
_KIND_OPTIONS: Mapping[tuple[str, str], dict[str, Any]] = {("GIF", "RGBA"): {"disposal": 2}}
"""What else Pillow is to do for a format and mode: here to clear a frame before the next."""
_FINISHING: Mapping[tuple[str, str], Callable[[Path], None]] = {("WEBP", "RGBA"): mark_webp_alpha}
"""What is done to the file afterwards."""


def _frame_indices(image: Image.Image) -> range:
    """The frames that are shown: all but the picture that an APNG may have for programs that do not know animations."""
    return range(1 if image.info.get("default_image") else 0, frame_count(image))


def _plays(image: Image.Image) -> int:
    loop = image.info.get("loop")
    if image.format != "GIF" or loop == FOREVER:
        return loop or FOREVER
    return 1 if loop is None else loop + 1  # a GIF says how often it is repeated


def _gif_timing(timing: Timing) -> dict[str, Any]:
    loop = {} if timing.plays == 1 else {"loop": max(timing.plays - 1, 0)}
    return {"duration": [*timing.durations]} | loop


def _timing(timing: Timing) -> dict[str, Any]:
    return {"duration": [round(duration) for duration in timing.durations], "loop": timing.plays}


def _no_timing(timing: Timing) -> dict[str, Any]:
    return {}


_TIMING_OPTIONS = {"GIF": _gif_timing, "PNG": _timing, "WEBP": _timing, "AVIF": _timing}
"""Pillow's options for a timing."""
