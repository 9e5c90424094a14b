"""Upscale pictures one after the other, with bars on a terminal."""

import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from apps.upscale.jobs import Job
from apps.upscale.outcomes import Outcome, Status
from runtime import Options, PictureWarning, SettingError, TadsrError, Upscaler


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of a text such as "1920x1080". Raises `SettingError`.

    >>> parse_size("1920x1080")
    (1920, 1080)
    """
    match = re.fullmatch(r"(\d+)[x×](\d+)", text.strip(), re.IGNORECASE)
    if match is None:
        raise SettingError(f"size={text}: is no size; write it as 1920x1080")
    return int(match[1]), int(match[2])


def run_jobs(
    upscaler: Upscaler,
    jobs: Sequence[Job],
    options: Options,
    *,
    strip_metadata: bool,
    quality: int | None,
    on_saved: Callable[[str], None],
    on_warning: Callable[[str], None],
) -> list[Outcome]:
    """Upscale and save every picture; one that fails does not stop the others. Returns an outcome for each job.

    `on_saved` is called with a line for each saved picture, `on_warning` with one for each thing that could not be
    kept. Raises `SettingError` for an option that suits no picture.
    """
    outcomes = []
    with _bars() as bars:
        whole = bars.add_task("all pictures", total=len(jobs), unit="pictures", visible=len(jobs) > 1)
        for number, job in enumerate(jobs):
            start = time.perf_counter()
            try:
                with _picture_warnings(on_warning), _tile_bar(bars, job.source.name, whole, number) as progress:
                    with_progress: Options = {**options, "progress": progress}
                    size = upscaler.to_file(
                        job.source, job.target, strip_metadata=strip_metadata, quality=quality, **with_progress
                    )
                on_saved(f"{job.target} ({size[0]}x{size[1]})")
                outcomes.append(Outcome(job, Status.DONE, size, time.perf_counter() - start))
            except SettingError:
                raise
            except TadsrError as error:
                seconds = time.perf_counter() - start
                outcomes.append(Outcome(job, Status.FAILED, seconds=seconds, error=_about(job, str(error))))
            bars.update(whole, completed=number + 1)
    return outcomes


def _bars() -> Progress:
    console = Console(stderr=True)
    # Lines for a pipe must go to the pipe; lines for the terminal must go above the bars.
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(max_width=40, no_wrap=True)),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )


@contextmanager
def _tile_bar(bars: Progress, name: str, whole: TaskID, number: int) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of one picture's tiles, which also moves that of all pictures by the fraction that is done."""
    current = bars.add_task(name, total=None, unit="tiles")

    def progress(finished: int, total: int) -> None:
        bars.update(current, completed=finished, total=total)
        bars.update(whole, completed=number + finished / total)
        if finished == total:
            bars.update(current, description=f"saving {name}")

    try:
        yield progress
    finally:
        bars.remove_task(current)


@contextmanager
def _picture_warnings(on_warning: Callable[[str], None]) -> Iterator[None]:
    """Call `on_warning` with each `PictureWarning` of the block, once; other warnings concern no user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PictureWarning)
        yield
    for message in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, PictureWarning)):
        on_warning(message)


def _about(job: Job, message: str) -> str:
    named = str(job.source) in message or str(job.target) in message
    return message if named else f"{job.source}: {message}"
