"""What a user of the command line can put right."""

from runtime.errors import TadsrError


class CommandError(TadsrError):
    """A command was asked for something that cannot be done: its inputs, its output, or a missing package."""
