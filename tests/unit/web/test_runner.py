"""Jobs from being asked for to their end, in the real worker process. Simulated people."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import event

from affectscope.errors import StoreError
from affectscope.store.jobs import ask_inspection, ask_scoring
from affectscope.store.results import results_of
from affectscope.store.running_jobs import begin_job, end_job
from affectscope.store.tables import Consent, Job, Product, Result, Subject
from affectscope.web.job_kinds import KINDS
from affectscope.web.runner import Progress, Runner, _Course, seconds_left


@pytest.fixture
def runner(ready: Any) -> Iterator[Runner]:
    """The app's own, which no thread drives."""
    runner: Runner = ready.app.state.runner
    yield runner
    runner.stop()


def ask(site: Any) -> str:
    with site.store.writing(site.users["edgar"]) as change:
        return ask_scoring(change, site.session_id).id


def job(site: Any, job_id: str) -> Job:
    with site.store.reading() as session:
        found = session.get(Job, job_id)
    assert found is not None
    return found


def results(site: Any) -> list[Result]:
    with site.store.reading() as session:
        return results_of(session, site.session_id)


def folders(site: Any) -> list[str]:
    place = site.store.places.session(site.session_id) / "results"
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def worker_pid() -> int | None:
    children = psutil.Process().children()
    found = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return found[0].pid if found else None


def until(happens: Callable[[], Any]) -> Any:
    """What it gives, once it gives something."""
    for _ in range(3000):
        if found := happens():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")


def while_it_runs(runner: Runner, act: Callable[[], None]) -> None:
    """Do a step, and ``act`` as soon as its worker process is there."""

    def acting() -> None:
        until(lambda: runner.progress and worker_pid())
        act()

    meanwhile = threading.Thread(target=acting)
    meanwhile.start()
    assert runner.step()
    meanwhile.join()


def kill_the_worker() -> None:
    pid = worker_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_killed_worker_costs_one_try_and_the_next_one_writes_what_the_form_proposes_from(
    ready: Any, runner: Runner
) -> None:
    with ready.store.writing(ready.users["edgar"]) as change:
        job_id = ask_inspection(change, ready.session_id).id
        assert ask_inspection(change, ready.session_id).id == job_id
    while_it_runs(runner, kill_the_worker)
    assert (job(ready, job_id).state, job(ready, job_id).tries) == ("waiting", 1)
    assert runner.step()
    done = job(ready, job_id)
    assert (done.state, done.tries, done.share) == ("done", 2, 1.0)
    found = json.loads(ready.store.places.inspection(ready.session_id).read_text())
    assert found["proposed"]["ecg"]["file"] == "signals.csv"
    assert runner.progress is None
    assert not runner.step()


@pytest.mark.usefixtures("without_pdf")
def test_a_scoring_is_kept_with_what_it_was_made_with(ready: Any) -> None:
    ready.carry_out(ask(ready))
    (result,) = results(ready)
    assert folders(ready) == [result.id]
    folder = ready.store.places.result(ready.session_id, result.id)
    told = json.loads((folder / "result.json").read_text())
    assert (result.status, result.code) == (told["status"], None)
    assert told["simulated_person"] is True
    assert told["subject_id"] == "P01"
    assert result.settings["ecg"]["channel"] == "ECG"


def test_a_job_whose_process_is_killed_twice_has_failed_for_good(
    ready: Any, runner: Runner
) -> None:
    job_id = ask(ready)

    def kill_it_with_a_half_result() -> None:
        begun = job(ready, job_id).detail["try_id"]
        ready.store.places.result(ready.session_id, begun).mkdir(parents=True)
        kill_the_worker()

    for _ in range(2):
        while_it_runs(runner, kill_it_with_a_half_result)
        assert folders(ready) == []
    failed = job(ready, job_id)
    assert (failed.state, failed.code) == ("failed", "E_TASK_CRASH")
    assert "SIGKILL" in (failed.sentence or "")
    assert results(ready) == []
    assert folders(ready) == []
    page = ready.client("rita").get(f"/sessions/{ready.session_id}").text
    assert "The last estimation stopped." in page
    assert "E_TASK_CRASH" in page


