"""The work of a study in which some sessions end their process. Processes import it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cache, partial

from affectscope.therapy.study import worker
from affectscope.therapy.study.question import Study
from affectscope.therapy.study.sessions import FoundSession


def session_work(study: Study) -> Callable[[FoundSession, Callable[[], None]], None]:
    """As the real one, which is made once a session needs it; "poison" in a name is poison."""
    real = cache(partial(worker.session_work, study))

    def work(session: FoundSession, alive: Callable[[], None]) -> None:
        if "poison" in session.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        real()(session, alive)

    return work
