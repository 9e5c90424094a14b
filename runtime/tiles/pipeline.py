"""The engine works on one tile while the next is cut and the last is painted."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in order. `function` runs in one other thread, one item ahead of the caller.

    Items are made in the caller's thread. An exception of `function` is raised at its item. Where the caller stops
    early, the call under way is waited for, and no other begins.

    >>> list(run_ahead(abs, [-1, 2]))
    [(-1, 1), (2, 2)]
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(1) as worker:
        try:
            for item in items:
                waiting.append((item, worker.submit(function, item)))
                if len(waiting) > 1:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
