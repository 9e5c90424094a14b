"""From a picture file to an enlarged picture file, with all that the file's format can keep.

A job is built once, from what was asked for and what the file is; all that can be refused before the work is refused
then. It is run in one of three ways: a picture as a whole, frames one after the other, or rows through strips.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from .enlarging import Enlarger
from .pictures.formats import Format
from .pictures.frames import Timing, check_frames, read_frames, read_timing, save_frames
from .pictures.picture import open_picture, picture_of_levels
from .pictures.picture_file import PictureFile
from .pictures.saving import check_output, check_quality, write_levels
from .settings import Settings
from .tiles.sinks import Sink, StreamSink


@dataclass(frozen=True)
class Output:
    """The file to write: its format was found by its name, and can be written here."""

    path: Path
    form: Format
    quality: int | None
    strip_metadata: bool

    @classmethod
    def of(cls, path: Path, quality: int | None, strip_metadata: bool) -> "Output":
        """Raises `PictureError` for a path that cannot be written, `SettingError` for a quality that there is not."""
        form = check_output(path)
        check_quality(quality)
        return cls(path, form, quality, strip_metadata)


@dataclass(frozen=True)
class Job:
    """A picture file, what becomes of it, and how."""

    source: PictureFile
    output: Output
    settings: Settings
    timing: Timing | None
    """Of several frames or pages; None for a single picture."""
    in_strips: bool
    """Because it does not fit into `max_memory` as a whole."""

    @classmethod
    def of(cls, source: PictureFile, output: Output, settings: Settings, enlarger: Enlarger) -> "Job":
        """Raises `PictureError` for what cannot be done."""
        if settings.limit is not None and not enlarger.fits(source.shape, settings):
            from .pictures import streaming

            streaming.refuse_unless_possible(source, output.form, output.path)
            return cls(source, output, settings, None, in_strips=True)
        if (timing := read_timing(source)) is not None:
            check_frames(timing, output.form, output.path)
        return cls(source, output, settings, timing, in_strips=False)


def run(source: Path, output: Output, settings: Settings, enlarger: Enlarger) -> tuple[int, int]:
    """Enlarge the picture file `source` into another; returns (width, height).

    The file appears complete or not at all; the source is only read. Raises a `TadsrError`.
    """
    with PictureFile(source) as file:
        job = Job.of(file, output, settings, enlarger)
        if job.in_strips:
            return _run_strips(job, enlarger)
        if job.timing is not None:
            return _run_frames(job, job.timing, enlarger)
        levels, metadata = file.decode()
    result = enlarger.in_memory(picture_of_levels(levels, levels.ndim, metadata), settings)
    kept = metadata.stripped() if output.strip_metadata else metadata
    write_levels(result, kept, output.form, output.path, output.quality)
    return result.shape[1], result.shape[0]


def _run_frames(job: Job, timing: Timing, enlarger: Enlarger) -> tuple[int, int]:
    results: list[Image.Image] = []
    count, progress = len(timing.durations), job.settings.progress

    def overall(done: int, total: int) -> None:
        if progress is not None:
            progress(len(results) * total + done, count * total)

    job.source.close()  # its pixels are those of the last frame
    settings = replace(job.settings, progress=overall)
    for frame in read_frames(job.source.path):
        picture = open_picture(frame)
        if job.output.strip_metadata:
            picture = replace(picture, metadata=picture.metadata.stripped())
        results.append(picture.as_image(enlarger.in_memory(picture, settings)))
    save_frames(results, timing, job.output.form, job.output.path, quality=job.output.quality)
    return results[0].size


def _run_strips(job: Job, enlarger: Enlarger) -> tuple[int, int]:
    from .pictures import streaming

    output = job.output
    metadata = job.source.metadata()
    if output.strip_metadata:
        metadata = metadata.stripped()
    job.source.close()  # its pixels, where they had to be read, would lie in memory beside the strips
    with streaming.scratch(output.path) as folder:
        rows = streaming.decode(job.source.path, folder / "source", output.form, output.path)

        @contextmanager
        def sink(size: tuple[int, int]) -> Iterator[Sink]:
            width, height = size
            shape = replace(rows.shape, width=width, height=height)
            with streaming.encoding(output.path, output.form, shape, metadata, output.quality) as stream:
                yield StreamSink(stream.write, (width, shape.channels), shape.dtype, rows.template().compose)

        return enlarger.in_strips(rows, rows.shape, job.settings, sink)
