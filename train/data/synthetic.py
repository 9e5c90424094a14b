"""Pictures drawn by the project itself: text, patterns, flat sheets; rare in photos, hard for super-resolution."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Field = NDArray[np.float64]

_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
_SIGNS = np.array(list("0123456789.,:;!?-+/%&()@#"))
_TEXT_SHARE = 0.6
_LEAST_CONTRAST = 60.0
"""Between ink and paper, in 8-bit levels of the mean over the channels."""


def draw_synthetic(rng: Generator, size: int) -> NDArray[np.uint8]:
    """A picture [size, size, 3] of random text or a random pattern; a pure function of the state of `rng`."""
    paper, ink = _color_pair(rng)
    background = _shade(rng, size, paper)
    if rng.random() < _TEXT_SHARE:
        mask = _text(rng, size)
    else:
        pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
        mask = np.clip(pattern(rng, *_turned_grid(rng, size)) + 0.5, 0, 1)
    return _picture(background + (_shade(rng, size, ink) - background) * mask[..., None])


def draw_flat(rng: Generator, size: int) -> NDArray[np.uint8]:
    """A picture [size, size, 3] of one colour or of a gradient, often at the ends of the range; a function of `rng`.

    It is nothing but its colour and its borders, and those must not change.
    """
    color = rng.choice([0.0, 255.0], 3) if rng.random() < 0.3 else rng.uniform(0, 255, 3)
    return _picture(_shade(rng, size, color))


def _picture(levels: Field) -> NDArray[np.uint8]:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _color_pair(rng: Generator) -> tuple[Field, Field]:
    """Two colours that differ by `_LEAST_CONTRAST` or more; one in four pairs is grey."""
    while True:
        pair = rng.uniform(0, 255, (2, 3))
        if rng.random() < 0.25:
            pair[:] = pair[:, :1]
        if abs(pair[0].mean() - pair[1].mean()) >= _LEAST_CONTRAST:
            return pair[0], pair[1]


def _shade(rng: Generator, size: int, color: Field) -> Field:
    """`color` all over [size, size, 3], half of the time with a linear gradient on it."""
    if rng.random() < 0.5:
        return np.broadcast_to(color, (size, size, 3))
    along, _ = _turned_grid(rng, size)
    return color + (along / size)[..., None] * rng.uniform(-60, 60, 3)


def _turned_grid(rng: Generator, size: int) -> tuple[Field, Field]:
    """Coordinates of the pixels in pixels, from the centre; turned by any angle half of the time."""
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else 0.0
    y, x = np.indices((size, size)) - (size - 1) / 2
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


# Patterns are signed distances in pixels to the edge of the ink, positive inside, so that edges can be antialiased.


def _bands(x: Field, period: float, width: float, offset: float) -> Field:
    return width / 2 - np.abs((x + offset) % period - period / 2)


def _stripes(rng: Generator, x: Field, y: Field) -> Field:
    period = rng.uniform(4, 40)
    return _bands(x, period, period * rng.uniform(0.2, 0.8), rng.uniform(0, period))


def _rings(rng: Generator, x: Field, y: Field) -> Field:
    shift = rng.uniform(-0.5, 0.5, 2) * len(x)
    return _stripes(rng, np.hypot(x - shift[0], y - shift[1]), y)


def _checkers(rng: Generator, x: Field, y: Field) -> Field:
    period = rng.uniform(8, 60)
    a, b = (_bands(axis, period, period / 2, rng.uniform(0, period)) for axis in (x, y))
    return np.maximum(np.minimum(a, -b), np.minimum(-a, b))


def _grid(rng: Generator, x: Field, y: Field) -> Field:
    width = rng.uniform(1, 4)
    a, b = (_bands(axis, rng.uniform(8, 48), width, rng.uniform(0, 48)) for axis in (x, y))
    return np.maximum(a, b)


def _dots(rng: Generator, x: Field, y: Field) -> Field:
    period = rng.uniform(6, 40)
    radius = period * rng.uniform(0.15, 0.5)
    return radius - np.hypot(x % period - period / 2, y % period - period / 2)


_PATTERNS = (_stripes, _rings, _checkers, _grid, _dots)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _word(rng: Generator) -> str:
    if rng.random() < 0.2:
        return "".join(rng.choice(_SIGNS, rng.integers(1, 7)))
    word = "".join(rng.choice(_LETTERS, rng.integers(1, 10)))
    cases = (word, word, word.capitalize(), word.upper())
    return cases[rng.integers(len(cases))]


def _text(rng: Generator, size: int) -> Field:
    """Coverage in [0, 1] of lines of random words, level or turned by any angle."""
    turned = rng.random() < 0.4
    # A turned sheet must cover the picture's corners.
    sheet = int(size * 1.5) if turned else size
    image = Image.new("L", (sheet, sheet))
    pen = ImageDraw.Draw(image)
    height = int(rng.integers(8, 17) if rng.random() < 0.5 else rng.integers(17, max(18, size // 3)))
    stroke = int(rng.random() < 0.3 and height > 16)
    top = float(rng.uniform(-0.5, 0.5) * height)
    while top < sheet:
        line = " ".join(_word(rng) for _ in range(2 + sheet // (3 * height)))
        pen.text((float(rng.uniform(-height, height)), top), line, fill=255, font=_font(height), stroke_width=stroke)
        top += height * float(rng.uniform(1.1, 1.6))
    if turned:
        margin = (sheet - size) // 2
        image = image.rotate(float(rng.uniform(-180, 180)), Image.Resampling.BICUBIC)
        image = image.crop((margin, margin, margin + size, margin + size))
    return np.asarray(image, dtype=np.float64) / 255
