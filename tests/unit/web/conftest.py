"""A whole page over a data folder of its own, with users of every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from affectscope.store.database import Store
from affectscope.store.opening import open_store
from affectscope.store.projects import add_project
from affectscope.store.tables import Consent, Membership, RecordedSession, Role, Subject
from affectscope.store.users import begin_login, known_login
from affectscope.web.access import COOKIE, CSRF
from affectscope.web.app import create_app
from affectscope.web.settings import Settings

ORIGIN = "http://127.0.0.1:8420"


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **duration: float) -> None:
        self.time += timedelta(**duration)


@dataclass
class Site:
    """Attributes:
    users: name -> user id. "anna" administrates and owns the project, "rita" reads in it, "edgar"
        edits, "olga" owns, "mallory" is a user without any project.
    project_id, subject_id, session_id: one of each; the subject "P01" has consented to everything.
    """

    store: Store
    app: FastAPI
    clock: Clock
    users: dict[str, str]
    project_id: str
    subject_id: str
    session_id: str

    def client(self, name: str | None = None) -> TestClient:
        """A browser in which the user is logged in; None: nobody."""
        client = TestClient(self.app, base_url=ORIGIN, headers={"Origin": ORIGIN})
        if name is not None:
            with self.store.writing(None) as change:
                token = begin_login(change, self.users[name])
            with self.store.reading() as session:
                known = known_login(session, token, self.clock())
            assert known is not None
            client.cookies.set(COOKIE, token)
            client.headers[CSRF] = known.csrf_token
        return client


def add_users(store: Store, project_id: str | None = None) -> dict[str, str]:
    """Users with a cheap password hash, since nobody types it here."""
    from affectscope.store.tables import User

    users: dict[str, str] = {}
    roles = {"rita": Role.READER, "edgar": Role.EDITOR, "olga": Role.OWNER, "anna": Role.OWNER}
    with store.writing(None) as change:
        for name in ("anna", "rita", "edgar", "olga", "mallory"):
            user = User(
                name=name, password_hash="-", administrator=name == "anna", created_at=change.at
            )
            change.session.add(user)
            change.session.flush()
            users[name] = user.id
    with store.writing(users["anna"]) as change:
        project = add_project(change, "Anxiety", purpose="therapy", justification="")
        for name, role in roles.items():
            if name != "anna":
                change.session.add(
                    Membership(project_id=project.id, user_id=users[name], role=role)
                )
        users["project"] = project.id
    return users


def add_subject(store: Store, project_id: str, pseudonym: str) -> tuple[str, str]:
    """A subject who consented to everything, with one session; their ids."""
    with store.writing(None) as change:
        subject = Subject(project_id=project_id, pseudonym=pseudonym, created_at=change.at)
        change.session.add(subject)
        change.session.flush()
        change.session.add(
            Consent(
                subject_id=subject.id,
                scopes=["ingest", "scoring", "training", "export"],
                given_at=change.at,
                notice_shown_at=change.at,
            )
        )
        session = RecordedSession(
            subject_id=subject.id, label="first", settings={}, created_at=change.at
        )
        change.session.add(session)
        change.session.flush()
        return subject.id, session.id


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """``make_site(**settings)`` -> a Site."""
    stores: list[Store] = []

    def make(**asked: Any) -> Site:
        clock = Clock()
        data, keys = tmp_path / "data", tmp_path / "keys"
        store = open_store(data, keys, clock=clock)
        stores.append(store)
        users = add_users(store)
        project_id = users.pop("project")
        subject_id, session_id = add_subject(store, project_id, "P01")
        app = create_app(store, Settings(data, keys, **asked))
        return Site(store, app, clock, users, project_id, subject_id, session_id)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
