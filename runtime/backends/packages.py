"""The packages that engines come in: whether they are there, and how they are imported."""

import contextlib
import importlib.metadata
import importlib.util
import logging
import warnings
from collections.abc import Iterator

from ..errors import BackendError
from .base import Available, Unavailable
from .failures import one_line


def probe_packages(install: str, *packages: str) -> Available | Unavailable:
    """Whether all are installed, found out without importing them; the version is that of the first."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        return Unavailable(f"{', '.join(missing)} is not installed", install)
    return Available(version_of(packages[0]))


def version_of(*distributions: str) -> str:
    """The version of the first distribution that is installed.

    >>> version_of("no-such-distribution")
    'unknown'
    """
    for distribution in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(distribution)
    return "unknown"


@contextlib.contextmanager
def importing(backend: str, install: str) -> Iterator[None]:
    """For importing an engine: what it remarks on other packages is nothing that a user could mend.

    Raises `BackendError` where it cannot be imported.
    """
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ImportError, OSError) as error:
        raise BackendError(f"{backend} cannot be imported ({one_line(error)}); install it with: {install}") from error
    finally:
        logging.disable(before)
