"""Setting a session up over the page: what is proposed, what is refused, what is saved."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from affectscope.store.answers import answers_of
from affectscope.store.jobs import ask_inspection
from affectscope.store.running_jobs import begin_job, end_job
from affectscope.store.session_folder import write_session_file
from affectscope.store.sessions import session_head
from affectscope.store.tables import RecordedSession, StoredFile
from affectscope.web.inspect_task import InspectTask, inspect_files

FILES = ("plux/ecg_sample.h5", "biosppy/eda.txt", "heartpy/e0103.csv", "faces/single_face.mp4")
ECG = {"file": "ecg_sample.h5", "channel": "CH1"}
EDA = {"file": "eda.txt", "channel": "EDA", "unit": "uS"}
FACE = {"file": "single_face.mp4", "clock_offset": 2.5, "person": "left"}


class Fields(HTMLParser):
    """What is chosen in each select of a page, what stands in each input, and all options."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str | None] = {}
        self.options: dict[str, list[dict[str, str | None]]] = {}
        self.disabled = False
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.disabled |= tag == "fieldset" and "disabled" in found
        if tag == "select":
            self._select = found["id"] or ""
            self.options[self._select] = []
        elif tag == "option":
            self.options[self._select].append(found)
            if "selected" in found:
                self.values[self._select] = found["value"]
        elif tag == "input" and found.get("id"):
            self.values[found["id"] or ""] = found.get("value")


def add_file(site: Any, source: Path) -> None:
    folder = site.store.places.input(site.session_id)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, folder / source.name)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with site.store.writing(None) as change:
        change.session.add(
            StoredFile(
                session_id=site.session_id, name=source.name, sha256=digest,
                size=source.stat().st_size, created_at=change.at,
            )
        )  # fmt: skip


def inspect(site: Any, *, content: bytes | None = None) -> None:
    """An inspection as the runner does it; ``content``: what it has found, where that is known."""
    places = site.store.places
    with site.store.writing(None) as change:
        job_id = ask_inspection(change, site.session_id).id
        begin_job(change, job_id)
    if content is None:
        task = InspectTask(places.input(site.session_id), places.inspection(site.session_id))
        inspect_files(task, lambda _share=None: None)
    else:
        places.inspection(site.session_id).write_bytes(content)
    with site.store.writing(None) as change:
        end_job(change, job_id)
    site.clock.turn(seconds=1)


