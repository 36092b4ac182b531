"""A session's settings become a session.toml that a session opens with."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from affectscope.errors import ConflictError, SessionError, StoreError
from affectscope.io.session import open_session
from affectscope.io.session_file import read_session_file
from affectscope.store.answers import FilledIn, answers_of, remove_answers, save_answers
from affectscope.store.consents import Given, add_consent
from affectscope.store.database import Store
from affectscope.store.opening import open_store
from affectscope.store.projects import add_project
from affectscope.store.session_folder import check_settings, write_session_file
from affectscope.store.sessions import SessionHead, add_session, save_settings, session_head
from affectscope.store.subjects import add_subject
from affectscope.store.tables import AuditRow, Consent, User
from affectscope.store.typed_text import checked_name
from affectscope.therapy.questionnaires.scores import questionnaire_scores

AT = datetime(2026, 3, 1, tzinfo=UTC)
GAD = {str(item): 1.0 for item in range(1, 8)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data", tmp_path / "keys", clock=lambda: AT)
    yield opened
    opened.close()


@pytest.fixture
def session_id(store: Store) -> str:
    with store.writing(None) as change:
        user = User(name="anna", password_hash="-", created_at=AT)
        change.session.add(user)
        change.session.flush()
        user_id = user.id
    with store.writing(user_id) as change:
        project = add_project(change, "Anxiety", purpose="therapy", justification="")
        subject = add_subject(change, project.id, "P01")
        change.session.flush()
        add_consent(change, subject.id, Given(frozenset({"ingest"}), AT))
        return add_session(change, subject.id, "first").id


def head_of(store: Store, session_id: str, **changed: Any) -> SessionHead:
    with store.reading() as session:
        return replace(session_head(session, session_id), **changed)


def signals_of(csv: Path, target: Path) -> dict[str, Any]:
    """The settings of a table with both signals, which is copied to its place."""
    target.mkdir(parents=True)
    shutil.copy(csv, target / csv.name)
    digest = hashlib.sha256(csv.read_bytes()).hexdigest()
    rows = {"sampling_rate": 100.0, "file": csv.name, "sha256": digest}
    return {"ecg": {**rows, "channel": "ECG", "unit": "mV"},
            "eda": {**rows, "channel": "EDA", "unit": "uS"}}  # fmt: skip


@pytest.fixture
def table(store: Store, session_id: str, real_data: Path) -> dict[str, Any]:
    """Settings with a real recording of 150 s."""
    csv = real_data / "neurokit" / "bio_eventrelated_100hz.csv"
    return signals_of(csv, store.places.input(session_id))


def test_a_real_session_opens_with_what_was_set_up(
    store: Store, session_id: str, table: dict[str, Any]
) -> None:
    marks = {"phases": {"before": [0, 60], "after": [80, 140]},
             "excluded": {"spans": [["ecg", 65, 70, "electrode off"]]}}  # fmt: skip
    head = head_of(store, session_id, settings={**table, **marks})
    answers = [FilledIn("GAD-7", "before", GAD, 1), FilledIn("GAD-7", "after", GAD, 1)]
    path = write_session_file(store.places, head, answers)
    opened = open_session(path.parent)
    recording = opened.recording
    assert (recording.subject_id, recording.trial_id) == ("P01", "first")
    assert recording.ecg is not None
    assert (recording.ecg.sampling_rate, recording.ecg.unit) == (100.0, "mV")
    assert opened.phases is not None
    assert [(each.name, each.end) for each in opened.phases] == [("before", 60), ("after", 140)]
    assert opened.excluded[0].reason == "electrode off"
    assert opened.questionnaires is not None
    scores, notices = questionnaire_scores(opened.questionnaires, "P01", "first", {})
    assert [(score.measure, score.before, score.change) for score in scores] == [("GAD-7", 7, 0)]
    assert notices == ()


def test_a_changed_original_is_refused(
    store: Store, session_id: str, table: dict[str, Any]
) -> None:
    path = write_session_file(store.places, head_of(store, session_id, settings=table), [])
    name = table["ecg"]["file"]
    with (path.parent / name).open("a") as stream:
        stream.write("1,2,3,4\n")
    with pytest.raises(SessionError) as told:
        open_session(path.parent)
    assert "sha256" in str(told.value)


def test_answers_that_were_removed_leave_no_table_behind(store: Store, session_id: str) -> None:
    head = head_of(store, session_id, settings={"face": {"file": "a.mp4"}, "questionnaires": {}})
    write_session_file(store.places, head, [FilledIn("GAD-7", "before", GAD, 1)])
    folder = store.places.input(session_id)
    assert (folder / "questionnaires.csv").is_file()
    write_session_file(store.places, head, [])
    assert not (folder / "questionnaires.csv").exists()
    assert read_session_file(folder).questionnaires is None


def named(text: str) -> bool:
    try:
        return checked_name(text) == text
    except StoreError:
        return False


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1).filter(named), st.text(min_size=1).filter(named))
def test_every_name_that_is_kept_comes_back_from_session_toml(
    store: Store, session_id: str, label: str, pseudonym: str
) -> None:
    face = {"face": {"file": f"{label}.mp4", "sha256": "0" * 64}, "simulated": True}
    head = head_of(store, session_id, settings=face, label=label, pseudonym=pseudonym)
    stated = read_session_file(write_session_file(store.places, head, []).parent)
    assert (stated.subject_id, stated.session_id) == (pseudonym, label)
    assert stated.simulated
    assert stated.face is not None
    assert stated.face.file.name == f"{label}.mp4"


def test_settings_that_no_session_opens_with_are_not_saved(store: Store, session_id: str) -> None:
    def save_checked(wrong: dict[str, Any]) -> None:
        with store.writing(None) as change:
            save_settings(change, session_id, seen_version=1, tables=wrong)
            check_settings(change.session, session_id)

    for wrong in (
        {"ecg": {"file": "a.csv", "sampling_rate": 0}},
        {"ecg": {"file": "a.csv", "decimal": ";"}},
        {"face": {"file": "a.mp4", "person": "box"}},
        {"face": {"file": ""}},
        {"ecg": {"file": "a.csv", "gain": 2}},
        {"unheard": {"file": "a.csv"}},
    ):
        with pytest.raises(StoreError) as told:
            save_checked(wrong)
        assert told.value.code == "E_VALUE"
        assert "session.toml" in told.value.sentence
        head = head_of(store, session_id)
        assert (head.version, dict(head.settings)) == (1, {})


def save(store: Store, session_id: str, scores: dict[str, float], seen_version: int) -> int:
    with store.writing(None) as change:
        return save_answers(
            change, session_id, questionnaire="GAD-7", time="before",
            seen_version=seen_version, scores=scores,
        )  # fmt: skip


def test_W20_answers_are_saved_over_those_that_were_seen_only(
    store: Store, session_id: str
) -> None:
    assert save(store, session_id, GAD, 0) == 1
    assert save(store, session_id, {**GAD, "1": 2.0}, 1) == 2
    for seen_version in (0, 1, 3):
        with pytest.raises(ConflictError) as told:
            save(store, session_id, {**GAD, "1": 3.0}, seen_version)
        assert told.value.detail["theirs"]["1"] == 2.0
        assert told.value.detail["version"] == 2
    with pytest.raises(ConflictError), store.writing(None) as change:
        remove_answers(change, session_id, questionnaire="GAD-7", time="before", seen_version=1)
    with store.reading() as session:
        assert answers_of(session, session_id) == [
            FilledIn("GAD-7", "before", {**GAD, "1": 2.0}, 2)
        ]


def test_other_answers_make_other_settings_but_clash_with_nobody(
    store: Store, session_id: str
) -> None:
    seen: list[Any] = [head_of(store, session_id).settings.get("questionnaires")]
    for version, score in enumerate((1.0, 2.0)):
        save(store, session_id, {"1": score}, version)
        seen.append(head_of(store, session_id).settings["questionnaires"]["sha256"])
    with store.writing(None) as change:
        remove_answers(change, session_id, questionnaire="GAD-7", time="before", seen_version=2)
    head = head_of(store, session_id)
    assert "questionnaires" not in head.settings
    assert head.version == 1
    assert len(set(seen)) == 3


def test_the_audit_trail_tells_which_questionnaire_and_no_answer(
    store: Store, session_id: str
) -> None:
    save(store, session_id, {"1": 3.0}, 0)
    with store.reading() as session:
        row = session.query(AuditRow).filter_by(action="answers.saved").one()
    assert row.detail.count("3") == 0
    assert "GAD-7" in row.detail


def test_G01_answers_are_not_kept_without_consent(store: Store, session_id: str) -> None:
    with store.writing(None) as change:
        change.session.execute(delete(Consent))
    with pytest.raises(StoreError) as told:
        save(store, session_id, GAD, 0)
    assert told.value.code == "E_CONSENT"
    with store.reading() as session:
        assert answers_of(session, session_id) == []


def test_settings_that_session_toml_cannot_hold_leave_the_folder_as_it_was(
    store: Store, session_id: str
) -> None:
    head = head_of(store, session_id, settings={"ecg": {"file": "a.csv", "gain": 1}})
    with pytest.raises(SessionError) as told:
        write_session_file(store.places, head, [FilledIn("GAD-7", "before", GAD, 1)])
    assert "gain" in told.value.sentence
    assert not store.places.input(session_id).exists()
