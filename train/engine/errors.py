"""What training raises for mistakes its user can mend: one line each, with the next step."""

from runtime.errors import TadsrError


class TrainError(TadsrError):
    """A training command cannot go on as asked."""


class PhotoError(TrainError):
    """The photos asked for are missing, unreadable or without a stated licence."""
