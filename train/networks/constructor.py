"""Configurations from the arguments that the official constructors take (the ``params`` of the official yamls)."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

from train.engine.errors import TrainError

C = TypeVar("C")


def from_arguments(
    kind: type[C],
    arguments: Mapping[str, Any],
    optional: Collection[str] = (),
    fixed: Mapping[str, Any] | None = None,
    ignored: Collection[str] = (),
) -> C:
    """The dataclass ``kind`` from arguments of the same names; lists become tuples.

    ``optional`` fields may be left out, arguments in ``fixed`` may only have the value there, those in ``ignored`` have
    no influence on the network. Raises ``TrainError`` for anything unknown, missing, or fixed to another value.
    """
    fixed = fixed or {}
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key, value in arguments.items():
        if key in fixed and value != fixed[key]:
            raise TrainError(f"{kind.__name__}: {key}={value!r} is not supported; only {fixed[key]!r} is")
        if key not in {*names, *fixed, *ignored}:
            close = get_close_matches(key, [*names, *fixed], n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(names)}"
            raise TrainError(f"{kind.__name__}: unknown setting {key!r}{hint}")
    missing = [name for name in names if name not in arguments and name not in optional]
    if missing:
        raise TrainError(f"{kind.__name__}: missing {', '.join(missing)}")
    return kind(**{name: _tuple(arguments[name]) for name in names if name in arguments})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
