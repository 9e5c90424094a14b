"""How many threads are in an engine at once."""

import threading
import time
from typing import TypeVar

Answer = TypeVar("Answer")
LONG = 0.005
"""Seconds that a call stays, so that others would come while it does."""


class Concurrency:
    """Counts calls that are under way at the same moment."""

    def __init__(self) -> None:
        self.largest = 0
        self._now = 0
        self._lock = threading.Lock()

    def during(self, answer: Answer) -> Answer:
        """`answer`, after a while in which other threads could call."""
        with self._lock:
            self._now += 1
            self.largest = max(self.largest, self._now)
        time.sleep(LONG)
        with self._lock:
            self._now -= 1
        return answer
