"""W02: a real server that is killed (kill -9) 200 times while it takes uploads and saves settings.

    .venv/bin/python benchmarks/server_kills.py [--kills 200] [--seed 1] [--most 60]
        [--folder demo/server-kills]

Two senders upload files in pieces, finish and remove some of them; one more saves a session's marks
over and over; all through HTTP. Each kill comes after 1 to ``--most`` acknowledged writes and a few
ms. After each kill the database must pass SQLite's integrity check, and after each restart
everything that was acknowledged must be there: bytes of half uploads, files with their sha256,
removals, the marks in their last version. Prints "N kills, M acknowledged writes, 0 lost" and keeps
the figures in benchmarks/results/server_kills.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from real_server import RealServer, begin, finish, send

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "server_kills.json"
PIECE = 1 << 16
SENDERS = 2


@dataclass
class Sent:
    """A file of a sender. ``acknowledged`` bytes; ``step``: what was asked for last; ``done``: the
    last step that was acknowledged (None, "begun", "finished" or "removed")."""

    name: str
    content: bytes
    upload_id: str = ""
    file_id: str = ""
    acknowledged: int = 0
    step: str = "begin"
    done: str | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Sender:
    """Uploads one file after the other. ``settled``: sha256 of finished files by name."""

    number: int
    draws: random.Random
    writes: Counter[str]
    current: Sent | None = None
    settled: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def work(self, client: httpx2.Client, session_id: str) -> None:
        """Go on with the file, or begin another one. One acknowledged write, or an exception."""
        if self.current is None:
            self.count += 1
            content = self.draws.randbytes(self.draws.randrange(1, 8 * PIECE))
            self.current = Sent(f"{self.number}-{self.count}.bin", content)
        sent = self.current
        asked = sent.step
        if sent.done is None:
            sent.upload_id = begin(client, session_id, sent.name, len(sent.content))["id"]
            sent.done, sent.step = "begun", "send"
        elif sent.done == "finished":
            self._settle(client, session_id, sent)
            return
        elif sent.acknowledged < len(sent.content):
            piece = sent.content[sent.acknowledged : sent.acknowledged + PIECE]
            sent.acknowledged = send(client, sent.upload_id, sent.acknowledged, piece)
        else:
            asked = sent.step = "finish"
            sent.file_id = finish(client, sent.upload_id)["id"]
            sent.done = "finished"
        self.writes[asked] += 1

    def _settle(self, client: httpx2.Client, session_id: str, sent: Sent) -> None:
        """Keep every fourth file, remove the others."""
        if self.count % 4 == 0:
            self.settled[sent.name] = sent.sha256
            self.current = None
            return
        sent.step = "remove"
        client.delete(f"/api/sessions/{session_id}/files/{sent.file_id}").raise_for_status()
        self.writes["remove"] += 1
        self.current = None

    def check(self, state: dict[str, Any], server: RealServer) -> int:
        """How many acknowledged writes are lost; takes up what the server did unacknowledged."""
        files = {row["name"]: row for row in state["files"]}
        uploads = {row["name"]: row for row in state["uploads"]}
        ours = {name: row["sha256"] for name, row in files.items() if self._is_mine(name)}
        sent = self.current
        lost = sum(ours.get(name) != sha256 for name, sha256 in self.settled.items())
        current = set() if sent is None else {sent.name}
        lost += len(ours.keys() - self.settled.keys() - current)  # a removed one came back
        if sent is None:
            return lost
        if sent.name in files:
            lost += files[sent.name]["sha256"] != sent.sha256 or sent.done is None
            sent.file_id, sent.done = files[sent.name]["id"], "finished"
        elif sent.name in uploads:
            lost += self._check_part(sent, uploads[sent.name], server)
        elif sent.step == "remove":
            self.current = None
        else:
            lost += sent.done is not None
            self.current = None
        return lost

    def _check_part(self, sent: Sent, upload: dict[str, Any], server: RealServer) -> int:
        part = server.data / "uploads" / upload["id"]
        there = part.read_bytes() if part.exists() else b""
        lost = upload["received"] < sent.acknowledged or there != sent.content[: len(there)]
        lost = lost or sent.done == "finished"
        sent.upload_id, sent.acknowledged, sent.done = upload["id"], len(there), "begun"
        sent.step = "send"
        return int(lost)

    def _is_mine(self, name: str) -> bool:
        return name.startswith(f"{self.number}-")


@dataclass
class Marker:
    """Saves the session's marks; the n-th save leaves out the second n."""

    writes: Counter[str]
    version: int = 1
    saved: int = 0

    def work(self, client: httpx2.Client, session_id: str) -> None:
        body = {
            "version": self.version,
            "phases": None,
            "marked": [],
            "excluded": [["all", self.saved + 1, self.saved + 2, "moved"]],
        }
        answer = client.put(f"/api/sessions/{session_id}/marks", json=body)
        answer.raise_for_status()
        self.version, self.saved = answer.json()["version"], self.saved + 1
        self.writes["marks"] += 1

    def check(self, state: dict[str, Any]) -> int:
        """The last acknowledged save is there, or the one that was under way; 1 if neither."""
        there = int(state["excluded"][0][1]) if state["excluded"] else 0
        steps = state["version"] - self.version
        lost = steps not in (0, 1) or there != self.saved + steps
        self.version, self.saved = state["version"], there
        return int(lost)


