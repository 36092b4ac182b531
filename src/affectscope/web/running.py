"""Waiting until the worker has let go of jobs that were cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from fastapi import Request

from affectscope.errors import StoreError
from affectscope.web.runner import Runner

_PATIENCE = 15.0
"""Seconds; a cancelled task ends within about two."""
_LOOK_SECONDS = 0.05


def let_go(request: Request) -> Callable[[Sequence[str]], None]:
    """A function that returns when none of the jobs runs any more.

    Raises:
        StoreError: E_BUSY, from the function.
    """
    runner: Runner = request.app.state.runner

    def wait(job_ids: Sequence[str]) -> None:
        until = time.monotonic() + _PATIENCE
        while (progress := runner.progress) is not None and progress.job_id in job_ids:
            if time.monotonic() > until:
                raise StoreError(
                    "E_BUSY", "A job does not end.", "The erasure goes on by itself within an hour."
                )
            time.sleep(_LOOK_SECONDS)

    return wait
