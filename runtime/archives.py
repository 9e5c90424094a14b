"""Zip archives that others made: read or unpacked only where no entry can do harm."""

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from .atomic import replacing
from .errors import BundleError

MAX_ENTRIES = 2000
MAX_UNPACKED_BYTES = 2**30

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, ValueError, OverflowError)
"""What `zipfile` raises for archives that are damaged, encrypted, or packed in ways that it does not know; beside its
own, what it does not catch of decoding names and numbers."""


def safe_entries(archive: zipfile.ZipFile, source: str) -> dict[str, zipfile.ZipInfo]:
    """The entries by name. Raises `BundleError`, naming `source`, where one tries to leave the archive's folder."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise BundleError(f"{source}: a zip of {len(entries)} entries is not a bundle")
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        parts = entry.filename.removesuffix("/").split("/")
        unsafe = "" in parts or ".." in parts or "\\" in entry.filename or ":" in entry.filename
        if unsafe or stat.S_ISLNK(entry.external_attr >> 16) or entry.filename in by_name:
            raise BundleError(f"{source}: unsafe entry {entry.filename[:60]!r} in the zip; do not use this bundle")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{source}: packed in a way that not every Python can read; zip it with deflate")
        by_name[entry.filename] = entry
    return by_name


def unpack(data: bytes, target: Path, source: str) -> None:
    """Unpack the one folder that a zip holds to `target`, which appears complete or not at all.

    Raises `BundleError`, naming `source`, where the archive is damaged, unsafe, too large, or not one folder; `OSError`
    of writing passes through.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, replacing(target) as draft:
            entries = safe_entries(archive, source)
            size = sum(entry.file_size for entry in entries.values())
            if size > MAX_UNPACKED_BYTES:
                raise BundleError(f"{source}: unpacks to {size} bytes, more than {MAX_UNPACKED_BYTES}; do not use it")
            if len({name.partition("/")[0] for name in entries}) != 1 or not all("/" in name for name in entries):
                raise BundleError(f"{source}: is not one zipped folder; get the bundle again")
            draft.mkdir()
            for name, entry in entries.items():
                path = draft / name.partition("/")[2]
                if not entry.is_dir():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(entry))
    except BROKEN as error:
        raise BundleError(f"{source}: not an intact zip; get the bundle again") from error
