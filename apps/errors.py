"""The error of a user of the command line."""

from runtime.errors import TadsrError


class CommandError(TadsrError):
    """A command cannot do what its options say: its inputs, its output, or a missing package."""
