"""A whole page over a data folder of its own, with users of every role."""

from __future__ import annotations

import shutil
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
from affectscope.store.tables import (
    Consent,
    Membership,
    RecordedSession,
    Role,
    StoredFile,
    Subject,
)
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


@pytest.fixture(scope="session")
def first_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the data and the keys that every site begins as, and the ids in it."""
    folder = tmp_path_factory.mktemp("first-site")
    store = open_store(folder / "data", folder / "keys", clock=Clock())
    ids = add_users(store)
    ids["subject"], ids["session"] = add_subject(store, ids["project"], "P01")
    store.close()
    return folder, ids


@pytest.fixture
def make_site(
    tmp_path: Path, first_site: tuple[Path, dict[str, str]]
) -> Iterator[Callable[..., Site]]:
    """``make_site(**settings)`` -> a Site."""
    stores: list[Store] = []

    def make(**asked: Any) -> Site:
        folder, ids = first_site
        clock = Clock()
        data, keys = tmp_path / "data", tmp_path / "keys"
        for place in (data, keys):
            shutil.copytree(folder / place.name, place)
        store = open_store(data, keys, clock=clock)
        stores.append(store)
        users = dict(ids)
        found = [users.pop(name) for name in ("project", "subject", "session")]
        app = create_app(store, Settings(data, keys, **asked))
        return Site(store, app, clock, users, *found)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


# A session with recordings and a result ------------------------------------------------------


@pytest.fixture(scope="session")
def short_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a simulated session of 24 s, body only."""
    from affectscope.datasets.synthetic import (
        SyntheticSettings,
        synthetic_person,
        therapy_course,
        write_session,
    )

    folder = tmp_path_factory.mktemp("simulated") / "short"
    settings = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
    return write_session(
        folder, synthetic_person("simulated-01", 1), therapy_course(24.0, 1), settings=settings
    )


@pytest.fixture(scope="session")
def scored_folder(short_session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scoring that session writes."""
    from affectscope.web.scoring import ScoreTask, Scoring

    output = tmp_path_factory.mktemp("scored") / "result"
    Scoring()(ScoreTask(short_session, output, None, 1.0), lambda _share=None: None)
    return output


@pytest.fixture
def ready(site: Site, short_session: Path) -> Site:
    """The site; its session has the short session's files and is set up."""
    put_in(site, short_session)
    return site


def put_in(site: Site, folder: Path) -> None:
    """The files of a session's folder become those of the site's session, settings too."""
    import hashlib
    import tomllib

    stated = tomllib.loads((folder / "session.toml").read_text())
    tables = {name: stated[name] for name in ("ecg", "eda", "simulated")}
    target = site.store.places.input(site.session_id)
    target.mkdir(parents=True)
    content = (folder / "signals.csv").read_bytes()
    shutil.copy(folder / "signals.csv", target)
    with site.store.writing(None) as change:
        held = change.session.get(RecordedSession, site.session_id)
        assert held is not None
        held.settings = tables
        change.session.add(
            StoredFile(
                session_id=site.session_id,
                name="signals.csv",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                created_at=change.at,
            )
        )


@pytest.fixture
def add_scored(ready: Site, scored_folder: Path) -> Callable[[], str]:
    """``add_scored()`` -> the id of a new result of the session, as the runner makes it."""
    from affectscope.store.jobs import ask_scoring
    from affectscope.store.running_jobs import begin_job, end_job
    from affectscope.web.job_kinds import KINDS

    def add() -> str:
        store = ready.store
        with store.writing(ready.users["edgar"]) as change:
            asked = ask_scoring(change, ready.session_id).id
        with store.writing(None) as change:
            job = begin_job(change, asked)
        assert job is not None
        result_id = str(job.detail["try_id"])
        shutil.copytree(scored_folder, store.places.result(ready.session_id, result_id))
        with store.writing(None) as change:
            job = end_job(change, asked)
            assert job is not None
            KINDS["score"].finish(change, store, job)
        ready.clock.forward(seconds=1)
        return result_id

    return add


@pytest.fixture
def scored(add_scored: Callable[[], str]) -> str:
    """The id of the session's first result."""
    return add_scored()
