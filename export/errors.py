"""What exporting raises for mistakes its user can mend: one line each, with the next step."""

from runtime.errors import TadsrError


class ExportError(TadsrError):
    """A program cannot be exported as asked, or what was written does not compute what the program computes."""