def test_a_cancelled_job_leaves_nothing(ready: Any, runner: Runner) -> None:
    job_id = ask(ready)
    client = ready.client("edgar")

    def cancel() -> None:
        assert client.post(f"/api/jobs/{job_id}/cancel").json()["state"] == "cancelled"

    while_it_runs(runner, cancel)
    assert job(ready, job_id).state == "cancelled"
    assert folders(ready) == []
    assert worker_pid() is None
    assert not runner.step()
    assert client.post(f"/api/jobs/{job_id}/cancel").status_code == 409


def test_a_job_whose_person_is_being_erased_ends(ready: Any, runner: Runner) -> None:
    ask(ready)

    def erase() -> None:
        with ready.store.writing(None) as change:
            change.session.get_one(Subject, ready.subject_id).erasing = True

    while_it_runs(runner, erase)
    assert folders(ready) == []
    assert results(ready) == []


def test_a_server_that_ends_in_good_order_lets_the_job_wait_as_if_not_begun(ready: Any) -> None:
    job_id = ask(ready)
    runner = Runner(ready.store, ready.app.state.settings)
    runner.start()
    until(worker_pid)
    runner.stop()
    waits = job(ready, job_id)
    assert (waits.state, waits.tries) == ("waiting", 0)
    assert folders(ready) == []
    assert worker_pid() is None


def test_a_job_that_ran_when_the_server_was_killed_waits_again_and_fails_the_second_time(
    ready: Any, runner: Runner
) -> None:
    job_id = ask(ready)
    states = []
    for _ in range(2):
        with ready.store.writing(None) as change:
            begun = begin_job(change, job_id)
            assert begun is not None
            try_id = begun.detail["try_id"]
        ready.store.places.result(ready.session_id, try_id).mkdir(parents=True)
        runner.recover()
        states.append(job(ready, job_id).state)
    assert states == ["waiting", "failed"]
    assert job(ready, job_id).code == "E_TASK_CRASH"
    assert folders(ready) == []


def test_an_erasure_waits_for_the_persons_jobs_and_not_for_others(runner: Runner) -> None:
    runner.wait_for(["a" * 32])
    runner.progress = Progress("b" * 32, 0.5, None)
    runner.wait_for(["a" * 32])
    ended = threading.Event()

    def end() -> None:
        ended.set()
        runner.progress = None

    timer = threading.Timer(0.2, end)
    timer.start()
    runner.wait_for(["b" * 32])
    assert ended.is_set()
    timer.join()