class Trial:
    """The server and those who write to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.draws = random.Random(seed)
        self.writes: Counter[str] = Counter()
        self.senders = [
            Sender(number, random.Random(seed + 1 + number), self.writes)
            for number in range(SENDERS)
        ]
        self.marker = Marker(self.writes)
        self.server = RealServer(folder)
        self.lost = 0
        self.faults: list[BaseException] = []

    def round(self, writes: int) -> None:
        """Start the server, look whether all is there, write so often and a bit, kill it, look at
        the database."""
        self.server.start()
        session_id = self.server.entry.session_id
        with self.server.client() as client:
            self.look(client, session_id)
        stop = threading.Event()
        work = [sender.work for sender in self.senders] + [self.marker.work]
        threads = [
            threading.Thread(target=self._write, args=(act, session_id, stop)) for act in work
        ]
        for thread in threads:
            thread.start()
        until = self.writes.total() + writes
        while self.writes.total() < until and any(thread.is_alive() for thread in threads):
            time.sleep(self.draws.uniform(0.001, 0.02))
        self.server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        if self.faults:
            raise self.faults[0]
        with sqlite3.connect(self.server.data / "affectscope.sqlite") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()

    def look(self, client: httpx2.Client, session_id: str) -> None:
        """Compare what was acknowledged with what is there."""
        base = f"/api/sessions/{session_id}"
        state = client.get(f"{base}/files").raise_for_status().json()
        for sender in self.senders:
            self.lost += sender.check(state, self.server)
        self.lost += self.marker.check(client.get(f"{base}/marks").raise_for_status().json())

    def look_at_contents(self) -> None:
        """Every file that was kept, byte for byte through HTTP, and nothing else on the disk; the
        server runs."""
        session_id = self.server.entry.session_id
        with self.server.client() as client:
            self.look(client, session_id)
            state = client.get(f"/api/sessions/{session_id}/files").json()
            for row in state["files"]:
                content = client.get(f"/sessions/{session_id}/files/{row['id']}/content").content
                self.lost += hashlib.sha256(content).hexdigest() != row["sha256"]
        contents = {path.name for path in (self.server.data / "files").glob("*/*")}
        assert contents == {row["sha256"] for row in state["files"]}, "contents without a row"
        parts = {path.stem for path in (self.server.data / "uploads").iterdir()}
        assert parts <= {row["id"] for row in state["uploads"]}, "parts without a row"

    def _write(self, act: Any, session_id: str, stop: threading.Event) -> None:
        try:
            with self.server.client() as client:
                while not stop.is_set():
                    act(client, session_id)
        except httpx2.TransportError:
            return
        except BaseException as fault:
            self.faults.append(fault)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=60, help="writes before a kill")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo" / "server-kills")
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    trial = Trial(asked.folder, asked.seed)
    for number in range(asked.kills):
        trial.round(trial.draws.randint(1, asked.most))
        if number % 20 == 19:
            print(
                f"kill {number + 1}: {trial.writes.total()} writes, {trial.lost} lost", flush=True
            )
    with trial.server:
        trial.look_at_contents()
    figures = {"kills": asked.kills, "writes": dict(trial.writes), "lost": trial.lost}
    if asked.kills == parser.get_default("kills"):
        RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(
        f"{asked.kills} kills, {trial.writes.total()} acknowledged writes "
        f"{dict(trial.writes)}, {trial.lost} lost"
    )


if __name__ == "__main__":
    main()
