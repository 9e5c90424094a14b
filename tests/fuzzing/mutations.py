"""Ways to damage a file, each drawn from a random generator, so that a number brings the same file again."""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ABSURD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 4.5, 2**31, 2**63, 10**400, 1e308, "", "x" * 5000, "../../etc/passwd", "\0"),
    *([], {}, [[]], [None] * 1000, {"a": {"b": {}}}, "fp32", "onnx", "aoti", "model.so", "net.pt2", "manifest.json"),
)


def flip_bits(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Flip up to 4 bits."""
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_numbers(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Write numbers at the edges of their types, in either byte order; most often near the head, where sizes are."""
    for _ in range(random.randint(1, 4)):
        width = random.choice([1, 2, 4])
        place = random.randrange(min(len(data), random.choice([64, 512, len(data)])))
        number = random.choice(EDGES) % 2 ** (8 * width)
        data[place : place + width] = number.to_bytes(width, random.choice(["little", "big"]))


def truncate(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """End early."""
    del data[random.randrange(len(data)) :]


def cut(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Leave a piece out."""
    start = random.randrange(len(data))
    del data[start : start + random.randint(1, 64)]


def repeat(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Have a piece several times."""
    start = random.randrange(len(data))
    piece = data[start : start + random.randint(1, 64)]
    data[start:start] = piece * random.randint(1, 40)


def splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Go on as another file of any format."""
    other = random.choice(others)
    data[random.randrange(len(data)) :] = other[random.randrange(len(other)) :]


def scramble(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Overwrite a piece with noise."""
    start = random.randrange(len(data))
    piece = data[start : start + random.randint(1, 256)]
    data[start : start + len(piece)] = random.randbytes(len(piece))


MUTATIONS: tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...] = (
    *(flip_bits, flip_bits, set_numbers, set_numbers, set_numbers),
    *(truncate, cut, repeat, splice, scramble),
)


def mutated(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One to three mutations; every second PNG gets its checksums right again, to come past the first check."""
    result = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if result:
            random.choice(MUTATIONS)(random, result, others)
    return with_checksums(bytes(result)) if random.random() < 0.5 else bytes(result)


def with_checksums(data: bytes) -> bytes:
    """The chunks of a PNG with the checksums they should have; other files as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    result, place = bytearray(data), 8
    while place + 12 <= len(result):
        (length,) = struct.unpack_from(">L", result, place)
        end = place + 8 + length
        if end + 4 > len(result):
            break
        struct.pack_into(">L", result, end, zlib.crc32(result[place + 4 : end]))
        place = end + 4
    return bytes(result)


def mutated_manifest(random: Random, manifest: dict[str, Any]) -> bytes:
    """A manifest with absurd values or fields, or nested without sense."""
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key in range(len(node)) if isinstance(node, list) else list(node):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                collect(node[key])

    collect(manifest)
    for _ in range(random.randint(1, 3)):
        node, key = random.choice(places)
        action = random.randrange(4)
        if action == 0 and isinstance(node, dict):
            node.pop(key, None)
        elif action == 1 and isinstance(node, dict):
            node[random.choice(["more", "pickle", "__class__"])] = random.choice(ABSURD)
        else:
            node[key] = random.choice(ABSURD)
    text = json.dumps(manifest)
    if random.random() < 0.1:
        depth = random.choice([20, 500, 5000])
        text = text[:-1] + ', "provenance": ' + '{"a": ' * depth + "1" + "}" * depth + "}"
    return text.encode()
