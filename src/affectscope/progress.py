"""How far a command has come, for whoever waits at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, *, estimate: bool = True) -> Iterator[Callable[..., None]]:
    """A bar that yields (share done, what is done now) -> None; ``estimate``: with the time left,
    which nobody knows where the parts differ in length."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        *((TextColumn("left"), TimeRemainingColumn()) if estimate else ()),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=1.0)

        def reached(share: float, now: str = title) -> None:
            progress.update(task, completed=share, description=now)

        yield reached
