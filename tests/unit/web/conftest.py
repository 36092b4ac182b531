"""A whole page over a data folder of its own, with users of every role."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.testclient import TestClient

from affectscope.store.backups import make_backup
from affectscope.store.database import Store
from affectscope.store.jobs import ask_scoring
from affectscope.store.opening import open_store
from affectscope.store.projects import add_project
from affectscope.store.running_jobs import begin_job, end_job
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
from affectscope.web.job_kinds import KINDS
from affectscope.web.settings import Settings
from affectscope.web.work import make_work

ORIGIN = "http://127.0.0.1:8420"


@dataclass
class Site:
    """Attributes:
    users: name -> user id. "anna" administrates and owns the project, "rita" reads in it, "edgar"
        edits, "olga" owns, "mallory" is a user without any project.
    project_id, subject_id, session_id: one of each; the subject "P01" has consented to everything.
    portal: the event loop that all browsers share; a new one for each request takes time.
    """

    store: Store
    app: FastAPI
    clock: Any
    users: dict[str, str]
    project_id: str
    subject_id: str
    session_id: str
    portal: BlockingPortal

    def client(self, name: str | None = None) -> TestClient:
        """A browser in which the user is logged in; None: nobody."""
        client = TestClient(self.app, base_url=ORIGIN, headers={"Origin": ORIGIN})
        client.portal = self.portal
        if name is not None:
            with self.store.writing(None) as change:
                token = begin_login(change, self.users[name])
            with self.store.reading() as session:
                known = known_login(session, token, self.clock())
            assert known is not None
            client.cookies.set(COOKIE, token)
            client.headers[CSRF] = known.csrf_token
        return client

    def carry_out(self, job_id: str) -> None:
        """A job that waits, as the runner and its worker do it, in this process."""
        with self.store.writing(None) as change:
            job = begin_job(change, job_id)
        assert job is not None
        kind = KINDS[job.kind]
        task = kind.task(self.store, self.app.state.settings, job)
        make_work()(task, lambda _share=None: None)
        with self.store.writing(None) as change:
            done = end_job(change, job_id)
            assert done is not None
            kind.finish(change, self.store, done)


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
def first_site(
    tmp_path_factory: pytest.TempPathFactory, new_clock: Callable[[], Any]
) -> tuple[Path, dict[str, str]]:
    """A folder with the data and the keys that every site begins as, and the ids in it. It has a
    backup, so that opening a site makes none."""
    folder = tmp_path_factory.mktemp("first-site")
    store = open_store(folder / "data", folder / "keys", clock=new_clock())
    ids = add_users(store)
    ids["subject"], ids["session"] = add_subject(store, ids["project"], "P01")
    make_backup(store)
    store.close()
    return folder, ids


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as started:
        yield started


@pytest.fixture
def make_site(
    tmp_path: Path, first_site: tuple[Path, dict[str, str]], clock: Any, portal: BlockingPortal
) -> Iterator[Callable[..., Site]]:
    """``make_site(**settings)`` -> a Site."""
    stores: list[Store] = []

    def make(**asked: Any) -> Site:
        folder, ids = first_site
        data, keys = tmp_path / "data", tmp_path / "keys"
        for place in (data, keys):
            shutil.copytree(folder / place.name, place)
        store = open_store(data, keys, clock=clock)
        stores.append(store)
        users = dict(ids)
        found = [users.pop(name) for name in ("project", "subject", "session")]
        app = create_app(store, Settings(data, keys, **asked))
        return Site(store, app, clock, users, *found, portal)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


# A session with recordings and a result ------------------------------------------------------


def simulate(folder: Path, number: int, seconds: float) -> Path:
    """The folder of a simulated person's session, body only."""
    from affectscope.datasets.synthetic import (
        SyntheticSettings,
        synthetic_person,
        therapy_course,
        write_session,
    )

    person, course = synthetic_person(f"P{number}", number), therapy_course(seconds, number)
    settings = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
    return write_session(folder, person, course, settings=settings)


@pytest.fixture(scope="session")
def short_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("simulated") / "short", 1, 24.0)


def leave_out_pdf(patch: pytest.MonkeyPatch) -> None:
    """As where the extra "pdf" is not installed: drawing takes longer than all else."""
    patch.setitem(sys.modules, "weasyprint", None)


@pytest.fixture
def without_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_pdf(monkeypatch)


@pytest.fixture(scope="session")
def scored_folder(short_session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scoring that session writes, without PDF."""
    from affectscope.web.score_task import ScoreTask, Scoring

    output = tmp_path_factory.mktemp("scored") / "result"
    with pytest.MonkeyPatch.context() as patch:
        leave_out_pdf(patch)
        Scoring()(ScoreTask(short_session, output, None, 1.0), lambda _share=None: None)
    return output


@pytest.fixture(scope="session")
def assessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three simulated people, in r0 to r2; the reports in HTML only."""
    from affectscope.io.session import open_session
    from affectscope.therapy.assessment import assess
    from affectscope.therapy.session_outputs import write_outputs

    folder = tmp_path_factory.mktemp("assessed")
    for number in range(3):
        place = simulate(folder / f"s{number}", number, 40.0)
        write_outputs(assess(open_session(place)), folder / f"r{number}", pdf=False)
    return folder


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
        ready.clock.turn(seconds=1)
        return result_id

    return add


@pytest.fixture
def scored(add_scored: Callable[[], str]) -> str:
    """The id of the session's first result."""
    return add_scored()
