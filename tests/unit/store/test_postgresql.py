"""The store's main paths over both databases, and what only a database server can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, func, select, text, update

from affectscope.errors import ConflictError, StoreError
from affectscope.store.audit_check import check
from affectscope.store.audit_pages import audit_rows
from affectscope.store.backups import make_backup
from affectscope.store.consents import Given, add_consent
from affectscope.store.database import Store
from affectscope.store.erasure import erase_subject
from affectscope.store.jobs import ask_scoring, cancel_job, open_jobs
from affectscope.store.members import members_of, put_member
from affectscope.store.opening import open_store
from affectscope.store.passwords import Passwords
from affectscope.store.projects import add_project, projects_of
from affectscope.store.results import add_result, reject_result, usable_result
from affectscope.store.running_jobs import begin_job, end_job, next_job_id
from affectscope.store.session_list import Asked, sessions_of_project
from affectscope.store.sessions import add_session, save_settings, session_head
from affectscope.store.subjects import add_subject, subjects_of
from affectscope.store.tables import (
    AuditRow,
    Installation,
    Project,
    RecordedSession,
    Result,
    Role,
    StoredFile,
    Subject,
    User,
)
from affectscope.store.users import add_user, begin_login, known_login

Opened = Callable[..., Store]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, opened: Opened) -> Store:
    if request.param == "sqlite":
        return opened()
    return opened(url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def server(opened: Opened, postgresql_url: str) -> Store:
    return opened(url=postgresql_url)


def add_people(store: Store) -> tuple[str, str]:
    """Users, and a project; the ids of its owner and of itself."""
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with store.writing(None) as change:
        for name in ("Olga", "Rita"):
            add_user(change, name, "four quiet words", administrator=False, passwords=cheap)
        olga = change.session.scalars(select(User.id).where(User.name == "olga")).one()
    with store.writing(olga) as change:
        project_id = add_project(change, "Anxiety", purpose="therapy", justification="").id
        put_member(change, project_id, "Rita", Role.READER)
    return olga, project_id


def add_recording(store: Store, user_id: str, project_id: str, pseudonym: str) -> str:
    """A person who consented, with a session that is set up; the session's id."""
    with store.writing(user_id) as change:
        subject = add_subject(change, project_id, pseudonym)
        scopes = frozenset({"ingest", "scoring"})
        add_consent(change, subject.id, Given(scopes, change.at, notice_shown_at=change.at))
        held = add_session(change, subject.id, "first \u00e9\u4e2d\U0001f600")
        save_settings(change, held.id, seen_version=1, tables={"ecg": {"file": "a.csv"}})
        change.session.add(
            StoredFile(
                session_id=held.id, name="a.csv", sha256="0" * 64, size=5 << 30,
                created_at=change.at,
            )
        )  # fmt: skip
        return held.id


def score(store: Store, session_id: str) -> str:
    """Ask, take up, end; the result's id."""
    with store.writing(None) as change:
        asked = ask_scoring(change, session_id)
        with pytest.raises(StoreError, match="already"):
            ask_scoring(change, session_id)
    with store.reading() as session:
        assert next_job_id(session) == asked.id
    with store.writing(None) as change:
        assert begin_job(change, asked.id) is not None
    with store.writing(None) as change:
        job = end_job(change, asked.id)
        assert job is not None
        return add_result(change, job, {"status": "OK"}).id


def test_users_members_and_logins_are_kept(store: Store) -> None:
    olga, project_id = add_people(store)
    with store.writing(None) as change:
        token = begin_login(change, olga)
    with store.reading() as session:
        known = known_login(session, token, store.clock())
        assert known is not None
        assert known.seen_at == store.clock()
        assert [member.role for member in members_of(session, project_id)] == [
            Role.OWNER, Role.READER,
        ]  # fmt: skip
        assert [project.name for project in projects_of(session, olga)] == ["Anxiety"]


def test_a_session_goes_from_files_to_a_result_that_is_rejected(store: Store) -> None:
    olga, project_id = add_people(store)
    session_id = add_recording(store, olga, project_id, "P 01")
    result_id = score(store, session_id)
    with store.reading() as session:
        found = usable_result(session, session_id)
        assert found is not None
        assert found.id == result_id
        for sort in ("person", "date", "state"):
            page = sessions_of_project(session, project_id, Asked(search="p 0", sort=sort))
            assert [(row.id, row.state) for row in page.rows] == [(session_id, "OK")]
        people = subjects_of(session, project_id, search="P_")
        assert people.rows == []
        assert session.scalars(select(StoredFile.size)).one() == 5 << 30
    with store.writing(olga) as change:
        reject_result(change, result_id, seen_version=1, reason="she \u201cslept\u201d")
    with store.reading() as session:
        assert usable_result(session, session_id) is None
        assert [row.action for row in audit_rows(session, before=None, count=2)] == [
            "result.rejected", "result.added",
        ]  # fmt: skip


def test_W20_who_saves_over_a_newer_version_is_told_and_nothing_is_saved(store: Store) -> None:
    olga, project_id = add_people(store)
    session_id = add_recording(store, olga, project_id, "P01")

    def save(file: str, seen: int) -> None:
        with store.writing(olga) as change:
            save_settings(change, session_id, seen_version=seen, tables={"ecg": {"file": file}})

    save("mine.csv", 2)
    rows = check(store).rows
    with pytest.raises(ConflictError) as told:
        save("yours.csv", 2)
    assert told.value.detail["theirs"] == {"ecg": {"file": "mine.csv"}}
    with store.reading() as session:
        assert session_head(session, session_id).settings == {"ecg": {"file": "mine.csv"}}
    assert check(store).rows == rows


