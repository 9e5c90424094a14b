"""What compressing raises for mistakes its user can mend: one line each, with the next step."""

from runtime.errors import TadsrError


class CompressError(TadsrError):
    """A compression command cannot go on as asked."""
