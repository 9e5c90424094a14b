"""A scatter chart as SVG, in the looks of `tadsr bench --plot`: numbered dots, their names beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from apps.benchmarks.chart import MARGIN, document

LEFT, TOP, SIDE, HEIGHT = 64, 66, 390, 300
"""The field of the dots: its left and top edge, its width and height."""
KEY, LINE = LEFT + SIDE + 30, 24
"""Left edge of the names, and the height of each."""
RADIUS, NEAR, LABEL = 5, 14, 8
"""Of a dot; how near dots share one label; and how far from the dot that stands."""
ROOM = 0.08
"""Left free at the ends of an axis, as a share of what the values take."""


@dataclass(frozen=True)
class Dot:
    """One named pair of values."""

    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Axis:
    """What a direction shows."""

    title: str
    goal: float
    """A value that is asked for: from there on, rightwards or upwards, the field is tinted."""
    reversed: bool = False
    """Whether smaller values lie farther right or up."""


@dataclass(frozen=True)
class Scale:
    """From values to pixels: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """OptimiserStep values within the scale, about six."""
        low, high = sorted((self.low, self.high))
        raw = (high - low) / 6
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
        return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def scale(values: Sequence[float], axis: Axis, start: float, end: float) -> Scale:
    """A scale that all values and the goal fit on, with `ROOM`."""
    low, high = min(*values, axis.goal), max(*values, axis.goal)
    room = ROOM * ((high - low) or 1)
    ends = (low - room, high + room)
    return Scale(*(reversed(ends) if axis.reversed else ends), start, end)


def scatter(title: str, conditions: str, dots: Sequence[Dot], across: Axis, up: Axis) -> str:
    """An SVG document with a numbered dot for each of `dots`, which must not be empty.

    >>> axis = Axis("dB", goal=1.0)
    >>> scatter("Both", "", [Dot("ours", 1.0, 2.0), Dot("theirs", 0.0, 1.0)], axis, axis).startswith("<svg")
    True
    """
    x = scale([dot.x for dot in dots], across, LEFT, LEFT + SIDE)
    y = scale([dot.y for dot in dots], up, TOP + HEIGHT, TOP)
    places = [(x(dot.x), y(dot.y)) for dot in dots]
    drawing = [*_field(x, y, across, up), *_axes(x, y, across, up)]
    drawing += [f'<circle class="bar" cx="{left:.1f}" cy="{top:.1f}" r="{RADIUS}"/>' for left, top in places]
    drawing += [_label(" ".join(str(i + 1) for i in group), *places[group[0]]) for group in groups(places)]
    for i, dot in enumerate(dots):
        drawing.append(f'<text x="{KEY}" y="{TOP + LINE * (i + 0.7):g}">{i + 1}  {escape(dot.label)}</text>')
    return document(title, conditions, max(TOP + HEIGHT + 50, TOP + LINE * len(dots) + MARGIN), drawing)


def groups(places: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Indices of the places, those together that are nearer than `NEAR` to one of their group."""
    found: list[list[int]] = []
    for i, place in enumerate(places):
        near = [group for group in found if any(math.dist(place, places[j]) < NEAR for j in group)]
        found = [group for group in found if group not in near]
        found.append(sorted([i, *(j for group in near for j in group)]))
    return found


def _label(text: str, left: float, top: float) -> str:
    """Beside a dot, on the side where there is more room."""
    sideways, anchor = (LABEL, "start") if left < LEFT + SIDE / 2 else (-LABEL, "end")
    return f'<text x="{left + sideways:.1f}" y="{top - RADIUS:.1f}" text-anchor="{anchor}">{text}</text>'


def _field(x: Scale, y: Scale, across: Axis, up: Axis) -> list[str]:
    """The frame, the corner where both goals are reached, and their lines."""
    left, bottom, right = x(across.goal), y(up.goal), LEFT + SIDE
    return [
        f'<rect class="line" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{HEIGHT}" fill="none" stroke-width="0.5"/>',
        f'<rect class="goal" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{bottom - TOP:.1f}"/>',
        f'<path class="line" d="M{left:.1f} {TOP}v{HEIGHT}M{LEFT} {bottom:.1f}h{SIDE}" stroke-dasharray="4 4"/>',
    ]


def _axes(x: Scale, y: Scale, across: Axis, up: Axis) -> list[str]:
    """Values and titles; the upward one's is turned."""
    bottom, middle = TOP + HEIGHT, LEFT + SIDE / 2
    lines = [
        f'<text class="soft" x="{middle:g}" y="{bottom + 38}" text-anchor="middle">{escape(across.title)}</text>',
        f'<text class="soft" transform="translate(20 {TOP + HEIGHT / 2:g}) rotate(-90)" text-anchor="middle">'
        f"{escape(up.title)}</text>",
    ]
    for value in x.ticks:
        lines.append(f'<text class="soft" x="{x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    for value in y.ticks:
        lines.append(f'<text class="soft" x="{LEFT - 8}" y="{y(value) + 5:.1f}" text-anchor="end">{value:g}</text>')
    return lines
