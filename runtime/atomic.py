"""Files that appear complete or not at all: written beside their place, then renamed into it."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UMASK = os.umask(0o077)
os.umask(_UMASK)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; it takes the place of ``path`` if the block ends well, else it goes away.

    What stood at ``path`` survives any failure. ``OSError`` of writing or renaming passes through.

    >>> with replacing(Path("report.json")) as draft:  # doctest: +SKIP
    ...     draft.write_text("{}")
    """
    draft = path.with_name(f".{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield draft
        draft.chmod(0o666 & ~_UMASK)  # some libraries write files that only their owner may read
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
