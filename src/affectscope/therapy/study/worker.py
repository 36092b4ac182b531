"""What a process of a study does: one session after the other, each one's row written last.

What is wrong with one session becomes its REJECTED row. What would meet every session (a full disk,
a model that was replaced, an optional part that is not installed) ends the study, to go on later.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from affectscope.errors import AffectScopeError, InputError, SessionError
from affectscope.io.files import prepare_folder
from affectscope.io.folder_lock import shared
from affectscope.io.session_file import SessionFile, read_session_file
from affectscope.io.session_phases import check_inside, stated_phases
from affectscope.io.study_file import NAME as STUDY_FILE
from affectscope.therapy.study.question import Study, check_model
from affectscope.therapy.study.session_rows import (
    ROW,
    Inputs,
    Stamp,
    content_of,
    read_inputs,
    read_object,
    same_content,
    stamps_of,
)
from affectscope.therapy.study.sessions import FoundSession

if TYPE_CHECKING:
    from affectscope.inference.predictor import Predictor
    from affectscope.io.session import Session

LOG, WORKERS = "study.log", "workers.lock"
DUPLICATE = "E_DUPLICATE_SESSION"

Alive = Callable[[], None]


def session_work(study: Study) -> Callable[[FoundSession, Alive], None]:
    """What does a session; made once in each process, with the model that the study is pinned to.

    Raises:
        ModelError: E_RUN_CHANGED where the model was replaced; E_CHECKPOINT.
    """
    from affectscope.inference.engine import EngineAsked
    from affectscope.inference.predictor import load_checkpoint

    logging.raiseExceptions = False  # on a full disk the log is silent
    logging.basicConfig(
        filename=study.asked.out / LOG,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        level=logging.WARNING,
        force=True,
    )
    logging.captureWarnings(True)
    with (study.asked.out / LOG).open("ab") as log:  # what libraries say past Python's logging
        os.dup2(log.fileno(), 2)
    held = shared(study.asked.out / WORKERS)
    predictor = None
    if study.asked.checkpoint is not None:
        asked = EngineAsked(study.asked.engine, study.asked.precision)
        predictor = load_checkpoint(study.asked.checkpoint, asked=asked)
        check_model(study, predictor.checkpoint_id)
    return SessionWork(study, predictor, held)


@dataclass(frozen=True, eq=False)
class SessionWork:
    """Does one session after the other.

    Attributes:
        held: shows a later run, while it is open, that this process still lives.
    """

    study: Study
    predictor: Predictor | None
    held: TextIO

    def __call__(self, session: FoundSession, alive: Alive) -> None:
        """Assess a session and write its row, unless the one that is there still holds.

        Raises:
            AffectScopeError: what would meet every session: E_OUTPUT, E_EXTRA, E_MODEL_....
        """
        from affectscope.io.session import open_session
        from affectscope.therapy.assessment import assess
        from affectscope.therapy.session_outputs import write_outputs, write_refusal

        place = self.study.place(session)
        prepare_folder(place)
        begun = begin(self.study, session)
        if _holds(place, begun, alive):
            return
        hashes: Mapping[str, str] = {}
        asked = self.study.asked
        try:
            opened = open_session(session.folder)
            hashes = opened.input_hashes
            alive()
            done = assess(
                self._with_study(opened, begun),
                self.predictor,
                rate=asked.rate,
                force=asked.force,
                on_time=lambda _time: alive(),
            )
        except (InputError, SessionError) as error:
            facts = begun.note(place, hashes, alive)
            write_refusal(error, session.shown, place, facts=facts, pdf=asked.pdf)
        else:
            write_outputs(done, place, facts=begun.note(place, hashes, alive), pdf=asked.pdf)

    def _with_study(self, session: Session, begun: Begun) -> Session:
        """The session with what study.toml says for those that say nothing themselves, and with
        the parts that the command line asks for.

        Raises:
            SessionError: E_SESSION for parts that do not lie in the session.
        """
        from affectscope.therapy.compared import with_asked_phases

        file, asked = self.study.file, self.study.asked
        if file.phases is not None and session.phases is None:
            found = stated_phases(file.phases, session.recording, STUDY_FILE)
            if found is not None:
                session = replace(session, phases=found[0], phase_rule=found[1])
        if file.phases is not None and not session.marked:
            check_inside(file.phases.marked, session.recording, STUDY_FILE)
            session = replace(session, marked=file.phases.marked)
        if begun.answers is not None:
            session = replace(session, questionnaires=begun.answers)
        if not session.reliability:
            session = replace(session, reliability=file.reliability)
        return with_asked_phases(session, asked.minutes, asked.thirds)


@dataclass(frozen=True, eq=False)
class Begun:
    """A session as it was found, before any of it was read.

    Attributes:
        asked: the study's digest.
        stated: its session.toml, None where that cannot be read.
        stamps: of its files.
        answers: the study's table, where the session names none; ``own``: digest of its part.
    """

    session: FoundSession
    asked: str
    stated: SessionFile | None
    stamps: Mapping[str, Stamp]
    answers: Path | None
    own: str

    def note(self, place: Path, hashes: Mapping[str, str], alive: Alive) -> dict[str, str]:
        """Write down what the row will rest on; what the row itself says of it.

        Raises:
            OutputError: E_OUTPUT.
        """
        folder = self.session.folder
        root = folder.resolve()
        known = {
            (root / name).resolve().relative_to(root).as_posix(): found
            for name, found in hashes.items()
        }  # session.toml may name a file by way of a link
        content = content_of(folder, self.stamps, known=known, answers=self.own, alive=alive)
        inputs = Inputs(self.asked, self.stamps, content, self._recordings(hashes))
        inputs.write(place)
        facts = {"key": inputs.key, "session_folder": self.session.shown}
        return facts | ({} if self.stated is None else {"subject_id": self.stated.subject_id})

    def _recordings(self, hashes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
        """Several people may share a file, each with channels of their own."""
        if self.stated is None:
            return ()
        found = []
        if self.stated.face is not None:
            found.append(("face", self.stated.face.file.name, ""))
        for modality, entry in (("ecg", self.stated.ecg), ("eda", self.stated.eda)):
            if entry is not None:
                found.append((modality, entry.file.name, str(entry.source.channel)))
        return tuple((what, hashes[name], part) for what, name, part in found if name in hashes)


def begin(study: Study, session: FoundSession) -> Begun:
    """Look at a session's folder."""
    stated: SessionFile | None = None
    with suppress(AffectScopeError):
        stated = read_session_file(session.folder)
    answers = None if stated is None or stated.questionnaires else study.answers
    own = ""
    if answers is not None and stated is not None:
        from affectscope.therapy.questionnaires.scores import answers_digest

        own = answers_digest(answers, stated.subject_id, stated.session_id)
    stamps = stamps_of(session.folder, answers)
    return Begun(session, study.digest, stated, stamps, answers, own)


def _holds(place: Path, begun: Begun, alive: Alive) -> bool:
    """Whether the row that is there is this session's: the same content, only touched."""
    row, inputs = read_object(place / ROW), read_inputs(place)
    if row is None or inputs is None or row.get("code") == DUPLICATE:
        return False
    if row.get("key") != inputs.key or inputs.asked != begun.asked:
        return False
    if not same_content(begun.session.folder, inputs, begun.stamps, begun.own, alive):
        return False
    replace(inputs, stamps=begun.stamps).write(place)
    return True