def test_jobs_are_cancelled(store: Store) -> None:
    olga, project_id = add_people(store)
    session_id = add_recording(store, olga, project_id, "P01")
    with store.writing(olga) as change:
        cancel_job(change, ask_scoring(change, session_id).id)
    with store.reading() as session:
        assert open_jobs(session, session_id) == []


def test_G02_an_erased_person_has_no_row_left_and_the_trail_is_whole(store: Store) -> None:
    olga, project_id = add_people(store)
    gone = add_recording(store, olga, project_id, "P01")
    kept = add_recording(store, olga, project_id, "P02")
    score(store, gone)
    score(store, kept)
    with store.reading() as session:
        subject_id = session_head(session, gone).subject_id
    erase_subject(store, subject_id, actor_id=olga, typed="P01")
    with store.reading() as session:
        assert session.scalars(select(Subject.pseudonym)).all() == ["P02"]
        assert session.scalars(select(RecordedSession.id)).all() == [kept]
        assert session.scalars(select(Result.session_id)).all() == [kept]
        assert session.scalars(select(StoredFile.session_id)).all() == [kept]
    state = check(store)
    assert (state.first_bad, state.head_ok) == (None, True)


@pytest.mark.parametrize("removed", [3, 8])
def test_W23_an_altered_trail_is_found(store: Store, removed: int) -> None:
    olga, project_id = add_people(store)
    add_recording(store, olga, project_id, "P01")
    with store.engines.writer.begin() as connection:
        connection.execute(delete(AuditRow).where(AuditRow.sequence == removed))
    assert check(store).first_bad == removed


def test_what_is_there_already_and_what_cannot_be_kept_are_told(store: Store) -> None:
    def save(**values: Any) -> str:
        try:
            with store.writing(None) as change:
                change.session.add(Project(**{"purpose": "x", "created_at": change.at, **values}))
                change.session.flush()
                change.audit("project.added", "project", values.get("id", "-"))
        except StoreError as error:
            return error.code
        return ""

    assert save(id="1", name="a") == ""
    assert save(id="1", name="b") == "E_CONFLICT"
    assert save(id="2", name="c", version=1 << 70) == "E_VALUE"
    with store.reading() as session:
        assert session.scalars(select(Project.name)).all() == ["a"]
        session.add(Project(id="3", name="d", purpose="x", created_at=store.clock()))
        with pytest.raises(Exception, match=r"only|opened"):
            session.flush()
    assert check(store).rows == 1


def test_a_view_stays_as_it_was_beside_changes(store: Store) -> None:
    asked = select(func.count()).select_from(Project)
    with store.reading() as session:
        assert session.scalars(asked).one() == 0
        with store.writing(None) as change:
            change.session.add(Project(name="x", purpose="x", created_at=change.at))
        assert session.scalars(asked).one() == 0
    with store.reading() as session:
        assert session.scalars(asked).one() == 1


def test_two_servers_do_not_write_the_same_chain(
    server: Store, postgresql_url: str, tmp_path: Path
) -> None:
    other = tmp_path / "other", tmp_path / "other-keys"
    with pytest.raises(StoreError) as told:
        open_store(*other, url=postgresql_url)
    assert told.value.code == "E_RUN_LOCKED"
    server.close()
    open_store(*other, url=postgresql_url).close()


def test_a_restarted_server_finds_all_as_it_was(
    server: Store, opened: Opened, postgresql_url: str
) -> None:
    olga, _ = add_people(server)
    before = check(server)
    server.close()
    again = opened(url=postgresql_url)
    assert again.installation_id == server.installation_id
    assert check(again) == before
    with again.reading() as session:
        assert len(projects_of(session, olga)) == 1
    assert make_backup(again) is None, "that is the database server's own business"
    assert not again.places.database.exists()


def test_W03_a_lost_connection_is_told_and_the_next_change_goes_on(
    server: Store, postgresql_url: str
) -> None:
    olga, _ = add_people(server)

    def lose() -> None:
        with server.writing(olga) as change:
            change.session.add(Project(name="x", purpose="x", created_at=change.at))
            change.session.flush()
            end_connections(postgresql_url)
            change.audit("project.added", "project", "0")

    with pytest.raises(StoreError) as told:
        lose()
    assert told.value.code == "E_BUSY"
    rows = check(server).rows
    with server.writing(olga) as change:
        add_project(change, "Later", purpose="therapy", justification="")
    with server.reading() as session:
        assert "x" not in session.scalars(select(Project.name)).all()
    state = check(server)
    assert (state.rows, state.head_ok) == (rows + 1, True)


def end_connections(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_W03_another_programs_lock_is_told_as_busy(server: Store, postgresql_url: str) -> None:
    with server.engines.writer.connect() as connection:  # the one that there is
        connection.execute(text("SET lock_timeout = 50"))
        connection.commit()
    with psycopg.connect(postgresql_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE installation")
        with pytest.raises(StoreError) as told, server.writing(None) as change:
            change.session.execute(update(Installation).values(created_at=change.at))
    assert told.value.code == "E_BUSY"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://tester:secret@127.0.0.1:1/nowhere", "cannot be reached"),
        ("mysql://tester:secret@127.0.0.1/x", "none of PostgreSQL"),
        ("sqlite:///secret", "none of PostgreSQL"),
        ("secret", "none of PostgreSQL"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(
    opened: Opened, url: str, said: str
) -> None:
    with pytest.raises(StoreError, match=said) as told:
        opened(url=url)
    assert told.value.code == "E_DATABASE"
    assert "secret" not in str(told.value)
