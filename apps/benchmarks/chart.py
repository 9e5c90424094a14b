"""Charts as SVG by matplotlib, which comes with the `plot` extra."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from apps.errors import CommandError
from runtime.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, GREY = "#2f6f9f", "#6b6862"
WIDTH = 7.2
"""Of every chart, in inches."""
BAR_HEIGHT, FRAME = 0.34, 1.0
"""Of one bar, and of what lies above and below all bars, in inches."""
MARKERS = "osD^vP*X"


class Axis(NamedTuple):
    """What a direction of a scatter chart shows."""

    title: str
    goal: float
    """A value that is asked for: from there on, rightwards or upwards, the field is tinted."""
    reversed: bool = False
    """Whether smaller values lie farther right or up."""


def check_plot(path: Path) -> None:
    """Raise `CommandError` where a chart cannot be drawn or written; best called before the work."""
    if path.suffix.lower() != ".svg":
        raise CommandError(f"{path}: a chart is drawn as SVG; name it FILE.svg")
    if not path.parent.is_dir():
        raise CommandError(f"{path}: its folder does not exist; make it first")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f'{path}: a chart is drawn by matplotlib, which is missing: pip install "tadsr[plot]"'
        ) from error


def write_plot(path: Path, chart: str) -> None:
    """Write an SVG document; it appears complete or not at all."""
    with replacing(path) as draft:
        draft.write_text(chart, encoding="utf-8")


def bar_chart(title: str, conditions: str, bars: Mapping[str, float], unit: str) -> str:
    """An SVG document with a horizontal bar for each label, from the top, all on one scale that begins at 0.

    `conditions` is a line in small print; `unit` stands behind every value.
    """
    axes = _axes(title, conditions, FRAME + BAR_HEIGHT * len(bars))
    drawn = axes.barh(list(bars), list(bars.values()), color=BLUE, height=0.6)
    axes.bar_label(drawn, [f"{value:.3g} {unit}" for value in bars.values()], padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return _svg(axes, "; ".join(f"{label}: {value:.3g} {unit}" for label, value in bars.items()))


def scatter_chart(title: str, conditions: str, dots: Mapping[str, tuple[float, float]], across: Axis, up: Axis) -> str:
    """An SVG document with a dot for each label, a legend, and the corner where both goals are reached."""
    axes = _axes(title, conditions, 4.4)
    for number, (label, place) in enumerate(dots.items()):
        axes.scatter(*place, label=label, marker=MARKERS[number % len(MARKERS)], s=45, zorder=3)
    axes.margins(0.1)
    axes.update_datalim([(across.goal, up.goal)])
    axes.autoscale_view()
    axes.autoscale(False)
    axes.set(xlabel=across.title, ylabel=up.title)
    axes.xaxis.set_inverted(across.reversed)
    axes.yaxis.set_inverted(up.reversed)
    axes.axvline(across.goal, color=GREY, linestyle="--", linewidth=0.8)
    axes.axhline(up.goal, color=GREY, linestyle="--", linewidth=0.8)
    axes.fill_between(
        [across.goal, axes.get_xlim()[1]], up.goal, axes.get_ylim()[1], color=BLUE, alpha=0.1, linewidth=0
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return _svg(axes, "; ".join(f"{label}: {x:.4g}, {y:.4g}" for label, (x, y) in dots.items()))


def _axes(title: str, conditions: str, height: float) -> "Axes":
    from matplotlib.figure import Figure

    axes = Figure(figsize=(WIDTH, height), layout="constrained").add_subplot()
    axes.set_title(conditions, fontsize="small", color=GREY, loc="left")
    axes.figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize="medium")
    return axes


def _svg(axes: "Axes", description: str) -> str:
    """The figure as a document: text stays text, equal figures give equal files, its description names the values."""
    import matplotlib
    from matplotlib.figure import Figure

    assert isinstance(axes.figure, Figure)
    document = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tadsr"}):
        axes.figure.savefig(document, format="svg", metadata={"Date": None, "Description": description})
    return document.getvalue()
