"""ICC profiles of well-known colour spaces, made from their numbers: a matrix and a gamma, as version 2 has them."""

import struct

import numpy as np

D65, D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

PRIMARIES = {
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)),
}


def rgb_profile(name: str, gamma: float = 2.2) -> bytes:
    """A profile with the primaries of `PRIMARIES`."""
    x, y = np.array(PRIMARIES[name]).T
    matrix = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    matrix = matrix * np.linalg.solve(matrix, white)
    gains = (BRADFORD @ D50) / (BRADFORD @ white)
    adapted = np.linalg.inv(BRADFORD) @ (gains[:, None] * BRADFORD) @ matrix
    tags = {b"wtpt": _xyz(D50)}
    for channel, column in zip(b"rgb", adapted.T, strict=True):
        tags[bytes([channel]) + b"XYZ"] = _xyz(column)
        tags[bytes([channel]) + b"TRC"] = _gamma(gamma)
    return _profile(b"RGB ", name, tags)


def grey_profile(gamma: float = 2.2) -> bytes:
    """A profile for grey pictures."""
    return _profile(b"GRAY", f"Gray gamma {gamma}", {b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)})


def _xyz(values: object) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in np.asarray(values))


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0public domain\0",
        **tags,
    }
    table, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", place + len(body), len(data))
        body += data
    size = place + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(D50)[8:] + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body
