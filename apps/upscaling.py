"""Do the jobs one after the other, with bars on a terminal."""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from runtime import PictureWarning, SettingError, TadsrError, Upscaler, upscale_file

from .jobs import Job


def run_jobs(
    upscaler: Upscaler,
    jobs: Sequence[Job],
    *,
    tile: int | None,
    seam: str,
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

            def progress(finished: int, total: int, task: TaskID = current) -> None:
                bars.update(task, completed=finished, total=total)

            try:
                with _told(warned):
                    width, height = upscale_file(
                        upscaler,
                        job.source,
                        job.target,
                        strip_metadata=strip_metadata,
                        quality=quality,
                        progress=progress,
                        tile=tile,
                        seam=seam,
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
