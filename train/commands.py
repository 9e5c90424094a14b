"""What every ``python -m`` command of training shares: logs on the console, and user mistakes without a traceback."""

import logging
import sys
from collections.abc import Callable

from rich.logging import RichHandler

from runtime.errors import TadsrError


def run(main: Callable[[], None]) -> None:
    """Run a command; a mistake that the user can mend ends in one line on stderr and exit code 2, Ctrl-C in 130."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)])
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        main()
    except TadsrError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on from the last checkpoint\n")
        sys.exit(130)
