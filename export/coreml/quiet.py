"""Keeping coremltools from talking over us."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[None]:
    """For importing and using it: its remarks on versions are nothing a user could mend, and its progress bars have no
    switch."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