def test_a_job_that_does_not_end_leaves_the_erasure_to_be_finished_later(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affectscope.web.runner._LET_GO_SECONDS", 0.1)
    runner.progress = Progress("b" * 32, 0.5, None)
    with pytest.raises(StoreError, match="goes on by itself"):
        runner.wait_for(["b" * 32])


def test_results_that_have_a_row_survive_a_restart(ready: Any, runner: Runner, scored: str) -> None:
    lost = ready.store.places.result(ready.session_id, "0" * 32)
    lost.mkdir()
    runner.recover()
    assert folders(ready) == [scored]


def refuse(site: Any, how: str) -> None:
    with site.store.writing(None) as change:
        consent = change.session.query(Consent).one()
        if how == "no consent":
            change.session.delete(consent)
        elif how == "does not cover it":
            consent.scopes = ["ingest", "export"]
        elif how == "was withdrawn":
            consent.withdrawn_at = change.at
        elif how == "expired":
            consent.expires_at = change.at
        else:
            consent.notice_shown_at = None


REFUSALS = ["no consent", "does not cover it", "was withdrawn", "expired", "was not told"]


@pytest.mark.parametrize("how", REFUSALS)
def test_G01_scoring_is_refused_when_asked_with_the_reason(ready: Any, how: str) -> None:
    refuse(ready, how)
    path = f"/api/sessions/{ready.session_id}/jobs"
    answer = ready.client("edgar").post(path, json={"kind": "score"})
    assert (answer.status_code, answer.json()["code"]) == (403, "E_CONSENT")
    assert how in answer.json()["sentence"]
    with ready.store.reading() as session:
        assert session.query(Job).count() == 0


@pytest.mark.parametrize("how", REFUSALS)
def test_G01_scoring_is_refused_when_it_begins_if_consent_ended_meanwhile(
    ready: Any, runner: Runner, how: str
) -> None:
    job_id = ask(ready)
    refuse(ready, how)
    assert runner.step()
    failed = job(ready, job_id)
    assert (failed.state, failed.code) == ("failed", "E_CONSENT")
    assert how in (failed.sentence or "")
    assert worker_pid() is None
    assert not (ready.store.places.input(ready.session_id) / "session.toml").exists()


def test_G01_a_result_is_not_kept_if_consent_ended_while_it_was_made(ready: Any) -> None:
    job_id = ask(ready)
    with ready.store.writing(None) as change:
        begin_job(change, job_id)
    refuse(ready, "was withdrawn")
    with ready.store.writing(None) as change:
        ended = end_job(change, job_id)
        assert ended is not None
        with pytest.raises(StoreError, match="was withdrawn"):
            KINDS["score"].finish(change, ready.store, ended)


def break_once(engine: Any, code: str, when: Callable[[], Any]) -> list[str]:
    """The next transaction is refused, once it is time; tells when it was."""
    done: list[str] = []

    def refuse_it(_connection: Any) -> None:
        if not done and when():
            done.append(code)
            raise StoreError(code, "The database does not answer.")

    event.listen(engine, "begin", refuse_it)
    return done


@pytest.mark.parametrize("code", ["E_BUSY", "E_DATABASE"])
def test_W03_a_job_that_runs_outlives_a_database_that_does_not_answer(
    ready: Any, runner: Runner, code: str
) -> None:
    course = _Course(runner, ask(ready))
    refused = break_once(ready.store.engines.readers, code, lambda: True)
    assert not course.unwanted()
    assert refused
    assert course.unwanted()  # it answers again: the job does not run


def test_W03_a_job_whose_end_could_not_be_written_down_is_taken_up_again(
    ready: Any, runner: Runner
) -> None:
    with ready.store.writing(None) as change:
        detail = {"product_id": "0" * 32}
        lost = Job(kind="study", detail=detail, created_at=change.at, project_id=ready.project_id)
        change.session.add(lost)

    def ending() -> bool:
        """The thread of the jobs, not that of the sweeps, writes while a job runs."""
        return runner.progress is not None and threading.current_thread().name == "jobs"

    refused = break_once(ready.store.engines.writer, "E_DATABASE", ending)
    runner.start()
    until(lambda: refused)
    assert until(lambda: job(ready, lost.id).code) == "E_NOT_FOUND"
    assert job(ready, lost.id).tries == 2


def test_a_result_that_cannot_be_kept_fails_the_job_and_leaves_nothing(
    ready: Any, runner: Runner
) -> None:
    """A study whose product went while it waited."""
    with ready.store.writing(None) as change:
        about = {"project_id": ready.project_id}
        change.session.add(
            Job(kind="study", detail={"product_id": "0" * 32}, created_at=change.at, **about)
        )
    assert runner.step()
    with ready.store.reading() as session:
        failed = session.query(Job).one()
        assert session.query(Product).count() == 0
    assert (failed.state, failed.code) == ("failed", "E_NOT_FOUND")


@pytest.mark.parametrize(
    ("share", "passed", "left"), [(0.0, 60, None), (0.5, 1, None), (0.5, 60, 60), (0.1, 10, 90)]
)
def test_the_time_left_follows_the_share(share: float, passed: float, left: float | None) -> None:
    assert seconds_left(share, passed) == (None if left is None else pytest.approx(left))
