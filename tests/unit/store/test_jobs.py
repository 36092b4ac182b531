"""Jobs as rows: who asks, who carries out, and what holds when the two meet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from affectscope.errors import AffectScopeError, StoreError
from affectscope.store.database import Store, now
from affectscope.store.exports import EXPORT_LIFE, remove_old_exports
from affectscope.store.jobs import add_job, cancel_job, newest_job, open_jobs
from affectscope.store.opening import open_store
from affectscope.store.running_jobs import (
    TRIES,
    begin_job,
    end_job,
    is_wanted,
    lose_try,
    next_job_id,
    take_back,
    tell_share,
)
from affectscope.store.tables import Job, Product, Project, RecordedSession, Subject

LOST = AffectScopeError("E_TASK_CRASH", "It ended.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A session "s" of the subject "p" in the project "x"."""
    start, seconds = now(), iter(range(10_000))
    store = open_store(
        tmp_path / "data", tmp_path / "keys", clock=lambda: start + timedelta(seconds=next(seconds))
    )
    with store.writing(None) as change:
        session, at = change.session, change.at
        session.add(Project(id="x", name="x", purpose="therapy", created_at=at))
        session.flush()
        session.add(Subject(id="p", project_id="x", pseudonym="P", created_at=at))
        session.flush()
        session.add(RecordedSession(id="s", subject_id="p", label="s", settings={}, created_at=at))
    yield store
    store.close()


def add(store: Store) -> str:
    about = {"project_id": "x", "subject_id": "p", "session_id": "s"}
    with store.writing(None) as change:
        return add_job(change, "score", about).id


def begin(store: Store, job_id: str) -> Job | None:
    with store.writing(None) as change:
        return begin_job(change, job_id)


def state(store: Store, job_id: str) -> tuple[str, int]:
    with store.reading() as session:
        job = session.get_one(Job, job_id)
        return job.state, job.tries


def test_the_job_that_waits_longest_is_next(store: Store) -> None:
    first, second = add(store), add(store)
    with store.reading() as session:
        assert next_job_id(session) == first
        assert [job.id for job in open_jobs(session, "s")] == [first, second]
        newest = newest_job(session, "s", "score")
        assert newest is not None
        assert newest.id == second
    begin(store, first)
    with store.reading() as session:
        assert next_job_id(session) == second


def test_each_try_has_an_identity_of_its_own_and_begins_once(store: Store) -> None:
    job_id = add(store)
    first = begin(store, job_id)
    assert begin(store, job_id) is None
    with store.writing(None) as change:
        lose_try(change, job_id, LOST)
    second = begin(store, job_id)
    assert first is not None
    assert second is not None
    assert first.detail["try_id"] != second.detail["try_id"]
    assert state(store, job_id) == ("running", 2)


def test_a_job_is_given_up_after_the_tries_that_it_has(store: Store) -> None:
    job_id = add(store)
    seen = []
    for _ in range(TRIES):
        begin(store, job_id)
        with store.writing(None) as change:
            lose_try(change, job_id, LOST)
        seen.append(state(store, job_id)[0])
    assert seen == ["waiting", "failed"]
    with store.reading() as session:
        job = session.get_one(Job, job_id)
        assert (job.code, job.sentence) == ("E_TASK_CRASH", "It ended.")


def test_a_try_that_is_taken_back_does_not_count(store: Store) -> None:
    job_id = add(store)
    for _ in range(TRIES + 1):
        begin(store, job_id)
        with store.writing(None) as change:
            take_back(change, job_id)
    assert state(store, job_id) == ("waiting", 0)


def test_what_was_cancelled_stays_so_whatever_its_runner_does(store: Store) -> None:
    job_id = add(store)
    begin(store, job_id)
    with store.writing(None) as change:
        cancel_job(change, job_id)
    with store.writing(None) as change:
        assert end_job(change, job_id) is None
        assert end_job(change, job_id, LOST) is None
        lose_try(change, job_id, LOST)
        take_back(change, job_id)
        tell_share(change, job_id, 0.5)
    assert state(store, job_id) == ("cancelled", 1)
    with store.reading() as session:
        assert session.get_one(Job, job_id).share == 0.0
    with pytest.raises(StoreError, match="E_CONFLICT"), store.writing(None) as change:
        cancel_job(change, job_id)


def test_a_job_is_wanted_while_it_runs_for_somebody_who_is_there(store: Store) -> None:
    job_id = add(store)

    def wanted() -> bool:
        with store.reading() as session:
            return is_wanted(session, job_id)

    seen = [wanted()]
    begin(store, job_id)
    seen.append(wanted())
    with store.writing(None) as change:
        change.session.get_one(Subject, "p").erasing = True
    seen.append(wanted())
    with store.writing(None) as change:
        change.session.delete(change.session.get_one(Job, job_id))
    assert [*seen, wanted()] == [False, True, False, False]


def test_exports_go_after_a_week_and_files_without_a_row_at_once(store: Store) -> None:
    with store.writing(None) as change:
        for name, age in (("old", EXPORT_LIFE), ("new", timedelta(0))):
            at = change.at - age - timedelta(seconds=1)
            change.session.add(
                Product(id=name, kind="export", project_id="x", ready=True, created_at=at)
            )
        old_study = change.at - 3 * EXPORT_LIFE
        change.session.add(
            Product(id="study", kind="study", project_id="x", ready=True, created_at=old_study)
        )
    for name in ("old", "new", "lost"):
        store.places.export(name).write_bytes(b"zip")
    remove_old_exports(store)
    assert [path.stem for path in store.places.exports.iterdir()] == ["new"]
    with store.reading() as session:
        assert set(session.scalars(select(Product.id))) == {"new", "study"}
