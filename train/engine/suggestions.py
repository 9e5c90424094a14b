"""What a user may have meant by a name that does not exist."""

import difflib
import re
from collections.abc import Iterable

_ALIKE = 0.65
"""Least similarity, from 0 to 1, of a name that is worth suggesting."""
_BAD_VALUE = re.compile(r'Parser key "(?P<key>[^"]+)": Expected an? (?P<type>.+?)\. Got value: (?P<value>.*)')
_NO_GROUP = re.compile(r'Parser key "(?P<key>[^"]+)": Unable to load config .*')
_CHOICES = re.compile(r"typing\.Literal\[(?P<names>.*)\]")
_CLASS = re.compile(r"<class '([\w.]+)'>")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``", did you mean X?"`` for the known name nearest to ``name``, else ``";"``; a message goes on after either.

    Where none is spelt alike, one inside a group serves: --crop may mean --data.crop.
    """
    known = list(known)
    inside = [other for other in known if other.endswith(f".{name.lstrip('-')}")]
    nearest = [*difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE), *inside]
    return f", did you mean {nearest[0]}?" if nearest else ";"


def readable(message: str) -> str:
    """jsonargparse's message about a bad value in one line, without Python's names of types; others as they are."""
    message = " ".join(message.split())
    if group := _NO_GROUP.fullmatch(message):
        return f"{group['key']}: holds keys of its own, not a value"
    bad = _BAD_VALUE.fullmatch(message)
    if bad is None:
        return message
    key, value, expected = bad["key"], bad["value"], _CLASS.sub(r"\1", bad["type"])
    choices = _CHOICES.fullmatch(expected)
    if choices is None:
        return f"{key} {value}: the value must be of type {expected}"
    names = [name.strip(" '\"") for name in choices["names"].split(",")]
    return f"{key} {value}: no such choice{did_you_mean(value, names)} there are {', '.join(names)}"
