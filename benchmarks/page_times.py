"""How long pages take with 10,000 sessions and 50 users who are logged in.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/page_times.py [--sessions 10000] [--users 50]
        [--seconds 60] [--folder FOLDER]

Fills a data folder in bulk: 20 sessions a person, each with a file, a result, and the marks and
jobs that come with it; the files of all results are those of one session of a simulated person.
Starts a real server process over it. Each user asks in turn for a project's list of sessions, a
person, and a session, every 2 to 3 s, with a connection of its own. Times are from the sending of a
request to the last byte of its answer, on the machine of the server. Keeps the figures in
benchmarks/results/page_times.json. A few list pages are searched, sorted, or far behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import httpx2
from sqlalchemy import insert

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.io.session import open_session
from affectscope.store.database import Change, Store
from affectscope.store.opening import open_store
from affectscope.store.projects import add_project
from affectscope.store.tables import (
    Consent,
    Job,
    Login,
    Membership,
    RecordedSession,
    Result,
    Role,
    StoredFile,
    Subject,
    User,
    new_id,
)
from affectscope.store.users import begin_login, token_hash
from affectscope.therapy.assessment import assess
from affectscope.therapy.session_outputs import write_outputs
from affectscope.web.access import COOKIE, SEEN_EVERY
from affectscope.web.app import create_app
from affectscope.web.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "page_times.json"
PER_PERSON = 20
PAUSE = (2.0, 3.0)
"""Seconds between two pages of one user."""
REFUSED = {"code": "E_NO_USABLE_MODALITY", "sentence": "Nothing is usable.", "remedy": "Look."}
UNTOLD = dict.fromkeys(REFUSED)
STATUSES = (
    *(3 * [{"status": "OK", **UNTOLD}]),
    {"status": "DEGRADED", **UNTOLD},
    {"status": "REJECTED", **REFUSED},
)
SETTINGS = {"ecg": {"file": "signals.csv", "channel": "ecg", "sampling_rate": 64.0, "unit": "mV"}}


@dataclass
class Filled:
    """What users can ask for."""

    project_id: str
    tokens: list[str]
    subjects: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)


def fill(store: Store, *, sessions: int, users: int) -> Filled:
    result = store.places.data.parent / "result"
    person, course = synthetic_person("P1", 1), therapy_course(40.0, 1)
    signals = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
    place = write_session(store.places.data.parent / "session", person, course, settings=signals)
    write_outputs(assess(open_session(place)), result, pdf=False)
    with store.writing(None) as change:
        members = add_users(change, users)
    with store.writing(members[0]) as change:
        project = add_project(change, "Ten thousand", purpose="research", justification="")
        for user_id in members[1:]:
            change.session.add(Membership(project_id=project.id, user_id=user_id, role=Role.EDITOR))
        tokens = [begin_login(change, user_id) for user_id in members]
        for number, token in enumerate(tokens):  # they did not all come in the same second
            login = change.session.get_one(Login, token_hash(token))
            login.seen_at = change.at - SEEN_EVERY * (number / users)
        filled = Filled(project.id, tokens)
        for number in range(sessions // PER_PERSON):
            add_person(change, filled, number)
    for session_id, result_id in results_of(store):
        folder = store.places.result(session_id, result_id)
        folder.parent.mkdir(parents=True)
        folder.symlink_to(result)
    return filled


def add_users(change: Change, count: int) -> list[str]:
    """Nobody types their passwords."""
    rows = [
        {"id": new_id(), "name": f"user{n}", "password_hash": "-", "created_at": change.at}
        for n in range(count)
    ]
    change.session.execute(insert(User), rows)
    return [row["id"] for row in rows]


def add_person(change: Change, filled: Filled, number: int) -> None:
    chosen, at = random.Random(number), change.at
    subject_id = new_id()
    filled.subjects.append(subject_id)
    change.session.execute(
        insert(Subject),
        [
            {
                "id": subject_id, "project_id": filled.project_id, "created_at": at,
                "pseudonym": f"P{number:04}",
            }
        ],
    )  # fmt: skip
    change.session.execute(
        insert(Consent),
        [
            {
                "id": new_id(), "subject_id": subject_id, "scopes": ["ingest", "scoring"],
                "given_at": at, "notice_shown_at": at,
            }
        ],
    )  # fmt: skip
    held = [new_id() for _ in range(PER_PERSON)]
    filled.sessions += held
    times = [at - timedelta(minutes=chosen.randrange(10**6)) for _ in held]
    change.session.execute(
        insert(RecordedSession),
        [
            {
                "id": session_id, "subject_id": subject_id, "label": f"session {n}",
                "settings": SETTINGS, "created_at": when,
            }
            for n, (session_id, when) in enumerate(zip(held, times, strict=True))
        ],
    )  # fmt: skip
    change.session.execute(
        insert(StoredFile),
        [
            {
                "id": new_id(), "session_id": session_id, "name": "signals.csv",
                "sha256": f"{number:064x}", "size": 10**6, "created_at": when,
            }
            for session_id, when in zip(held, times, strict=True)
        ],
    )  # fmt: skip
    add_jobs_and_results(change, filled.project_id, held, chosen)


def add_jobs_and_results(
    change: Change, project_id: str, held: list[str], chosen: random.Random
) -> None:
    at = change.at
    for kind in ("inspect", "score"):
        change.session.execute(
            insert(Job),
            [
                {
                    "id": new_id(), "kind": kind, "state": "done", "project_id": project_id,
                    "session_id": session_id, "created_at": at, "ended_at": at,
                    "detail": {"settings": SETTINGS, "settings_version": 1},
                }
                for session_id in held
            ],
        )  # fmt: skip
    change.session.execute(
        insert(Result),
        [
            {
                "id": new_id(), "session_id": session_id, "settings": SETTINGS,
                "settings_version": 1, "created_at": at, **chosen.choice(STATUSES),
            }
            for session_id in held
        ],
    )  # fmt: skip


def results_of(store: Store) -> Iterator[tuple[str, str]]:
    from affectscope.store.results import known_results

    with store.reading() as session:
        yield from known_results(session)


def serve(data: Path, keys: Path, listening: socket.socket) -> None:
    """The server's process."""
    import uvicorn

    settings = Settings(data, keys, port=listening.getsockname()[1])
    app = create_app(open_store(data, keys), settings)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


