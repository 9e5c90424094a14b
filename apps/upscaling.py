"""Do the jobs one after the other, with bars on a terminal."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from runtime import Options, PictureWarning, SettingError, TadsrError, Upscaler

from .jobs import Job


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of a text such as "1920x1080". Raises `SettingError`.

    >>> parse_size("1920x1080")
    (1920, 1080)
    """
    found = re.fullmatch(r"(\d+)[x×](\d+)", text.strip(), re.IGNORECASE)
    if found is None:
        raise SettingError(f"size={text}: is no size; write it as 1920x1080")
    return int(found[1]), int(found[2])


def run_jobs(
    upscaler: Upscaler,
    jobs: Sequence[Job],
    options: Options,
    *,
    strip_metadata: bool,
    quality: int | None,
    done: Callable[[str], None],
    warned: Callable[[str], None],
) -> list[str]:
    """Upscale and save every picture; one that fails does not stop the others. Returns what went wrong, one line each.

    `done` is given a line for each saved picture, `warned` one for each thing that could not be kept. Raises
    `SettingError` for an option that suits no picture.
    """
    failures = []
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(max_width=40, no_wrap=True)),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    # Lines for a pipe must go to the pipe; lines for the terminal must go above the bars.
    bars = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bars:
        whole = bars.add_task("all pictures", total=len(jobs), unit="pictures", visible=len(jobs) > 1)
        for job in jobs:
            current = bars.add_task(job.source.name, total=None, unit="tiles")

            def progress(finished: int, total: int, task: TaskID = current, name: str = job.source.name) -> None:
                bars.update(task, completed=finished, total=total)
                if finished == total:
                    bars.update(task, description=f"saving {name}")

            watched: Options = {**options, "progress": progress}
            try:
                with _told(warned):
                    width, height = upscaler.to_file(
                        job.source, job.target, strip_metadata=strip_metadata, quality=quality, **watched
                    )
                done(f"{job.target} ({width}x{height})")
            except SettingError:
                raise
            except TadsrError as error:
                failures.append(_about(job, str(error)))
            bars.remove_task(current)
            bars.advance(whole)
    return failures


@contextmanager
def _told(warned: Callable[[str], None]) -> Iterator[None]:
    """Hand each `PictureWarning` of the block to `warned`, once; other warnings concern no user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PictureWarning)
        yield
    for message in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, PictureWarning)):
        warned(message)


def _about(job: Job, message: str) -> str:
    named = str(job.source) in message or str(job.target) in message
    return message if named else f"{job.source}: {message}"
