"""Sessions that stand before a real one, to see what the runtime asks of it, or to fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import runtime
from runtime.backends import Session

Inspect = Callable[[np.ndarray], None]


class Watched:
    """Hands every batch to `inspect`, which may raise, then to the real session."""

    def __init__(self, session: Session, inspect: Inspect, max_batch: int | None = None) -> None:
        self._session, self._inspect = session, inspect
        self.max_batch = max_batch

    def run(self, batch: np.ndarray) -> np.ndarray:
        self._inspect(batch)
        return self._session.run(batch)


@contextmanager
def watched(upscaler: runtime.Upscaler, inspect: Inspect, max_batch: int | None = None) -> Iterator[None]:
    """All that `upscaler` runs inside the block goes past `inspect`."""
    real = upscaler.session
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upscaler, "session", lambda artifact: Watched(real(artifact), inspect, max_batch))
        yield
