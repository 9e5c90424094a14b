"""Photos in tar shards, as WebDataset writes them: ImageNet in a thousand files, not in a million.

The shards are indexed once, at the start, and then read at random places, so that training still is a pure function of
the seed and resumes exactly; a stream with a shuffle buffer, which is how the webdataset library reads them, is not.
"""

import io
import logging
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from runtime.errors import PictureError
from runtime.pictures.formats import open_image
from runtime.pictures.picture import open_picture, quantise
from train.data.photos import SUFFIXES
from train.engine.errors import PhotoError

_log = logging.getLogger(__name__)

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_READERS = 16
"""Threads that index shards: most of the time goes into waiting for the disk."""
_UNREADABLE = (PictureError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)


class Member(NamedTuple):
    """A photo's place in its shard, in bytes."""

    name: str
    offset: int
    size: int


def find_shards(source: Path) -> list[Path]:
    """The shards meant by a folder with .tar files in it or by a pattern "train-{0000..0146}.tar", in order of name.

    Empty where ``source`` is something else, photos say. Raises ``PhotoError`` where shards of the pattern are missing.
    """
    if source.suffix == ".tar":
        shards = [Path(name) for name in _expand(str(source))]
        missing = [shard for shard in shards if not shard.is_file()]
        if missing or not shards:
            raise PhotoError(
                f"{source}: {len(missing)} of {len(shards)} shards do not exist{_first(missing)}; correct the pattern"
            )
        return shards
    return sorted(path for path in source.glob("*.tar") if path.is_file()) if source.is_dir() else []


class ShardPool:
    """Photos of tar shards, all drawn equally often (their sizes are not known without reading them), decoded at every
    draw. The index takes 16 bytes a photo.

    Shards and photos that cannot be read are logged and skipped. Raises ``PhotoError`` where none is left.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self._shards = list(shards)
        with ThreadPoolExecutor(_READERS) as threads:
            indexed = list(threads.map(_index, self._shards))
        broken = [reason for _, reason in indexed if reason]
        if broken:
            _log.warning(
                "skipped %d of %d shards, or the rest of them: %s", len(broken), len(indexed), "; ".join(broken)
            )
        self._ends = np.cumsum([len(places) for places, _ in indexed])
        self._places = np.concatenate([places for places, _ in indexed])
        self._broken: set[int] = set()
        self._raise_if_none_left()

    def __len__(self) -> int:
        return len(self._places)

    def draw(self, rng: Generator) -> NDArray[np.uint8]:
        """A random photo [H, W, 3] that can be read."""
        while True:
            index = int(rng.integers(len(self)))
            if index not in self._broken:
                try:
                    return self.load(index)
                except PhotoError as error:
                    self._broken.add(index)
                    _log.warning("skipped photo %d of %d: %s", len(self._broken), len(self), error)
                    self._raise_if_none_left()

    def load(self, index: int) -> NDArray[np.uint8]:
        """Photo ``index`` as RGB [H, W, 3]. Raises ``PhotoError`` where it cannot be read."""
        shard = self._shards[int(np.searchsorted(self._ends, index, side="right"))]
        offset, size = (int(value) for value in self._places[index])
        try:
            with shard.open("rb") as file:
                file.seek(offset)
                data = file.read(size)
            with open_image(io.BytesIO(data)) as image:
                return quantise(open_picture(image).pixels, np.dtype(np.uint8))
        except _UNREADABLE as error:
            raise PhotoError(f"{shard}: {_name(shard, offset)} is not a readable photo ({error})") from error

    def _raise_if_none_left(self) -> None:
        if len(self._broken) == len(self):
            raise PhotoError(f"none of {len(self)} photos in {len(self._shards)} shards can be read; give others")


def _members(shard: Path) -> Iterator[Member]:
    """The photos of a shard in order; ends in ``TarError`` or ``OSError`` where it is damaged."""
    with tarfile.open(shard, "r:") as tar:
        while (member := tar.next()) is not None:
            if member.isfile() and os.path.splitext(member.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - a million
                yield Member(member.name, member.offset_data, member.size)
            tar.members.clear()  # type: ignore[attr-defined] # it would keep them all


def _index(shard: Path) -> tuple[NDArray[np.int64], str]:
    """Offset and size [n, 2] of the photos of a shard, as far as it can be read, and what is wrong ("": nothing)."""
    places: list[tuple[int, int]] = []
    wrong = ""
    try:
        for member in _members(shard):
            places.append((member.offset, member.size))
    except (tarfile.TarError, OSError) as error:
        wrong = f"{shard} ({error})"
    return np.array(places, np.int64).reshape(-1, 2), wrong


def _name(shard: Path, offset: int) -> str:
    """What the photo at an offset is called; to say it costs reading through the shard, so names are not kept."""
    try:
        return next(member.name for member in _members(shard) if member.offset == offset)
    except (tarfile.TarError, OSError, StopIteration):
        return f"the photo at {offset}"


def _first(missing: list[Path]) -> str:
    return f", the first is {missing[0]}" if missing else ""


def _expand(pattern: str) -> Iterator[str]:
    """ "a{08..10}" -> a08, a09, a10."""
    match = _RANGE.search(pattern)
    if match is None:
        yield pattern
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _expand(f"{pattern[: match.start()]}{number:0{len(first)}}{pattern[match.end() :]}")
