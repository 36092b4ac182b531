"""An erasure waits until the worker has let go of what it is about to remove."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from affectscope.errors import StoreError
from affectscope.web import running
from affectscope.web.runner import Progress
from affectscope.web.running import let_go


class Asked:
    """A request, as far as it leads to the application."""

    def __init__(self, app: Any) -> None:
        self.app = app


def test_it_returns_when_the_job_has_ended_and_does_not_wait_for_others(site: Any) -> None:
    runner, wait = site.app.state.runner, let_go(Asked(site.app))  # type: ignore[arg-type]
    wait(["a" * 32])
    runner.progress = Progress("b" * 32, 0.5, None)
    wait(["a" * 32])
    ended = threading.Event()

    def end() -> None:
        ended.set()
        runner.progress = None

    timer = threading.Timer(0.2, end)
    timer.start()
    wait(["b" * 32])
    assert ended.is_set()
    timer.join()


def test_a_job_that_does_not_end_leaves_the_erasure_to_be_finished_later(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PATIENCE", 0.1)
    site.app.state.runner.progress = Progress("b" * 32, 0.5, None)
    with pytest.raises(StoreError, match="goes on by itself"):
        let_go(Asked(site.app))(["b" * 32])  # type: ignore[arg-type]
