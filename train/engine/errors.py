"""What training raises for mistakes its user can correct: one line each, with the next step."""

from runtime.errors import TadsrError


class TrainError(TadsrError):
    """A training command cannot go on."""


class PhotoError(TrainError):
    """Photos are missing, unreadable or without a stated licence."""
