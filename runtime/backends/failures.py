"""What an engine's exception means, in one line."""

from ..errors import BackendError, OutOfMemoryError

LONGEST = 300

SIGNS_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "bad_alloc",
    "bad allocation",
    "allocate memory",
    "memory allocation",
    "alloc_failed",
    "not enough memory",
    "error 0x21",
    "error 0x31",
)
"""How engines say that they lack memory, for which they raise what they raise for everything else.

The last two are ExecuTorch's `MemoryAllocationFailed` and `DelegateMemoryAllocationFailed`.
"""


def failure(what: str, error: Exception, remedy: str) -> BackendError:
    """The error to raise in place of an engine's own; `what` says which engine failed at what.

    >>> failure("onnxruntime failed", RuntimeError("bad input"), "try another backend")
    BackendError('onnxruntime failed: bad input; try another backend')
    """
    line = one_line(error)
    if isinstance(error, MemoryError) or any(sign in line.lower() for sign in SIGNS_OF_MEMORY):
        return OutOfMemoryError(f"{what}: {line}; try a smaller tile")
    return BackendError(f"{what}: {line}; {remedy}")


def one_line(error: Exception) -> str:
    """The message on one line, without where in an engine's sources it was raised."""
    lines = [line for line in str(error).splitlines() if not line.startswith("Exception from ")]
    return " ".join(" ".join(lines).split())[:LONGEST] or type(error).__name__
