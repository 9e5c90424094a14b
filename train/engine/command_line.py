"""Dataclasses of settings from the words of a command line, by tyro."""

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from itertools import dropwhile, takewhile
from typing import Any, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from train.engine.errors import TrainError

T = TypeVar("T")

_REGISTRY = ConstructorRegistry()
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@_REGISTRY.primitive_rule
def _switch(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[bool] | None:
    """``--compile`` alone, as well as ``--compile true`` and ``--compile false``, which overrules a preset."""
    if info.type is not bool:
        return None
    return PrimitiveConstructorSpec(
        nargs=(0, 1),
        metavar="[true|false]",
        instance_from_str=_as_bool,
        is_instance=lambda value: isinstance(value, bool),
        str_from_instance=lambda value: [str(value).lower()],
    )


def _as_bool(words: list[str]) -> bool:
    values = {"true": True, "false": False}
    if words and words[0].lower() not in values:
        raise ValueError(f"{words[0]!r} is neither true nor false")
    return values[words[0].lower()] if words else True


def read(kind: type[T], words: Sequence[str], prog: str, **options: Any) -> tuple[T, list[str]]:
    """An instance of a dataclass, and the words that are no options of it.

    ``prog`` is the command as a user types it; ``options`` are those of ``tyro.cli``.
    Raises ``TrainError`` in one line for a bad value or a missing option. ``--help`` ends in ``SystemExit``.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            value, unknown = tyro.cli(
                kind,
                prog=prog,
                args=list(words),
                return_unknown_args=True,
                registry=_REGISTRY,
                config=(tyro.conf.FlagConversionOff,),
                **options,
            )
    except SystemExit as ended:
        if ended.code:
            raise TrainError(f"{_one_line(printed.getvalue())}; see `{prog} --help`") from None
        raise
    return value, unknown


def as_words(values: Mapping[str, Any]) -> list[str]:
    """{"lr": 0.1, "model.teacher.widths": [8, 12]} -> ["--lr=0.1", "--model.teacher.widths", "8", "12"]."""
    words: list[str] = []
    for key, value in values.items():
        if isinstance(value, list | tuple):
            words += [f"--{key}", *map(str, value)]
        else:
            words.append(f"--{key}={value}")
    return words


def _one_line(box: str) -> str:
    """What tyro says below a title, in a box or without: the part above a rule, less help texts, indented by eight."""
    rows = [row[2:].rstrip(" │") for row in _COLOUR.sub("", box).splitlines()[1:]]
    said = takewhile(_holds_text, dropwhile(lambda row: not _holds_text(row), rows))
    text = " ".join(row.strip() for row in said if not row.startswith(" " * 8))
    return text.removeprefix("Error parsing ").rstrip(".")


def _holds_text(row: str) -> bool:
    return bool(row.strip(" ─-╯"))