async def use(filled: Filled, address: str, seconds: float) -> dict[str, list[float]]:
    """All users at once; kind of page -> ms that each took."""
    times: dict[str, list[float]] = {"list": [], "person": [], "session": []}
    await asyncio.gather(
        *(
            one_user(filled, address, number=number, until=time.monotonic() + seconds, times=times)
            for number in range(len(filled.tokens))
        )
    )
    return times


async def one_user(
    filled: Filled, address: str, *, number: int, until: float, times: dict[str, list[float]]
) -> None:
    chosen = random.Random(number)
    cookies = {COOKIE: filled.tokens[number]}
    async with httpx2.AsyncClient(base_url=address, cookies=cookies, timeout=30) as client:
        await asyncio.sleep(chosen.uniform(0, PAUSE[1]))
        kinds = [*times] * 2
        while time.monotonic() < until:
            for kind in kinds[number % len(times) :][: len(times)]:
                path = path_of(kind, filled, chosen)
                begun = time.perf_counter()
                answer = await client.get(path, headers={"Accept": "text/html"})
                times[kind].append(1000 * (time.perf_counter() - begun))
                assert answer.status_code == 200, f"{kind}: {answer.status_code}"
                await asyncio.sleep(chosen.uniform(*PAUSE))


def path_of(kind: str, filled: Filled, chosen: random.Random) -> str:
    if kind == "person":
        return f"/subjects/{chosen.choice(filled.subjects)}"
    if kind == "session":
        return f"/sessions/{chosen.choice(filled.sessions)}"
    query = chosen.choice(
        ["", "", "", "", "?page=2", f"?page={chosen.randrange(1, 200)}", "?sort=person",
         f"?search=P{chosen.randrange(500):04}", "?search=session+7", "?sort=state"]
    )  # fmt: skip
    return f"/projects/{filled.project_id}{query}"


def figures(times: list[float]) -> dict[str, float]:
    """Count, and percentiles and maximum in ms."""
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
    return {"count": len(times), **{name: round(value, 1) for name, value in found.items()}}


def measure(folder: Path, *, sessions: int, users: int, seconds: float) -> dict[str, object]:
    data, keys = folder / "data", folder / "keys"
    store = open_store(data, keys)
    filled = fill(store, sessions=sessions, users=users)
    store.close()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = get_context("spawn").Process(target=serve, args=(data, keys, listening))
        server.start()
        try:
            asyncio.run(use(filled, address, 5.0))  # what is done once in a process is not counted
            times = asyncio.run(use(filled, address, seconds))
        finally:
            server.terminate()
            server.join()
    return {
        "sessions": len(filled.sessions),
        "users": users,
        "pages": {kind: figures(found) for kind, found in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        found = measure(
            asked.folder or Path(own),
            sessions=asked.sessions, users=asked.users, seconds=asked.seconds,
        )  # fmt: skip
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{found['sessions']} sessions, {found['users']} users; ms")
    pages = found["pages"]
    assert isinstance(pages, dict)
    for kind, row in pages.items():
        print(f"{kind:8}", *(f"{name} {value}" for name, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
