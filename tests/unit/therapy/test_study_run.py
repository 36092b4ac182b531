"""Which sessions a study has, when a row holds, and what becomes of sessions that end a process."""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.errors import ModelError, OutputError, SessionError
from affectscope.io import files
from affectscope.io.study_file import StudyFile
from affectscope.jobs import Watch
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.therapy.study import run as study_run
from affectscope.therapy.study.question import Study, StudyAsked, read_study
from affectscope.therapy.study.run import run_sessions
from affectscope.therapy.study.session_rows import Inputs, read_inputs, read_object
from affectscope.therapy.study.sessions import FoundSession, find_sessions
from affectscope.therapy.study.worker import SessionWork

SETTINGS = SyntheticSettings(sampling_rate=64.0, frame_rate=0)
ONE = Watch(processes=1)


def session(folder: Path, subject: str, seed: int) -> Path:
    return write_session(
        folder, synthetic_person(subject, seed), therapy_course(40.0, seed), settings=SETTINGS
    )


def named(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).mkdir(parents=True)
        (folder / path / "session.toml").touch()


# Which folders are sessions -----------------------------------------------------------------


def test_sessions_lie_at_most_two_levels_deep_and_come_in_order(tmp_path: Path) -> None:
    named(tmp_path, "p2/s1", "p10", "p1/s2", "p1/s10", "p1/s2/deep/deeper", ".hidden", "p3/.old")
    (tmp_path / "empty").mkdir()
    (tmp_path / "session.toml").touch()
    found = find_sessions(tmp_path, tmp_path / "out")
    assert [session.shown for session in found] == ["p1/s10", "p1/s2", "p10", "p2/s1"]
    assert [session.name for session in found] == ["p1__s10", "p1__s2", "p10", "p2__s1"]


def test_results_inside_the_data_are_no_sessions(tmp_path: Path) -> None:
    named(tmp_path, "p1", "out/sessions", "out/p1")
    assert [found.shown for found in find_sessions(tmp_path, tmp_path / "out")] == ["p1"]


@pytest.mark.parametrize("out", [".", "p1", "p1/out", ".."])
def test_results_never_go_where_sessions_lie(tmp_path: Path, out: str) -> None:
    named(tmp_path, "study/p1")
    with pytest.raises(SessionError, match="E_STUDY"):
        find_sessions(tmp_path / "study", tmp_path / "study" / out)


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="init-session"):
        find_sessions(tmp_path, tmp_path / "out")
    with pytest.raises(SessionError, match="no folder"):
        find_sessions(tmp_path / "absent", tmp_path / "out")


def test_F26_every_name_gives_a_folder_of_its_own(tmp_path: Path) -> None:
    odd = ["a/b", "a__b", "A__b", "new\nline", "x" * 150 + "/" + "y" * 150, "ü" * 120]
    named(tmp_path, *odd)
    raw = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(raw)).mkdir()
    Path(os.fsdecode(raw), "session.toml").touch()
    found = find_sessions(tmp_path, tmp_path / "out")
    names = [session.name.casefold() for session in found]
    assert len(set(names)) == len(names) == len(odd) + 1
    for session in found:
        assert session.name.isprintable()
        assert len(session.name.encode()) <= 255
        json.dumps(session.shown, ensure_ascii=False).encode()


# A study from end to end --------------------------------------------------------------------

STUDY = """format = 1
[phases]
minutes = 0.2
[reliability]
measures = [["heart rate", 10.0, 0.8]]
"""


