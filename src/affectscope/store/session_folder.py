"""A session's settings as the session.toml that ``io.session`` reads, with its answers beside it.

``input/`` of a session already holds its originals, as hard links; what is written here replaces
names only, so that no original is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session

from affectscope.errors import SessionError, StoreError
from affectscope.io.files import write_text, writing_in
from affectscope.io.session_file import FORMAT, NAME, read_session_file, session_toml
from affectscope.store.answers import FILE, FilledIn, answers_of, answers_table, answers_text
from affectscope.store.places import Places
from affectscope.store.sessions import SessionHead, session_head


def write_session_file(places: Places, head: SessionHead, answers: Sequence[FilledIn]) -> Path:
    """Write ``input/session.toml`` from ``head.settings``, and the table of answers.

    Args:
        answers: what is filled in for the session; without any the table goes.

    Returns:
        Where session.toml lies.

    Raises:
        SessionError: E_SESSION for settings that session.toml cannot hold.
        OutputError: E_OUTPUT.
    """
    text = session_text(head, answers)
    folder = places.input(head.id)
    with writing_in(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if answers:
            write_text(folder / FILE, answers_text(answers))
        else:
            (folder / FILE).unlink(missing_ok=True)
        write_text(folder / NAME, text)
    return folder / NAME


def session_text(head: SessionHead, answers: Sequence[FilledIn]) -> str:
    """What session.toml will say.

    Raises:
        SessionError: E_SESSION.
    """
    tables = {name: table for name, table in head.settings.items() if name != "questionnaires"}
    stated = {"format": FORMAT, "subject_id": head.pseudonym, "session_id": head.label}
    table = answers_table(answers)
    return session_toml({**stated, **tables, **({"questionnaires": table} if table else {})})


def check_settings(session: Session, session_id: str) -> None:
    """Refuse settings that no session could be opened with; called in the change that saves them,
    which then saves nothing.

    Raises:
        StoreError: E_VALUE with the sentence of the reader of session.toml.
    """
    head = session_head(session, session_id)
    try:
        text = session_text(head, answers_of(session, session_id))
        with TemporaryDirectory() as folder:
            path = Path(folder) / NAME
            write_text(path, text)
            read_session_file(path.parent)
    except SessionError as error:
        raise StoreError(
            "E_VALUE", error.sentence, "Correct it and save again; nothing was saved."
        ) from error
