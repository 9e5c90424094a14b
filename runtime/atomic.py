"""Files, and folders of files, that appear complete or not at all: written beside their place, then renamed into it."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UMASK = os.umask(0o077)
os.umask(_UMASK)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder; it takes the place of ``path`` if the block ends well, else it goes away.

    The block may make a file or a folder of it. What stood at ``path`` survives any failure. ``OSError`` of writing or
    renaming passes through.

    >>> with replacing(Path("report.json")) as draft:  # doctest: +SKIP
    ...     draft.write_text("{}")
    """
    draft = draft_path(path)
    try:
        yield draft
        for part in (draft, *draft.rglob("*")):
            part.chmod((0o777 if part.is_dir() else 0o666) & ~_UMASK)  # some libraries let only their owner read
            if part.is_file():
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
        take_place(draft, path)
    finally:
        _remove(draft)


def draft_path(path: Path) -> Path:
    """A name that nobody else has, hidden in the same folder and with the same suffix."""
    return path.with_name(f".{uuid.uuid4().hex[:12]}{path.suffix}")


def take_place(new: Path, path: Path) -> None:
    """Rename ``new`` to ``path``, in whose folder it lies, and remove what stood there.

    A file never takes the place of a folder. A folder cannot replace what is there in one step, so that is kept aside,
    and comes back if the renaming fails.
    """
    if not (new.is_dir() and path.exists()):
        new.replace(path)
        return
    old = new.with_name(f"{new.name}.old")
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