@pytest.fixture(scope="module")
def inspected(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the runner finds in ``FILES``."""
    folder = tmp_path_factory.mktemp("inspected") / "input"
    folder.mkdir()
    for name in FILES:
        shutil.copy(real_data / name, folder)
    output = folder.with_suffix(".json")
    inspect_files(InspectTask(folder, output), lambda _share=None: None)
    return output.read_bytes()


@pytest.fixture
def looked_at(site: Any, real_data: Path, inspected: bytes) -> Any:
    """The site; its session has real files, which were looked at."""
    for name in FILES:
        add_file(site, real_data / name)
    inspect(site, content=inspected)
    return site


Put = Callable[..., Any]


@pytest.fixture
def put(looked_at: Any) -> Put:
    """``put(version, face=..., ecg=..., eda=..., name=...)`` -> the answer of saving."""

    def save(version: int = 1, *, name: str = "edgar", **parts: Any) -> Any:
        body = {"version": version, "simulated": False, "face": None, "ecg": None, "eda": None}
        path = f"/api/sessions/{looked_at.session_id}/setup"
        return looked_at.client(name).put(path, json={**body, **parts})

    return save


def form(site: Any, name: str = "edgar") -> Fields:
    answer = site.client(name).get(f"/sessions/{site.session_id}/setup")
    assert answer.status_code == 200, answer.text
    return Fields(answer.text)


def option(fields: Fields, select: str, file: str) -> dict[str, str | None]:
    return next(each for each in fields.options[select] if each.get("data-file") == file)


def settings_of(site: Any) -> dict[str, Any]:
    with site.store.reading() as session:
        return dict(session_head(session, site.session_id).settings)


def test_the_form_proposes_what_the_files_state_and_asks_for_the_rest(looked_at: Any) -> None:
    fields = form(looked_at)
    assert fields.values["face-file"] == "single_face.mp4"
    assert fields.values["eda-channel"] == json.dumps(["eda.txt", "EDA"])
    stated = option(fields, "ecg-channel", "ecg_sample.h5")
    assert stated["value"] == fields.values["ecg-channel"]
    assert stated["data-facts"] == "mV, 200 Hz"
    assert not {"data-asks-rate", "data-asks-unit"} & stated.keys()
    table = option(fields, "eda-channel", "eda.txt")
    assert "data-asks-unit" in table
    assert "data-asks-rate" not in table
    plain = option(fields, "ecg-channel", "e0103.csv")
    assert {"data-asks-rate", "data-asks-unit"} <= plain.keys()


def test_what_is_saved_becomes_a_session_toml(looked_at: Any, put: Put) -> None:
    assert put(face=FACE, ecg=ECG, eda=EDA).json() == {"version": 2}
    with looked_at.store.reading() as session:
        head = session_head(session, looked_at.session_id)
        answers = answers_of(session, looked_at.session_id)
    digest = hashlib.sha256(
        (looked_at.store.places.input(looked_at.session_id) / "eda.txt").read_bytes()
    ).hexdigest()
    assert head.settings["eda"] == {**EDA, "sha256": digest}
    assert "simulated" not in head.settings
    text = write_session_file(looked_at.store.places, head, answers).read_text()
    for line in ('subject_id = "P01"', 'session_id = "first"', "clock_offset = 2.5",
                 'person = "left"', 'channel = "CH1"', f'sha256 = "{digest}"'):  # fmt: skip
        assert line in text.splitlines()
    fields = form(looked_at)
    assert fields.values["eda-unit"] == "uS"
    assert fields.values["face-offset"] == "2.5"
    assert fields.values["person"] == "left"


def test_what_could_not_be_read_is_refused_at_once_and_nothing_is_saved(
    looked_at: Any, put: Put
) -> None:
    refusals: list[tuple[dict[str, Any], str]] = [
        ({}, "Nothing is recorded"),
        ({"ecg": {"file": "away.csv", "channel": 1}}, "no file of that name"),
        ({"ecg": {"file": "ecg_sample.h5", "channel": "CH9"}}, "no such channel"),
        ({"eda": {**EDA, "unit": None}}, "does not say the unit"),
        ({"eda": {**EDA, "unit": "mmHg"}}, "cannot be converted"),
        ({"ecg": {"file": "e0103.csv", "channel": "1", "unit": "mV"}}, "say the sampling rate"),
        ({"ecg": {**ECG, "sampling_rate": 250}}, "is 200.0, not 250.0"),
        ({"ecg": {**ECG, "unit": "V"}}, "is mV, not V"),
        ({"eda": ECG}, "cannot be converted to uS"),
        ({"ecg": {**EDA, "unit": "mV"}, "eda": {**EDA, "unit": "uS"}}, "the same channel"),
    ]
    for parts, told in refusals:
        answer = put(**parts)
        assert answer.status_code == 422
        assert answer.json()["code"] == "E_VALUE"
        assert told in answer.json()["sentence"]
    assert settings_of(looked_at) == {}


def test_what_the_reader_of_session_toml_refuses_is_told_in_its_own_words(
    looked_at: Any, put: Put
) -> None:
    with looked_at.store.writing(None) as change:
        held = change.session.get_one(RecordedSession, looked_at.session_id)
        held.settings = {"sync": {"method": "guess"}}
    answer = put(ecg=ECG)
    assert answer.status_code == 422
    assert "method in [sync] is 'guess'" in answer.json()["sentence"]
    assert settings_of(looked_at) == {"sync": {"method": "guess"}}


def test_a_malformed_set_up_is_refused(looked_at: Any, put: Put) -> None:
    malformed: list[dict[str, Any]] = [
        {"ecg": {**ECG, "sampling_rate": -1}},
        {"ecg": {**ECG, "sampling_rate": "NaN"}},
        {"ecg": {**ECG, "decimal": ";"}},
        {"ecg": {**ECG, "channel": True}},
        {"ecg": {**ECG, "gain": 1}},
        {"face": {**FACE, "person": "box"}},
        {"version": 0},
        {"simulated": "perhaps"},
    ]
    for part in malformed:
        assert put(**{"eda": EDA, **part}).status_code == 422
    assert settings_of(looked_at) == {}


def test_W20_a_set_up_is_saved_over_the_one_that_was_seen_only(looked_at: Any, put: Put) -> None:
    assert put(1, eda=EDA).status_code == 200
    answer = put(1, name="olga", ecg=ECG)
    assert answer.status_code == 409
    told = answer.json()
    assert told["theirs"]["eda"]["unit"] == "uS"
    assert told["theirs"]["ecg"] is None
    assert told["yours"]["ecg"]["channel"] == "CH1"
    assert settings_of(looked_at).keys() == {"eda"}
    assert put(told["version"], name="olga", ecg=ECG).status_code == 200
    assert settings_of(looked_at).keys() == {"ecg"}
    assert put(told["version"] + 1, ecg=ECG, simulated=True).status_code == 200
    assert settings_of(looked_at)["simulated"] is True


def test_the_marks_and_what_only_session_toml_says_stay(looked_at: Any, put: Put) -> None:
    boxes = {"file": "single_face.mp4", "person": "box", "person_boxes": [[0, 1, 1, 9, 9]]}
    marks = {"phases": {"thirds": True}, "excluded": {"spans": [["all", 1, 2, "noise"]]}}
    with looked_at.store.writing(None) as change:
        held = change.session.get_one(RecordedSession, looked_at.session_id)
        held.settings = {"face": boxes, "ecg": {**ECG, "time_column": 1}, **marks}
    assert form(looked_at).values["person"] == ""
    assert put(face={**FACE, "person": None}, ecg=ECG).status_code == 200
    saved = settings_of(looked_at)
    assert saved["face"]["person_boxes"] == [[0, 1, 1, 9, 9]]
    assert saved["ecg"]["time_column"] == 1
    assert {name: saved[name] for name in marks} == marks
    assert put(2, face={**FACE, "person": "right"}).status_code == 200
    assert settings_of(looked_at)["face"].keys() == {"file", "clock_offset", "person", "sha256"}


def test_a_reader_sees_the_set_up_but_does_not_save_it(looked_at: Any, put: Put) -> None:
    assert put(name="rita", eda=EDA).status_code == 403
    assert put(name="mallory", eda=EDA).status_code == 404
    assert form(looked_at, "rita").disabled
    assert not form(looked_at).disabled


def text_of(site: Any, name: str = "edgar") -> str:
    return str(site.client(name).get(f"/sessions/{site.session_id}/setup").text)


def test_the_page_says_how_far_looking_at_the_files_is(site: Any, tmp_path: Path) -> None:
    path = f"/api/sessions/{site.session_id}/inspection"
    editor = site.client("edgar")
    assert "No files yet" in text_of(site)
    assert editor.get(path).json()["state"] == "no files"
    notes = tmp_path / "notes.txt"
    notes.write_text("no numbers at all\n")
    add_file(site, notes)
    assert "were not looked at" in text_of(site)
    assert site.client("rita").post(path).status_code == 403
    assert editor.post(path).status_code == 201
    assert "are being looked at" in text_of(site)
    assert editor.get(path).json()["state"] == "looking"
    inspect(site)
    told = editor.get(path).json()
    assert told["state"] == "ready"
    assert told["found"]["problems"].keys() == {"notes.txt"}
    assert "Files that cannot be used" in text_of(site)
    assert "None of the session&#39;s files is a video" in text_of(site).replace("'", "&#39;")


def test_a_file_that_was_replaced_or_removed_is_told(
    looked_at: Any, put: Put, inspected: bytes
) -> None:
    put(face=FACE, eda=EDA)
    with looked_at.store.writing(None) as change:
        rows = change.session.query(StoredFile).filter_by(session_id=looked_at.session_id)
        rows.filter_by(name="eda.txt").one().sha256 = "0" * 64
        change.session.delete(rows.filter_by(name="single_face.mp4").one())
    text = text_of(looked_at)
    assert "eda.txt was replaced by another file" in text
    assert "single_face.mp4 was chosen, and cannot be chosen any more" in text
    assert Fields(text).values["face-file"] == ""


def test_W09_a_channel_and_a_file_are_called_what_they_like(site: Any, tmp_path: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    path = tmp_path / "a'\"<script>alert(1)<script>.csv"
    path.write_text(f'"{evil[2:]}",EDA\n' + "".join(f"{n},{n % 7}\n" for n in range(100)))
    add_file(site, path)
    inspect(site)
    text = text_of(site)
    assert "onerror=alert(1)&gt;" in text
    for markup in ("<img", "<script>alert"):
        assert markup not in text
