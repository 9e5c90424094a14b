"""A progress bar on a terminal; a line in the log now and then where there is none."""

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 30.0


class Steps:
    """Shows how far a run is, what it loses, and how long it will still take."""

    def __init__(self, name: str, total: int, start: int) -> None:
        self._name, self._total, self._start = name, total, start
        self._began = self._logged = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(name, total=total, completed=start, losses="")

    def __enter__(self) -> Self:
        if self._bar.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, done: int, losses: Mapping[str, float]) -> None:
        """Show that ``done`` steps are done, with the latest losses."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
        self._bar.update(self._task, completed=done, losses=text)
        now = time.monotonic()
        if not self._bar.console.is_terminal and (now - self._logged > _SECONDS_BETWEEN_LINES or done == self._total):
            self._logged = now
            rate = (done - self._start) / (now - self._began)
            _log.info("%s: step %d of %d, %.1f steps/s, %s", self._name, done, self._total, rate, text)
