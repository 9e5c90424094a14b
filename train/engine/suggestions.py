"""What a user may have meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.65
"""Least similarity, from 0 to 1, of a name that is worth suggesting."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``", did you mean X?"`` for the known name nearest to ``name``, else ``";"``; a message goes on after either.

    Where none is spelt alike, one inside a group serves: --crop may mean --data.crop.
    """
    known = list(known)
    inside = [other for other in known if other.endswith(f".{name.lstrip('-')}")]
    nearest = [*difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE), *inside]
    return f", did you mean {nearest[0]}?" if nearest else ";"
