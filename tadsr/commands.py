"""What every ``python -m`` command of the project shares: a console, and user mistakes without a traceback."""

import logging
import shlex
import sys
from collections.abc import Callable, Sequence

from runtime.errors import TadsrError
from tadsr.packages import PACKAGES


def run(main: Callable[[], None], *, resumes: bool = False) -> None:
    """Run a command; a mistake that the user can mend ends in one line on stderr and exit code 2, Ctrl-C in 130.

    ``resumes`` says that the command, given again, goes on where Ctrl-C stopped it.
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
        sys.stderr.write(
            "stopped; given again, the command goes on from its last checkpoint\n" if resumes else "stopped\n"
        )
        sys.exit(130)


def typed(module: str, argv: Sequence[str] | None = None) -> str:
    """The command line of a ``python -m`` command with these arguments (None: this process's), to be typed again."""
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
