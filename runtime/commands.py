"""What every ``python -m`` command of the project shares: a console, and user mistakes without a traceback."""

import logging
import sys
from collections.abc import Callable

from .errors import TadsrError

PACKAGES = ("train", "compress", "export", "runtime", "apps")


def run(main: Callable[[], None]) -> None:
    """Run a command; a mistake that the user can mend ends in one line on stderr and exit code 2, Ctrl-C in 130."""
    from rich.console import Console  # only commands need it; `import runtime` stays light
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(stderr=True), show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    for package in PACKAGES:  # libraries below us stay quiet
        logging.getLogger(package).setLevel(logging.INFO)
    try:
        main()
    except TadsrError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; a training goes on from its last checkpoint when the command is given again\n")
        sys.exit(130)


def say(text: str) -> None:
    """One line of a command's result, on stdout."""
    sys.stdout.write(f"{text}\n")
