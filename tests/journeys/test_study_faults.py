"""A study that is killed, runs out of disk, and meets broken sessions: one row each, none twice.

One study of 24 small sessions, half of them broken, goes through it all, in this order: its whole
process group is killed; only its parent is killed; the disk is full (where this machine lets us
make a small one); it ends. The tests look at what each of them left.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.errors import ModelError
from affectscope.therapy.study.question import StudyAsked
from affectscope.therapy.study.run import run_sessions

GOOD, BROKEN = 12, 12
SETTINGS = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
SMALL_DISK = "2600k"
"""Holds about ten of the twelve good sessions, and a megabyte, free, is asked for at the start."""

Rows = dict[str, tuple[int, int]]
"""Session -> when its result.json was written (ns), and its inode."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 sessions on two levels: 12 good ones, 12 that are broken, each in its own way."""
    folder = tmp_path_factory.mktemp("sessions")
    for number in range(GOOD + BROKEN):
        place = folder / f"p{number // 4}" / f"s{number % 4}"
        person = synthetic_person(f"P{number // 4}", number)
        write_session(place, person, therapy_course(40.0, number), settings=SETTINGS)
        if number % 2:
            spoil(place, number // 2)
    return folder


def spoil(session: Path, way: int) -> None:
    """Break a session in one of six ways; each leaves nothing that can be used."""
    signals, toml = session / "signals.csv", session / "session.toml"
    match way % 6:
        case 0:
            signals.unlink()
        case 1:
            signals.write_bytes(b"")
        case 2:
            signals.write_bytes(bytes(range(256)) * 40)
        case 3:
            toml.write_text(toml.read_text().replace("format = 1", "format = "))
        case 4:
            toml.write_text(toml.read_text().replace("signals.csv", "../signals.csv"))
        case _:
            lines = signals.read_text().splitlines()
            flat = [f"{line.split(',')[0]},0.1,0.0" for line in lines[1:]]
            signals.write_text("\n".join([lines[0], *flat]) + "\n")


def started(data: Path, out: Path, processes: int) -> subprocess.Popen[str]:
    """The command, in a process group of its own."""
    command = [sys.executable, "-m", "affectscope", "study", str(data), "--out", str(out)]
    command += ["--no-pdf", "--processes", str(processes)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def rows(out: Path) -> Rows:
    found = {}
    for path in out.glob("sessions/*/result.json"):
        status = path.stat()
        found[path.parent.name] = (status.st_mtime_ns, status.st_ino)
    return found


def until_more_rows(run: subprocess.Popen[str], out: Path, more: int) -> None:
    before = len(rows(out))
    while len(rows(out)) < before + more:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)


@dataclass
class Ran:
    """What each step of the study left: ``after`` its name the rows, and what was said."""

    out: Path
    after: dict[str, Rows]
    status: int = 0
    said: str = ""
    full: tuple[int, str] | None = None
    torn: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """A folder on a small disk, or an ordinary one where no disk can be made."""
    folder = tmp_path_factory.mktemp("disk")
    options = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    small = sys.platform == "linux" and os.geteuid() == 0
    small = small and subprocess.run(options, check=False, capture_output=True).returncode == 0
    yield folder, small
    if small:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def ran(sessions: Path, disk: tuple[Path, bool]) -> Ran:
    """The whole story."""
    folder, small = disk
    found = Ran(folder / "study", {})
    run = started(sessions, found.out, 2)
    until_more_rows(run, found.out, 2)
    time.sleep(random.Random(1).uniform(0.0, 0.4))
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    found.after["group killed"] = rows(found.out)
    run = started(sessions, found.out, 1)
    until_more_rows(run, found.out, 2)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    found.after["parent killed"] = rows(found.out)
    if small:
        run = started(sessions, found.out, 1)
        _, errors = run.communicate()
        found.full = run.returncode, errors
        found.torn = tuple(path.name for path in found.out.rglob(".affectscope-tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    found.after["disk full"] = rows(found.out)
    run = started(sessions, found.out, 1)
    found.said, errors = run.communicate()
    found.status = run.returncode
    assert found.status == 0, errors
    psutil.wait_procs(workers, timeout=30)
    assert not [worker for worker in workers if worker.is_running()]
    found.after["end"] = rows(found.out)
    return found


def results(out: Path) -> dict[str, dict]:
    return {
        path.parent.name: json.loads(path.read_text())
        for path in sorted(out.glob("sessions/*/result.json"))
    }


def test_B01_after_kills_every_session_has_exactly_one_row(ran: Ran, sessions: Path) -> None:
    names = {f"{path.parent.parent.name}__{path.parent.name}" for path in sessions.rglob("*.toml")}
    assert set(ran.after["end"]) == names
    assert len(names) == GOOD + BROKEN
    with (ran.out / "sessions.csv").open(encoding="utf-8-sig") as table:
        listed = [row[next(iter(row))] for row in csv.DictReader(table)]
    assert len(listed) == len(set(listed)) == GOOD + BROKEN


def test_B01_finished_work_is_never_redone(ran: Ran) -> None:
    assert len(ran.after["group killed"]) >= 2
    assert len(ran.after["group killed"]) < len(ran.after["parent killed"]) < GOOD + BROKEN
    for step in ("group killed", "parent killed", "disk full"):
        for name, written in ran.after[step].items():
            assert ran.after["end"][name] == written, (step, name)


def test_B07_the_same_command_goes_on_after_the_whole_group_was_killed(ran: Ran) -> None:
    assert len(ran.after["group killed"]) < GOOD + BROKEN
    assert (ran.status, ran.after["end"].keys()) == (0, results(ran.out).keys())
    assert f"{GOOD + BROKEN} sessions" in ran.said
    assert (ran.out / "study.html").exists()


def test_B03_half_broken_sessions_are_all_accounted_for(ran: Ran) -> None:
    counts = Counter(result["status"] for result in results(ran.out).values())
    assert counts["OK"] + counts["DEGRADED"] + counts["REJECTED"] == GOOD + BROKEN
    assert counts["REJECTED"] == BROKEN
    for name, result in results(ran.out).items():
        broken = int(name[-1]) % 2 == 1
        assert (result["status"] == "REJECTED") == broken, name
        assert len(result["key"]) == 64
        assert result["session_folder"] == name.replace("__", "/")
        assert (ran.out / "sessions" / name / "report.html").exists()
        if broken:
            assert result["code"] in {"E_SESSION", "E_NO_USABLE_MODALITY"}
            assert result["sentence"]
            assert result["remedy"]


def test_B04_a_full_disk_stops_the_study_cleanly_and_it_goes_on(ran: Ran) -> None:
    if ran.full is None:
        pytest.skip("no small disk can be made here (mount needs root)")
    status, errors = ran.full
    assert status == 2
    assert "E_OUTPUT" in errors
    assert "No space left on device" in errors
    assert "Traceback" not in errors
    assert ran.torn == ()
    assert len(ran.after["parent killed"]) < len(ran.after["disk full"]) < GOOD + BROKEN


def test_W01_no_file_of_the_study_is_torn(ran: Ran) -> None:
    assert not list(ran.out.rglob(".affectscope-tmp-*"))
    for page in [ran.out / "study.html", *ran.out.glob("sessions/*/report.html")]:
        assert page.read_text().rstrip().endswith("</html>")
    for path in ran.out.rglob("*.json"):
        json.loads(path.read_text())


def test_B05_a_second_run_waits_for_the_lock_and_loses_nothing(ran: Ran, sessions: Path) -> None:
    asked = StudyAsked(sessions, ran.out, pdf=False)
    with (ran.out / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelError) as caught:
            run_sessions(asked, patience=0.5)
        assert caught.value.code == "E_RUN_LOCKED"
        timer = threading.Timer(1.5, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        timer.start()
        _, found = run_sessions(asked)
        assert not timer.is_alive()
    assert len(found) == GOOD + BROKEN
    assert rows(ran.out) == ran.after["end"]


def test_B10_another_question_is_refused_before_anything_is_computed(
    ran: Ran, sessions: Path, command
) -> None:
    ended = command("study", sessions, "--out", ran.out, "--thirds", "--rate", "2")
    assert ended.status == 2
    assert "E_RUN_CHANGED" in ended.err
    assert "thirds: False -> True" in ended.err
    assert "rate: None -> 2.0" in ended.err
    assert rows(ran.out) == ran.after["end"]


def test_options_that_contradict_each_other_are_refused_once_not_per_session(
    sessions: Path, tmp_path: Path, command
) -> None:
    ended = command("study", sessions, "--out", tmp_path / "out", "--thirds", "--minutes", "5")
    assert ended.status == 2
    assert "E_CONFIG" in ended.err
    assert not (tmp_path / "out").exists()


def test_B10_a_folder_that_cannot_be_written_is_said_first(
    sessions: Path, tmp_path: Path, command
) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    ended = command("study", sessions, "--out", tmp_path / "taken" / "out")
    assert ended.status == 2
    assert "E_OUTPUT" in ended.err
    assert (tmp_path / "taken").read_text() == "a file, not a folder"
