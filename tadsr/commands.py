"""What every ``python -m`` command of the project shares: a console, and user mistakes without a traceback."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from runtime.errors import TadsrError
from tadsr.packages import PACKAGES

_forwarded: ContextVar[str | None] = ContextVar("forwarded", default=None)
"""The command that `tadsr GROUP COMMAND` runs."""


def run(main: Callable[[], None], *, resumes: bool = False) -> None:
    """Run a command; a user's mistake ends in one line on stderr and exit code 2, Ctrl-C in 130.

    ``resumes`` says that the command, called again, goes on where Ctrl-C stopped it.
    """
    handler = logging.StreamHandler(sys.stderr)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=[handler])
    for package in PACKAGES:  # libraries below us stay quiet
        logging.getLogger(package).setLevel(logging.INFO)
    try:
        main()
    except (TadsrError, OSError) as error:
        sys.stderr.write(f"error: {explain(error)}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        goes_on = "; the same command goes on from what it saved last" if resumes else ""
        sys.stderr.write(f"stopped{goes_on}\n")
        sys.exit(130)


@contextmanager
def forwarding(module: str) -> Iterator[None]:
    """Inside the block ``tadsr`` runs this module of a command, so its usage line says ``tadsr train distill``."""
    token = _forwarded.set(module)
    try:
        yield
    finally:
        _forwarded.reset(token)


def prog(module: str) -> str:
    """How the user called this module of a command, for its usage line."""
    return f"tadsr {module.replace('.', ' ')}" if _forwarded.get() == module else f"python -m {module}"


def typed(module: str, argv: Sequence[str] | None = None) -> str:
    """The command line that runs this module of a command again, with these arguments (None: this process's)."""
    return shlex.join(["python", "-m", module, *(sys.argv[1:] if argv is None else argv)])


def explain(error: TadsrError | OSError) -> str:
    """One line for the user. An ``OSError`` that nobody foresaw is raised again unless it names its file."""
    if isinstance(error, TadsrError):
        return str(error)
    if error.filename is None:
        raise error
    return f"{error.filename}: {error.strerror or error}; check the path and its permissions"


def say(text: str) -> None:
    """One line of a command's result, on stdout."""
    sys.stdout.write(f"{text}\n")
