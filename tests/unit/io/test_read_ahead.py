"""Iterating ahead in a thread: same items, same errors, nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from affectscope.errors import InputError
from affectscope.io.read_ahead import read_ahead


def threads() -> int:
    return sum(thread.name == "read ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("most", [1, 3, 100])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_all_items_come_in_their_order(most: int, count: int) -> None:
    assert list(read_ahead(iter(range(count)), most)) == list(range(count))
    assert threads() == 0


def test_no_more_are_made_than_may_wait() -> None:
    made: list[int] = []
    waits = threading.Event()

    def source() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 3:  # one was taken, two wait, and this one finds no room
                waits.set()
            yield number

    items = read_ahead(source(), 2)
    assert next(items) == 0
    assert waits.wait(10)
    assert made == [0, 1, 2, 3]
    assert list(items) == list(range(1, 10))


def test_an_error_comes_behind_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("E_FILE_EMPTY", "nothing more", "")

    items = read_ahead(source(), 5)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(InputError, match="nothing more"):
        next(items)
    assert threads() == 0


def test_whoever_stops_early_closes_the_source_too() -> None:
    closed: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread().name)

    items = read_ahead(source(), 2)
    assert next(items) == 0
    items.close()
    assert closed == ["read ahead"]
    assert threads() == 0


def test_the_next_item_is_made_while_the_last_one_is_worked_on() -> None:
    """Each side waits for the other: it ends only if both run at once."""
    meeting = threading.Barrier(2, timeout=30)

    def source() -> Iterator[int]:
        yield 0
        for number in range(1, 5):
            meeting.wait()
            yield number

    seen = []
    for number in read_ahead(source(), 1):
        seen.append(number)
        if number < 4:
            meeting.wait()
    assert seen == list(range(5))
