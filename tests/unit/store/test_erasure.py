"""Erasure: what was written about a person is nowhere any more, also where it was interrupted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from affectscope.errors import StoreError
from affectscope.store.database import OnceKey, Store
from affectscope.store.erasure import STEPS, erase_subject, finish_erasure, finish_erasures
from affectscope.store.exports import remove_old_exports
from affectscope.store.once import KeptAnswer, keep_answer, kept_answer
from affectscope.store.opening import open_store
from affectscope.store.products import products_of
from affectscope.store.projects import add_project
from affectscope.store.sessions import rename_session, save_settings
from affectscope.store.subjects import rename_subject
from affectscope.store.tables import (
    Answers,
    AuditRow,
    Consent,
    DoneOnce,
    Job,
    Product,
    RecordedSession,
    Result,
    StoredFile,
    Subject,
    Upload,
    User,
)

CANARY = "CanaryBird"
"""In everything that is written about the person who is erased."""
SAME = b"the same recording of two people"


@dataclass
class Held:
    """A store with two people, of whom the first is to be erased."""

    store: Store
    subject_id: str
    other_id: str
    user_id: str
    project_id: str


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def add_file(change: Any, store: Store, session_id: str, *, name: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    place = store.places.content(digest)
    if not place.exists():
        write(place, content)
    store.places.input(session_id).mkdir(parents=True, exist_ok=True)
    os.link(place, store.places.input(session_id) / name)
    change.session.add(
        StoredFile(
            session_id=session_id, name=name, sha256=digest, size=len(content),
            created_at=change.at,
        )
    )  # fmt: skip


def add_person(change: Any, store: Store, project_id: str, word: str) -> str:
    """A person with one of everything, all of it bearing the word."""
    at, session, places = change.at, change.session, store.places

    def add(row: Any) -> Any:
        session.add(row)
        session.flush()
        return row

    person = add(Subject(project_id=project_id, pseudonym=f"{word} person", created_at=at))
    add(Consent(subject_id=person.id, scopes=["ingest"], given_at=at))
    held = add(
        RecordedSession(
            subject_id=person.id, label=f"{word} label", created_at=at,
            settings={"phases": {"marks": [{"name": f"{word} mark"}]}},
        )
    )  # fmt: skip
    add_file(change, store, held.id, name=f"{word}.csv", content=f"{word} samples".encode())
    add_file(change, store, held.id, name="same.csv", content=SAME)
    upload = add(
        Upload(
            session_id=held.id, name=f"{word}.mp4", size=9, touched_at=at, created_at=at
        )
    )  # fmt: skip
    write(places.uploads / upload.id, f"{word} half".encode())
    result = add(
        Result(
            session_id=held.id, settings={"note": word}, settings_version=1, status="OK",
            sentence=f"{word} sentence", created_at=at, rejected_at=at,
            rejection_reason=f"{word} reason",
        )
    )  # fmt: skip
    write(places.result(held.id, result.id) / "report.html", f"<p>{word}</p>".encode())
    write(places.inspection(held.id), f'{{"file": "{word}"}}'.encode())
    write(places.input(held.id) / "session.toml", f'subject_id = "{word}"'.encode())
    add(Answers(session_id=held.id, questionnaire="PHQ-9", time="before", answers={"remark": word}))
    for kind, subject_id in (("study", None), ("export", None), ("export", person.id)):
        product = add(
            Product(
                kind=kind, project_id=project_id, subject_id=subject_id, ready=True,
                detail={"subjects": [person.id], "purpose": word}, created_at=at,
            )
        )  # fmt: skip
        add(
            Job(
                kind=kind, state="done", project_id=project_id, subject_id=subject_id,
                detail={"product_id": product.id, "note": word}, created_at=at,
            )
        )  # fmt: skip
        write(places.study(product.id) / "study.html", word.encode())
        write(places.export(product.id), word.encode())
        write(places.export_parts(product.id) / "0.json", word.encode())
    add(
        Job(
            kind="score", project_id=project_id, subject_id=person.id, session_id=held.id,
            detail={"settings": {"note": word}}, sentence=word, created_at=at,
        )
    )  # fmt: skip
    return str(person.id)


def open_at(folder: Path) -> Store:
    return open_store(
        folder / "data", folder / "keys", clock=lambda: datetime(2026, 3, 1, tzinfo=UTC)
    )


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    store = open_at(tmp_path)
    with store.writing(None) as change:
        user = User(name="olga", password_hash="-", created_at=change.at)
        change.session.add(user)
        change.session.flush()
        user_id = user.id
    with store.writing(user_id) as change:
        project = add_project(change, "Anxiety", purpose="therapy", justification="")
        first = add_person(change, store, project.id, CANARY)
        other = add_person(change, store, project.id, "SongThrush")
        change.session.add(
            DoneOnce(
                user_id=user_id, key="k", question_hash="h", status=201,
                answer=f'{{"name": "{CANARY}"}}', created_at=change.at,
            )
        )  # fmt: skip
        project_id = project.id
    write(store.places.backups / "old" / "database", CANARY.encode())
    store.places.log.write_text("job 1 has ended\n")
    yield Held(store, first, other, user_id, project_id)
    store.close()


def places_with(store: Store, word: str) -> list[str]:
    """Every file of the data folder and the keys whose name or content holds the word."""
    found = []
    for folder in (store.places.data, store.places.keys):
        for path in sorted(folder.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            if word in path.name or word.encode() in content:
                found.append(path.relative_to(folder).as_posix())
    return found


def erase(held: Held) -> None:
    erase_subject(held.store, held.subject_id, actor_id=held.user_id, typed=f"{CANARY} person")


def assert_gone(store: Store, held: Held) -> None:
    assert places_with(store, CANARY) == []
    with store.reading() as session:
        assert session.get(Subject, held.subject_id) is None
        actions = session.scalars(select(AuditRow.action).order_by(AuditRow.sequence)).all()
        remaining = session.scalars(select(StoredFile.sha256)).all()
    assert actions.count("erasure.done") == 1
    assert len(remaining) == 2
    assert all(store.places.content(sha256).is_file() for sha256 in remaining)


def test_G02_after_an_erasure_no_byte_of_the_person_is_left_and_others_lose_nothing(
    held: Held,
) -> None:
    before = places_with(held.store, CANARY)
    kinds = {name.partition("/")[0] for name in before}
    assert {"files", "uploads", "sessions", "exports", "studies", "backups"} <= kinds
    assert "affectscope.sqlite-wal" in kinds or "affectscope.sqlite" in kinds
    others = [name for name in places_with(held.store, "SongThrush") if "sqlite" not in name]
    erase(held)
    assert_gone(held.store, held)
    left = places_with(held.store, "SongThrush")
    assert set(others) <= set(left)
    assert SAME in held.store.places.content(hashlib.sha256(SAME).hexdigest()).read_bytes()


def test_G02_a_study_and_an_export_of_other_people_stay(held: Held) -> None:
    erase(held)
    with held.store.reading() as session:
        products = session.scalars(select(Product)).all()
    assert {product.detail["purpose"] for product in products} == {"SongThrush"}
    assert len(products) == 3


def test_G02_what_does_not_say_whom_it_holds_goes_too(held: Held) -> None:
    with held.store.writing(None) as change:
        change.session.add(
            Product(kind="study", project_id=held.project_id, detail={}, created_at=change.at)
        )
    erase(held)
    with held.store.reading() as session:
        assert session.scalars(select(Product).where(Product.detail == {})).all() == []


def test_G02_from_the_moment_it_is_asked_for_nothing_that_was_made_of_the_person_is_handed_out(
    held: Held,
) -> None:
    """Also where a job does not end, so that the rest comes later."""

    def wait(_job_ids: Any) -> None:
        raise StoreError("E_BUSY", "A job does not end.")

    typed = f"{CANARY} person"
    with pytest.raises(StoreError, match="does not end"):
        erase_subject(held.store, held.subject_id, actor_id=None, typed=typed, wait=wait)
    with held.store.reading() as session:
        products = session.scalars(select(Product)).all()
        listed = products_of(session, held.project_id, "export")
    assert {product.detail["purpose"] for product in products if product.ready} == {"SongThrush"}
    assert not [product for product in listed if CANARY in (product.pseudonym or "")]


def test_G02_nobody_can_be_renamed_while_he_is_being_erased(held: Held) -> None:
    with held.store.writing(None) as change:
        change.session.get_one(Subject, held.subject_id).erasing = True
    with pytest.raises(StoreError, match="no such person"), held.store.writing(None) as change:
        rename_subject(change, held.subject_id, "Nightingale", seen_version=1)


def test_G02_a_request_that_comes_too_late_is_told_so_and_changes_nothing(held: Held) -> None:
    """It passed the gate before, and waited for its turn."""
    with held.store.reading() as session:
        own = RecordedSession.subject_id == held.subject_id
        session_id = session.scalars(select(RecordedSession.id).where(own)).one()
    erase(held)
    with pytest.raises(StoreError, match="no such session"), held.store.writing(None) as change:
        rename_session(change, session_id, "late", seen_version=1)
    with pytest.raises(StoreError, match="no such session"), held.store.writing(None) as change:
        save_settings(change, session_id, seen_version=1, tables={})


def test_G02_an_answer_that_names_the_person_is_not_kept_after_the_erasure(held: Held) -> None:
    """The request was carried out before, and its answer is kept in a change of its own."""
    asked = OnceKey(held.user_id, "k", "h")
    erase(held)
    with held.store.writing(held.user_id) as change:
        keep_answer(change, asked, KeptAnswer(201, CANARY))
    assert places_with(held.store, CANARY) == []
    with held.store.reading() as session, pytest.raises(StoreError, match="done already"):
        kept_answer(session, asked)


def test_G02_what_an_export_left_behind_goes_with_its_row(held: Held) -> None:
    """An erasure would not find it any more."""
    with held.store.writing(None) as change:
        change.session.execute(delete(Product))
    remove_old_exports(held.store)
    assert list(held.store.places.exports.iterdir()) == []


def test_G02_the_audit_trail_names_the_erasure_but_nobody(held: Held) -> None:
    erase(held)
    with held.store.reading() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.sequence)).all()
    told = [(row.action, row.target_id, row.detail) for row in rows[-2:]]
    assert told == [
        ("erasure.asked", held.subject_id, "{}"),
        ("erasure.done", held.subject_id, "{}"),
    ]


def test_jobs_that_ran_are_cancelled_and_waited_for(held: Held) -> None:
    with held.store.writing(None) as change:
        scored = select(Job).where(Job.kind == "score", Job.subject_id == held.subject_id)
        job = change.session.scalars(scored).one()
        job.state = "running"
    waited: list[str] = []

    def wait(job_ids: Any) -> None:
        waited.extend(job_ids)
        with held.store.reading() as session:
            states = {session.get_one(Job, job_id).state for job_id in job_ids}
        assert states <= {"cancelled"}

    erase_subject(
        held.store,
        held.subject_id,
        actor_id=held.user_id,
        typed=f"{CANARY} person",
        wait=wait,
    )
    assert waited == [job.id]


def test_a_wrong_pseudonym_changes_nothing(held: Held) -> None:
    with pytest.raises(StoreError, match="Nothing was erased"):
        erase_subject(held.store, held.subject_id, actor_id=None, typed="SongThrush person")
    with held.store.reading() as session:
        assert not session.get_one(Subject, held.subject_id).erasing


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("last", range(len(STEPS)))
def test_G03_an_erasure_that_ended_after_any_step_goes_on_at_the_next_start(
    held: Held, tmp_path: Path, last: int
) -> None:
    def until(done: int) -> None:
        if done == last:
            raise Killed

    with held.store.writing(None) as change:
        change.session.get_one(Subject, held.subject_id).erasing = True
    if last:
        with pytest.raises(Killed):
            finish_erasure(held.store, held.subject_id, reached=until)
    held.store.close()
    store = open_at(tmp_path)
    try:
        finish_erasures(store)
        assert_gone(store, held)
        finish_erasures(store)
        assert_gone(store, held)
    finally:
        store.close()
