"""A study: all session folders below one folder, each done exactly once.

OUT/study.json       what was asked (``question``); a run with another question is refused
OUT/lock             who is at work here; a second run waits, then says so (B05)
OUT/sessions/NAME/   one session: report, tables, and its row (``session_rows``)
OUT/tries.json       tries that failed: a session that ends its process is not tried for ever
OUT/study.log        warnings and tracebacks of the processes

The same command goes on after any end: Ctrl-C, a kill, a full disk, a power cut.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from affectscope.errors import SessionError
from affectscope.io.files import prepare_folder, write_text, writing_in
from affectscope.io.folder_lock import locked
from affectscope.io.process_limits import memory_of_machine
from affectscope.jobs import Failure, Told, Watch, cores, run_watched
from affectscope.therapy.study.question import Study, StudyAsked, pin, read_study
from affectscope.therapy.study.session_rows import (
    ANSWERS,
    ROW,
    Inputs,
    read_inputs,
    read_object,
    stamps_of,
)
from affectscope.therapy.study.sessions import FoundSession, find_sessions
from affectscope.therapy.study.worker import DUPLICATE, WORKERS, begin, session_work

LOCK, TRIES = "lock", "tries.json"
PATIENCE = 60.0
"""Seconds to wait for another run in the same folder."""
_PROBE = 1 << 20
"""Bytes that must fit on the disk before anything is begun."""
_SHARE_OF_MEMORY = 0.8
_LEAST_MEMORY = 1536 << 20
"""Bytes that a process is given at least: with 400 MB the libraries do not load, 1,000 MB do for a
short session without video."""

Progress = Callable[[int, int], None]
Rows = dict[str, dict[str, Any]]


def run_sessions(
    asked: StudyAsked,
    *,
    progress: Progress = lambda _done, _count: None,
    watch: Watch | None = None,
    patience: float = PATIENCE,
    finish: Callable[[Study, Rows], None] = lambda _study, _rows: None,
) -> tuple[Study, Rows]:
    """Do every session that is not finished yet.

    Args:
        progress: told how many sessions are finished, and of how many.
        watch: how the processes are kept; None: from ``asked`` and the machine.
        patience: seconds to wait for another run in the same folder.
        finish: called with all rows while the folder is still held.

    Returns:
        The study, and each session's result.json by the session's name, in order.

    Raises:
        SessionError: E_STUDY, E_SESSION (study.toml), E_CONFIG.
        ModelError: E_RUN_LOCKED, E_RUN_CHANGED, E_CHECKPOINT.
        OutputError: E_OUTPUT.
        AffectScopeError: what a process meets that would meet every session.
    """
    sessions = find_sessions(asked.folder, asked.out)
    study = read_study(asked)
    _prove_room(asked.out)
    with locked(asked.out / LOCK, patience=patience):
        with locked(asked.out / WORKERS, patience=patience):
            pass  # processes of a run whose parent was killed have ended
        prepare_folder(asked.out)
        pin(study)
        run = _Run(study, sessions, progress)
        run.to_the_end(watch or _watch(asked.processes))
        rows = run.rows()
        finish(study, rows)
    return study, rows


def run_study(asked: StudyAsked, *, progress: Progress) -> list[str]:
    """Do every session, write the study's page and tables, and say in a few lines what came out.

    Raises:
        AffectScopeError: as ``run_sessions``.
    """
    said: list[str] = []
    run_sessions(asked, progress=progress, finish=lambda *ran: said.extend(_write_page(*ran)))
    return said


def _write_page(study: Study, rows: Rows) -> list[str]:
    from affectscope.therapy.results import versions
    from affectscope.therapy.study.rows import StudyFacts
    from affectscope.therapy.study.summary import write_study

    facts = StudyFacts(
        title=study.file.title,
        data_folder=study.asked.folder.resolve().name,
        sessions_found=len(rows),
        least_usable=study.file.least_usable,
        question=study.question,
        versions={**versions(), "statsmodels": version("statsmodels")},
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    out = study.asked.out
    with writing_in(out):
        ended = write_study(out, rows, facts)
    return [
        f"{len(rows)} sessions: {ended.ok} OK, {ended.degraded} DEGRADED,"
        f" {ended.rejected} REJECTED",
        f"In the statistics: {ended.counted} sessions of {ended.patients} patients",
        *ended.headlines,
        *(f"{notice.code}: {notice.sentence}" for notice in ended.notices),
        f"Page: {out / 'study.html'}",
    ]


def _watch(processes: int | None) -> Watch:
    """As many processes as there are cores, where the memory allows, and their share of it."""
    memory = int(_SHARE_OF_MEMORY * memory_of_machine())
    count = processes or max(1, min(cores(), memory // _LEAST_MEMORY))
    return Watch(processes=count, memory=max(_LEAST_MEMORY, memory // count))


def _prove_room(out: Path) -> None:
    """Raises OutputError E_OUTPUT where nothing can be written, or there is no room (B10)."""
    with writing_in(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()


@dataclass(eq=False)
class _Run:
    """One run over a study's sessions, in the parent."""

    study: Study
    sessions: Sequence[FoundSession]
    progress: Progress
    tries: dict[str, list[list[str]]] = field(default_factory=dict)
    done: int = 0

    def to_the_end(self, watch: Watch) -> None:
        for session in self.sessions:
            prepare_folder(self.study.place(session))
        left = self._unfinished()
        self.tries = _read_tries(self.study.asked.out, left)
        self.done = len(self.sessions) - len(left)
        self.progress(self.done, len(self.sessions))
        run_watched(
            partial(session_work, self.study),
            left,
            told=Told(self._done, self._failed, self._set_aside),
            watch=watch,
            failures={
                session: [Failure(*failure) for failure in self.tries.get(session.name, [])]
                for session in left
            },
        )
        self._settle_duplicates()

    def rows(self) -> Rows:
        """Every session's row. Raises SessionError E_STUDY where one cannot be read."""
        found: Rows = {}
        for session in self.sessions:
            row = read_object(self.study.place(session) / ROW)
            if row is None:
                raise SessionError(
                    "E_STUDY",
                    f"The result of {session.shown!a} is missing or damaged.",
                    "Start the same command again; that session is then done anew.",
                )
            found[session.name] = row
        return found

    def _unfinished(self) -> list[FoundSession]:
        """Those without a row that holds; a duplicate's holds while the first one's does."""
        standing: dict[str, Inputs] = {}
        left = []
        for session in self.sessions:
            row, inputs = _row(self.study, session)
            if row is None or inputs is None:
                left.append(session)
            elif row.get("code") == DUPLICATE:
                first = standing.get(str(row.get("duplicate_of")))
                if first is None or first.recordings != inputs.recordings:
                    left.append(session)
            elif row.get("status") != "REJECTED":
                standing[session.name] = inputs
        return left

    def _done(self, session: FoundSession) -> None:
        self.done += 1
        self.progress(self.done, len(self.sessions))
        if self.tries.pop(session.name, None) is not None:
            self._write_tries()

    def _failed(self, session: FoundSession, failures: Sequence[Failure]) -> None:
        self.tries[session.name] = [[failure.code, failure.how] for failure in failures]
        self._write_tries()

    def _set_aside(self, session: FoundSession, failures: Sequence[Failure]) -> None:
        how = "; then it ".join(dict.fromkeys(failure.how for failure in failures))
        error = SessionError(
            failures[-1].code,
            f"The process that worked on this session failed {len(failures)} times: it {how}.",
            "Assess it alone to see how far it comes: affectscope assess FOLDER --out DIR. Once its"
            " files have changed, or this result is deleted, the study tries it again.",
        )
        place = self.study.place(session)
        noted = begin(self.study, session).note(place, {}, lambda: None)
        self._refuse(session, error, noted)
        self._done(session)

    def _settle_duplicates(self) -> None:
        """Of sessions with the same recordings the first by name counts."""
        first: dict[tuple[tuple[str, ...], ...], FoundSession] = {}
        for session in self.sessions:
            row, inputs = _row(self.study, session)
            if row is None or inputs is None or not inputs.recordings:
                continue
            if row.get("status") == "REJECTED":
                continue
            before = first.setdefault(inputs.recordings, session)
            if before is not session:
                error = SessionError(
                    DUPLICATE,
                    f"It holds the same recordings as {before.shown!a}, which counts.",
                    "Remove one of the two folders, or put the right files into it.",
                )
                kept = ("key", "session_folder", "subject_id")
                facts = {name: row[name] for name in kept if name in row}
                facts["duplicate_of"] = before.name
                self._refuse(session, error, facts)

    def _refuse(self, session: FoundSession, error: SessionError, facts: Mapping[str, str]) -> None:
        from affectscope.therapy.session_outputs import write_refusal

        place, pdf = self.study.place(session), self.study.asked.pdf
        write_refusal(error, session.shown, place, facts=facts, pdf=pdf)

    def _write_tries(self) -> None:
        out = self.study.asked.out
        with writing_in(out):
            write_text(out / TRIES, json.dumps(self.tries, indent=1) + "\n")


def _row(study: Study, session: FoundSession) -> tuple[dict[str, Any] | None, Inputs | None]:
    """A session's row and what it rests on, where both are there and the files are untouched."""
    place = study.place(session)
    row, inputs = read_object(place / ROW), read_inputs(place)
    if row is None or inputs is None or inputs.asked != study.digest:
        return None, None
    answers = study.answers if ANSWERS in inputs.stamps else None
    if row.get("key") != inputs.key or inputs.stamps != stamps_of(session.folder, answers):
        return None, None
    return row, inputs


def _read_tries(out: Path, left: Sequence[FoundSession]) -> dict[str, list[list[str]]]:
    """Failed tries of sessions that are not finished; a damaged file counts none."""
    found = read_object(out / TRIES) or {}
    names = {session.name for session in left}
    return {
        name: [[str(code), str(how)] for code, how in tries]
        for name, tries in found.items()
        if name in names
    }
