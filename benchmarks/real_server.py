"""A real server process over a data folder of its own, for other benchmarks and for tests.

    .venv/bin/python benchmarks/real_server.py DATA KEYS

makes the folders ready, prints the port, and serves until it is ended. Jobs are not carried out.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

ENTRY = "entry.json"
"""In the folder of the keys: how to get in."""


@dataclass(frozen=True)
class Entry:
    """A login of a user who owns a project with one session of one simulated person."""

    cookie: str
    csrf_token: str
    session_id: str


class RealServer:
    """A server process that can be killed and started again; use it in ``with``.

    Args:
        environment: variables of the process beside our own.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data, self.keys = folder / "data", folder / "keys"
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> RealServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, __file__, str(self.data), str(self.keys)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=self._environment
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            raise SystemExit("the server did not start")
        self.port = int(said)

    def kill(self) -> None:
        """As hard as it can be."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.process = None

    @property
    def entry(self) -> Entry:
        return Entry(**json.loads((self.keys / ENTRY).read_text()))

    def client(self) -> httpx2.Client:
        """A browser in which the user is logged in."""
        entry, address = self.entry, f"http://127.0.0.1:{self.port}"
        headers = {"Origin": address, "X-CSRF-Token": entry.csrf_token}
        cookies = {"affectscope_login": entry.cookie}
        return httpx2.Client(base_url=address, headers=headers, cookies=cookies, timeout=600)


def begin(client: httpx2.Client, session_id: str, name: str, size: int) -> dict[str, Any]:
    """Announce a file."""
    announced = {"name": name, "size": size}
    return _told(client.post(f"/api/sessions/{session_id}/uploads", json=announced))


def send(client: httpx2.Client, upload_id: str, offset: int, piece: bytes) -> int:
    """Send a piece. Returns what the server has."""
    headers = {"Content-Type": "application/octet-stream"}
    path = f"/api/uploads/{upload_id}?offset={offset}"
    return int(_told(client.put(path, content=piece, headers=headers))["received"])


def finish(client: httpx2.Client, upload_id: str) -> dict[str, Any]:
    """Make it a file of the session."""
    return _told(client.post(f"/api/uploads/{upload_id}/finish"))


def _told(answer: httpx2.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise RuntimeError(f"{answer.status_code} {answer.text}")
    told: dict[str, Any] = answer.json()
    return told


def prepare(data: Path, keys: Path) -> None:
    """A user, a project, a person who consented, a session; once."""
    from affectscope.store.opening import open_store
    from affectscope.store.projects import add_project
    from affectscope.store.tables import Consent, RecordedSession, Subject, User
    from affectscope.store.users import begin_login, known_login

    store = open_store(data, keys)
    with store.writing(None) as change:
        user = User(name="olga", password_hash="-", administrator=False, created_at=change.at)
        change.session.add(user)
        change.session.flush()
        token = begin_login(change, user.id)
    with store.writing(user.id) as change:
        project = add_project(change, "Simulated", purpose="research", justification="")
        subject = Subject(project_id=project.id, pseudonym="P01", created_at=change.at)
        change.session.add(subject)
        change.session.flush()
        change.session.add(
            Consent(subject_id=subject.id, scopes=["ingest", "scoring"], given_at=change.at)
        )
        session = RecordedSession(
            subject_id=subject.id, label="first", settings={}, created_at=change.at
        )
        change.session.add(session)
    with store.reading() as reading:
        known = known_login(reading, token, store.clock())
    assert known is not None
    entry = Entry(token, known.csrf_token, session.id)
    store.close()
    (keys / ENTRY).write_text(json.dumps(asdict(entry)))


def serve(data: Path, keys: Path) -> None:
    """As ``affectscope serve`` does, but at a free port and without the runner of jobs."""
    import uvicorn

    from affectscope.store.opening import open_store
    from affectscope.store.uploads import sweep
    from affectscope.web.app import create_app
    from affectscope.web.settings import Settings

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    port = listening.getsockname()[1]
    store = open_store(data, keys)
    sweep(store)
    app = create_app(store, Settings(data, keys, port=port))
    print(port, flush=True)
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    folders = Path(sys.argv[1]), Path(sys.argv[2])
    if not (folders[1] / ENTRY).exists():
        prepare(*folders)
    serve(*folders)
