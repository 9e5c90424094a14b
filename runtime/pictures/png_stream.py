"""PNG without compression, written row by row: a stream that every decoder reads without looking back.

It carries rows to an encoder through a pipe; nothing of it stays on the disk.
"""

import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..shape import Shape

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""By number of channels."""
LARGEST_CHUNK = 2**20


class PngStream:
    """Writes a picture of `shape`, of uint8 or uint16, as it comes from top to bottom."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        self._file = file
        self._dtype = shape.dtype.newbyteorder(">")
        self._stored = zlib.compressobj(0)
        file.write(SIGNATURE)
        depth, colours = 8 * shape.dtype.itemsize, COLOUR_TYPES[shape.channels]
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", shape.width, shape.height, depth, colours, 0, 0, 0))

    def write(self, rows: npt.NDArray[Any]) -> None:
        """The next rows [h, width, channels]; `OSError` of the file passes through."""
        values = np.ascontiguousarray(rows, self._dtype).view(np.uint8).reshape(len(rows), -1)
        step = max(1, LARGEST_CHUNK // values.shape[1])
        for start in range(0, len(values), step):
            filtered = np.pad(values[start : start + step], ((0, 0), (1, 0)))  # each row begins with its filter: none
            self._chunk(b"IDAT", self._stored.compress(filtered.tobytes()))

    def close(self) -> None:
        """After the last row."""
        self._chunk(b"IDAT", self._stored.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        for part in (struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))):
            self._file.write(part)
