"""Work ahead of whoever reads its results, in threads, a bounded number of items.

So that stages of a walk through a recording work side by side: decoding waits for pictures from
another process, tracking and networks spend their time in code that lets other threads run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def read_ahead(source: Iterable[Item], most: int) -> Generator[Item]:
    """The items of ``source`` in their order, up to ``most`` of them made before they are wanted.

    ``source`` is iterated, and closed, in a thread that ends with this iterator: also where that is
    closed early, or is left by an exception. What ``source`` raises is raised here, behind the
    items before it.
    """
    assert most > 0, most
    waiting = _Waiting[Item](most)
    thread = threading.Thread(target=waiting.fill, args=(source,), name="read ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.take()
            if item is None:
                return
            yield item[0]
    finally:
        waiting.stop()
        thread.join()


def made_ahead(
    make: Callable[[Item], Made], items: Iterable[Item], workers: int
) -> Generator[Made]:
    """What ``make`` gives for each item, in order, made ahead by ``workers`` threads."""
    if workers == 0:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(workers, "made ahead") as pool:
        ahead: list[Future[Made]] = []
        try:
            for item in items:
                ahead.append(pool.submit(make, item))
                if len(ahead) > 2 * workers:
                    yield ahead.pop(0).result()
            while ahead:
                yield ahead.pop(0).result()
        finally:
            for waiting in ahead:
                waiting.cancel()


class _Waiting(Generic[Item]):
    """Items that wait, between the thread that makes them and the one that takes them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[tuple[Item]] = deque()
        self._changed = threading.Condition()
        self._ended = self._stopped = False
        self._error: BaseException | None = None

    def fill(self, source: Iterable[Item]) -> None:
        """Make the items; runs in the thread."""
        try:
            with closing(_generated(source)) as items:
                for item in items:
                    if not self._put(item):
                        return
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def take(self) -> tuple[Item] | None:
        """The next item; None at the end. Raises what the source raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        """Nobody takes any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        """Wait for room; False where nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._most)
            if not self._stopped:
                self._items.append((item,))
                self._changed.notify_all()
            return not self._stopped


def _generated(source: Iterable[Item]) -> Generator[Item]:
    """The same items, from something that can be closed; closing it closes the source's too."""
    yield from source