@dataclass(frozen=True)
class Ran:
    """Two runs of a study: what the first one left, and the second one."""

    first: dict[str, dict]
    second: dict[str, dict]
    tries: tuple[dict, dict]
    written: tuple[dict[str, int], dict[str, int]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A session, its copy under another name, one with phases of its own, one that ends its
    process. Then the first one is taken away, the third one only touched, the last one mended."""
    data = tmp_path_factory.mktemp("data")
    out = tmp_path_factory.mktemp("out")
    (data / "study.toml").write_text(STUDY)
    first = session(data / "a", "A", 1)
    shutil.copytree(first, data / "b")
    toml = (first / "session.toml").read_text()
    (data / "b" / "session.toml").write_text(toml.replace('"A"', '"B"'))
    own = session(data / "c", "C", 2)
    with (own / "session.toml").open("a") as more:
        more.write("[phases]\nthirds = true\n")
    session(data / "poison", "D", 3)
    asked = StudyAsked(data, out, pdf=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        poison = importlib.import_module("poison_study")
        patch.setattr(study_run, "session_work", poison.session_work)
        tries: list[dict] = []
        one = run_sessions(asked, watch=ONE, progress=lambda *_: tries.append(tried(out)))[1]
        when = written(out)
        shutil.rmtree(first)
        os.utime(own / "signals.csv")
        (data / "poison").rename(data / "mended")
        two = run_sessions(asked, watch=ONE)[1]
    return Ran(one, two, (tries[-1], tried(out)), (when, written(out)))


def tried(out: Path) -> dict:
    return read_object(out / "tries.json") or {}


def written(out: Path) -> dict[str, int]:
    found = out.glob("sessions/*/result.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def test_B02_a_session_that_ends_its_process_is_set_aside_and_the_others_are_done(
    ran: Ran,
) -> None:
    assert ran.first["poison"]["status"] == "REJECTED"
    assert ran.first["poison"]["code"] == "E_TASK_CRASH"
    assert "failed 2 times: it was ended by signal SIGSEGV" in ran.first["poison"]["sentence"]
    assert ran.first["poison"]["subject_id"] == "D"
    assert ran.tries[0] == {"poison": [["E_TASK_CRASH", "was ended by signal SIGSEGV"]] * 2}
    assert ran.tries[1] == {}
    assert {name: row["status"] for name, row in ran.first.items()} == {
        "a": "DEGRADED", "b": "REJECTED", "c": "DEGRADED", "poison": "REJECTED"
    }  # fmt: skip


def test_of_two_sessions_with_the_same_recordings_the_first_counts(ran: Ran) -> None:
    assert ran.first["b"]["code"] == "E_DUPLICATE_SESSION"
    assert "'a'" in ran.first["b"]["sentence"]
    assert ran.first["b"]["subject_id"] == "B"
    assert ran.second["b"]["status"] == "DEGRADED"  # a is gone


def test_what_is_finished_is_done_again_only_where_its_content_changed(ran: Ran) -> None:
    assert set(ran.second) == {"b", "c", "mended"}
    assert ran.second["mended"]["status"] == "DEGRADED"
    before, after = ran.written
    assert after["c"] == before["c"]
    assert after["b"] > before["b"]


def test_the_studys_file_speaks_for_sessions_that_say_nothing(ran: Ran) -> None:
    assert "study.toml" in ran.first["a"]["phase_rule"]
    assert ran.first["a"]["phases"]["before"]["end"] == pytest.approx(12.0, abs=0.1)
    assert "session.toml" in ran.first["c"]["phase_rule"]
    assert ran.first["a"]["physiology"]["heart rate"]["reliable_change"] is not None


# The model ----------------------------------------------------------------------------------


def checkpoint(folder: Path, seed: int) -> Path:
    config = BMMNConfig(variant="bmmn", modalities=("ecg", "eda"), face_encoder="small")
    torch.manual_seed(seed)
    save_checkpoint(folder, BMMN(config), Checkpoint(config, Preprocessing(), "untrained", ()))
    return folder


def test_B06_a_model_that_is_replaced_while_the_study_runs_ends_it_and_nothing_is_mixed(
    tmp_path: Path,
) -> None:
    model = checkpoint(tmp_path / "model", 1)
    other = checkpoint(tmp_path / "other", 2)
    for number in range(2):
        session(tmp_path / "data" / f"s{number}", f"P{number}", number)

    def replace_it(done: int, _count: int) -> None:
        if done == 1:
            for path in other.iterdir():
                shutil.copy(path, model)

    asked = StudyAsked(tmp_path / "data", tmp_path / "out", model, rate=1.0, force=True, pdf=False)
    pinned = read_study(asked).question["model"]["checkpoint_id"]
    with pytest.raises(ModelError) as caught:
        run_sessions(asked, watch=Watch(processes=1, tasks_per_process=1), progress=replace_it)
    assert caught.value.code == "E_RUN_CHANGED"
    (row,) = (tmp_path / "out").glob("sessions/*/result.json")
    assert json.loads(row.read_text())["model"]["checkpoint_id"] == pinned
    with pytest.raises(ModelError, match=r"model\.checkpoint_id"):  # B10: with the other one
        run_sessions(asked)


# One session's row, in this process ----------------------------------------------------------


@pytest.fixture
def work(tmp_path: Path) -> tuple[SessionWork, FoundSession]:
    session(tmp_path / "data" / "s", "P", 5)
    asked = StudyAsked(tmp_path / "data", tmp_path / "out", pdf=False)
    study = Study(asked, StudyFile(), {"program": "this"}, None)
    (found,) = find_sessions(asked.folder, asked.out)
    with (tmp_path / "held").open("w") as held:
        return SessionWork(study, None, held), found


def still() -> None:
    """No sign of life is needed."""


def test_B04_a_full_disk_leaves_no_row_and_no_half_file(
    work: tuple[SessionWork, FoundSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    doing, found = work
    whole = os.fsync
    left = iter(range(3))

    def full(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        doing(found, still)
    place = doing.study.place(found)
    assert not (place / "result.json").exists()
    assert not list(place.glob(".affectscope-tmp-*"))
    monkeypatch.undo()
    doing(found, still)
    assert (place / "result.json").exists()


def test_a_row_rests_on_every_file_and_on_what_was_asked(
    work: tuple[SessionWork, FoundSession],
) -> None:
    doing, found = work
    doing(found, still)
    place = doing.study.place(found)
    inputs = read_inputs(place)
    assert inputs is not None
    assert set(inputs.content) == {"session.toml", "signals.csv", "truth.csv"}
    assert all(len(content) == 64 for content in inputs.content.values())
    assert (read_object(place / "result.json") or {})["key"] == inputs.key
    other = {**inputs.content, "truth.csv": "0" * 64}
    assert replace(inputs, content=other).key != inputs.key
    assert replace(inputs, asked="another question").key != inputs.key
    assert {part[0] for part in inputs.recordings} == {"ecg", "eda"}


def test_only_the_own_answers_in_the_studys_table_count(
    work: tuple[SessionWork, FoundSession],
) -> None:
    doing, found = work
    table = found.folder.parent / "answers.csv"
    header = "subject,session,time,questionnaire,item,score"
    own = ["P,s,before,SUDS,1,80", "P,s,after,SUDS,1,30"]
    doing = replace(doing, study=replace(doing.study, answers=table))
    row = doing.study.place(found) / "result.json"

    def done_with(*lines: str) -> tuple[int, list[float]]:
        table.write_text("\n".join([header, *lines]) + "\n")
        doing(found, still)
        scores = (read_object(row) or {})["questionnaires"]
        return row.stat().st_mtime_ns, [score["change"] for score in scores]

    first = done_with(*own, "Q,s,before,SUDS,1,10")
    assert first[1] == [-50.0]
    assert done_with(*own, "Q,s,before,SUDS,1,99", "R,s,before,SUDS,1,50") == first
    assert done_with(own[0], own[1].replace("30", "40"))[1] == [-40.0]


def test_F26_a_session_whose_folder_has_no_readable_name_is_done(
    work: tuple[SessionWork, FoundSession],
) -> None:
    doing, found = work
    odd = Path(os.fsdecode(os.fsencode(found.folder.parent) + b"/\xff\n"))
    found.folder.rename(odd)
    toml = (odd / "session.toml").read_text().splitlines()
    (odd / "session.toml").write_text(
        "\n".join(line for line in toml if not line.startswith("session_id"))
    )
    (again,) = find_sessions(odd.parent, doing.study.asked.out)
    doing(again, still)
    row = read_object(doing.study.place(again) / "result.json") or {}
    assert row["status"] == "DEGRADED"
    assert row["session_folder"] == "\\xff\\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:40],
        lambda text: "[]",
        lambda text: text.replace('"files": {', '"files": {"x": 3, '),
        lambda text: text.replace('"recordings"', '"recording"'),
    ],
)
def test_damaged_notes_count_as_none(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    Inputs("asked", {"f": (1, 2)}, {"f": "0" * 64}, (("ecg", "1", "ECG"),)).write(tmp_path)
    assert read_inputs(tmp_path) is not None
    path = tmp_path / "inputs.json"
    path.write_text(spoil(path.read_text()))
    assert read_inputs(tmp_path) is None
