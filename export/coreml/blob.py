"""Core ML's weight file: tensors behind one another, each found by the offset that the program gives.

Layout after ``MILBlob/Blob/StorageFormat.hpp`` of coremltools, little endian. At the file's start a header of 64 bytes
(uint32 number of tensors, uint32 version); at every tensor's offset 64 bytes of metadata (uint32 sentinel, uint32 type,
uint64 bytes, uint64 offset of the data).
"""

import struct

import numpy as np
from numpy.typing import DTypeLike

from export.errors import ExportError

VERSION = 2
SENTINEL = 0xDEADBEEF
TYPES: dict[int, DTypeLike] = {1: np.float16, 2: np.float32, 3: np.uint8, 4: np.int8, 6: np.int16, 7: np.uint16}


def read_tensor(blob: bytes, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor whose metadata lies at ``offset``. Raises ``ExportError`` where there is none of that shape."""
    try:
        _, version = struct.unpack_from("<II", blob)
        sentinel, kind, size, start = struct.unpack_from("<IIQQ", blob, offset)
        if (version, sentinel) != (VERSION, SENTINEL) or start + size > len(blob):
            raise ValueError
        return np.frombuffer(blob[start : start + size], np.dtype(TYPES[kind]).newbyteorder("<")).reshape(shape)
    except (struct.error, ValueError, KeyError) as error:
        raise ExportError(f"no tensor of shape {shape} at byte {offset} of its weights; export it again") from error
