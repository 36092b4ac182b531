"""A page with one of everything, which can be put right again after whatever was done to it."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import delete
from starlette.types import Receive, Scope, Send

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.store import tables
from affectscope.store.first_start import new_first_token
from affectscope.store.opening import open_store
from affectscope.store.passwords import Passwords
from affectscope.store.users import token_hash
from affectscope.web.access import COOKIE, CSRF
from affectscope.web.app import create_app
from affectscope.web.inspect_task import InspectTask, inspect_files
from affectscope.web.login_limits import LoginLimits
from affectscope.web.routes_products import STUDY_FILES, STUDY_PAGE
from affectscope.web.score_task import ScoreTask, Scoring
from affectscope.web.settings import Settings

ORIGIN = "http://127.0.0.1:8420"
PASSWORD = "nine green bottles"
HIDDEN = "hidden-from-anna"
"""Name of a project that anna is no member of: no answer may hold it."""
_KINDS = (
    "project", "subject", "session", "upload", "job", "result", "product", "consent", "file",
    "user", "study", "other", "hidden",
)  # fmt: skip
IDENTITIES = {kind: f"{number:032x}" for number, kind in enumerate(_KINDS, 1)}
_ANNA = IDENTITIES["user"]
_LARGEST = 1 << 20
"""Bytes of an upload here: a larger one may be refused with 507 on a small disk, as it should."""


class World:
    """Anna administrates and owns a project, is logged in, and everything else has a known id.

    Args:
        folder: empty; the data folder and a simulated session, which is scored once, come there.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._scored, self._inspected = folder / "scored", folder / "inspected.json"
        self._session = _simulated(folder, self._scored, self._inspected)
        self.store = open_store(self.data, folder / "keys")
        settings = Settings(self.data, folder / "keys", largest_upload=_LARGEST)
        self.app = create_app(self.store, settings)
        # Cheap, since a thousand passwords are typed here.
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.app.state.passwords = Passwords(hasher)
        self._hash = hasher.hash(PASSWORD.encode())
        self.first_token = new_first_token(self.store.places)
        self._turns = count()
        self.headers = {
            "Origin": ORIGIN,
            CSRF: "token of the page",
            "Cookie": f"{COOKIE}=token of the cookie",
        }
        self.mend()

    def client(self) -> TestClient:
        """To be used in ``with``; no jobs are carried out."""
        return TestClient(self._without_jobs, base_url=ORIGIN, raise_server_exceptions=False)

    async def _without_jobs(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for told in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{told}.complete"})

    def mend(self) -> None:
        """Everything is there again, in version 1; jobs and decisions take turns in their state."""
        self.app.state.login_limits = LoginLimits()
        odd = next(self._turns) % 2
        self._mend_files()
        part = self.store.places.uploads / IDENTITIES["upload"]
        part.write_bytes(b"half" * (1 + odd))
        with self.store.writing(None) as change:
            for table, kind in ((tables.Job, "job"), (tables.StoredFile, "file")):
                change.session.execute(delete(table).where(table.id != IDENTITIES[kind]))
            for row in [*self._people(change.at), *self._things(change.at, odd)]:
                change.session.merge(row)

    def _mend_files(self) -> None:
        places, session_id = self.store.places, IDENTITIES["session"]
        signals = (self._session / "signals.csv").read_bytes()
        content = places.content(hashlib.sha256(signals).hexdigest())
        for path in (content, places.input(session_id) / "signals.csv"):
            _put(path, signals)
        _put(places.inspection(session_id), self._inspected.read_bytes())
        _put(places.export(IDENTITIES["product"]), b"PK\5\6" + bytes(18))
        for name in (*STUDY_FILES, STUDY_PAGE):
            _put(places.study(IDENTITIES["study"]) / name, b"<p>Study</p>")
        result = places.result(session_id, IDENTITIES["result"])
        if not result.is_dir():
            shutil.copytree(self._scored, result)

    def _people(self, at: datetime) -> list[tables.Base]:
        users = {_ANNA: "anna", IDENTITIES["other"]: "olga"}
        return [
            *(
                tables.User(
                    id=user_id, name=name, password_hash=self._hash, administrator=True,
                    disabled=False, created_at=at, version=1,
                )
                for user_id, name in users.items()
            ),
            tables.Login(
                token_hash=token_hash("token of the cookie"), user_id=_ANNA,
                csrf_token="token of the page", created_at=at, seen_at=at,
            ),
            *(
                tables.Project(
                    id=IDENTITIES[kind], name=name, purpose="therapy", justification="",
                    created_at=at, version=1,
                )
                for kind, name in (("project", "Anxiety"), ("hidden", HIDDEN))
            ),
            *(
                tables.Membership(
                    project_id=IDENTITIES["project"], user_id=user_id, role=tables.Role.OWNER
                )
                for user_id in users
            ),
            tables.Subject(
                id=IDENTITIES["subject"], project_id=IDENTITIES["project"], pseudonym="P01",
                erasing=False, created_at=at, version=1,
            ),
            tables.Consent(
                id=IDENTITIES["consent"], subject_id=IDENTITIES["subject"],
                scopes=["ingest", "scoring", "training", "export"], given_at=at,
                expires_at=None, withdrawn_at=None, notice_shown_at=at,
            ),
        ]  # fmt: skip

    def _things(self, at: datetime, odd: int) -> list[tables.Base]:
        own = {"session_id": IDENTITIES["session"], "created_at": at}
        signals = (self._session / "signals.csv").read_bytes()
        digest, settings = hashlib.sha256(signals).hexdigest(), _settings(self._session)
        return [
            tables.RecordedSession(
                id=IDENTITIES["session"], subject_id=IDENTITIES["subject"], label="first",
                settings=settings, created_at=at, version=1,
            ),
            tables.StoredFile(
                id=IDENTITIES["file"], name="signals.csv", sha256=digest, size=len(signals), **own
            ),
            tables.Upload(
                id=IDENTITIES["upload"], name="half.bin", size=8, sha256=None, touched_at=at, **own
            ),
            tables.Job(
                id=IDENTITIES["job"], kind="score", state="waiting" if odd else "done",
                project_id=IDENTITIES["project"], subject_id=IDENTITIES["subject"], share=0.0,
                asked_by=None, detail={}, tries=0, code=None, sentence=None, remedy=None,
                started_at=None, ended_at=None if odd else at, **own,
            ),
            tables.Result(
                id=IDENTITIES["result"], settings=settings, settings_version=1, status="OK",
                code=None, sentence=None, remedy=None, rejected_at=at if odd else None,
                rejected_by=_ANNA if odd else None, rejection_reason="odd" if odd else None,
                version=1, **own,
            ),
            tables.Answers(
                id=IDENTITIES["session"], session_id=IDENTITIES["session"],
                questionnaire="GAD-7", time="before", answers={"1": 2}, version=1,
            ),
            *(
                tables.Product(
                    id=IDENTITIES[name], kind=kind, project_id=IDENTITIES["project"],
                    subject_id=None, ready=True, detail=detail, created_at=at,
                )
                for name, kind, detail in (
                    ("study", "study", {"results": [], "left_out": {}}),
                    ("product", "export",
                     {"purpose": "training", "subjects": [], "left_out": {}, "size": 22}),
                )
            ),
        ]  # fmt: skip


def _put(path: Path, content: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _settings(session: Path) -> dict[str, Any]:
    import tomllib

    stated = tomllib.loads((session / "session.toml").read_text())
    told: dict[str, Any] = json.loads(
        json.dumps({n: stated[n] for n in ("simulated", "ecg", "eda")})
    )
    return told


def _simulated(folder: Path, scored: Path, inspected: Path) -> Path:
    """A session of 24 s, body only, what scoring it writes, and what looking at its files finds."""
    settings = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
    person, course = synthetic_person("simulated-01", 1), therapy_course(24.0, 1)
    session = write_session(folder / "session", person, course, settings=settings)
    Scoring()(ScoreTask(session, scored, None, 1.0), lambda _share=None: None)
    files = folder / "files"
    files.mkdir()
    shutil.copyfile(session / "signals.csv", files / "signals.csv")
    inspect_files(InspectTask(files, inspected), lambda _share=None: None)
    return session
