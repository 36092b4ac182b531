"""Drafting a session.toml: found by name, asked once, never guessed, never overwritten."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affectscope.errors import AffectScopeError, SessionError
from affectscope.io.session import open_session
from affectscope.io.session_draft import Answers, draft_session, inspect_folder

FULL = Answers(
    subject_id="P01",
    ecg_sampling_rate=20.0,
    ecg_unit="mV",
    eda_sampling_rate=20.0,
    eda_unit="uS",
)


def table(folder: Path, header: str, name: str = "signals.csv", separator: str = ",") -> Path:
    width = header.count(separator) + 1
    rows = [separator.join([f"0.{n % 90 + 10}5"] * width) for n in range(200)]
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def film(folder: Path, name: str = "face.mp4") -> Path:
    path = folder / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(10):
            picture = np.full((32, 32, 3), n, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def asking(*replies: str) -> tuple[Callable[[str], str], list[str]]:
    """A user who gives these replies in order, and the questions that were put."""
    questions: list[str] = []
    left = list(replies)

    def ask(question: str) -> str:
        questions.append(question)
        return left.pop(0)

    return ask, questions


def drafted(folder: Path, answers: Answers = FULL, *replies: str) -> dict[str, Any]:
    ask, questions = asking(*replies)
    text = draft_session(folder, answers, ask if replies else None)
    assert len(questions) == len(replies)
    assert (folder / "session.toml").read_text() == text
    return tomllib.loads(text)


def question(folder: Path, answers: Answers = FULL) -> SessionError:
    with pytest.raises(SessionError) as caught:
        draft_session(folder, answers, None)
    assert caught.value.code == "E_QUESTION"
    assert not (folder / "session.toml").exists()
    return caught.value


def test_a_folder_with_everything_is_drafted_and_opens(tmp_path: Path) -> None:
    signals = table(tmp_path, "time,ecg_lead_II,Skin Conductance,RSP")
    face = film(tmp_path)
    tables = drafted(tmp_path)
    assert tables["format"] == 1
    assert tables["subject_id"] == "P01"
    digest = hashlib.sha256(signals.read_bytes()).hexdigest()
    assert tables["ecg"] == {
        "file": "signals.csv",
        "channel": "ecg_lead_II",
        "sampling_rate": 20.0,
        "unit": "mV",
        "sha256": digest,
    }
    assert tables["eda"]["channel"] == "Skin Conductance"
    assert tables["face"] == {
        "file": "face.mp4",
        "sha256": hashlib.sha256(face.read_bytes()).hexdigest(),
    }
    recording = open_session(tmp_path).recording
    assert set(recording.tracks) == {"face", "ecg", "eda"}


@pytest.mark.parametrize(
    ("ecg", "eda"),
    [("ECG", "EDA"), ("ekg", "GSR"), ("ECGBIT", "EDABITREV"), ("Lead ECG (mV)", "Galvanic")],
)
def test_names_that_channels_go_by(tmp_path: Path, ecg: str, eda: str) -> None:
    table(tmp_path, f"Temp,{ecg},{eda}")
    tables = drafted(tmp_path)
    assert (tables["ecg"]["channel"], tables["eda"]["channel"]) == (ecg, eda)


@pytest.mark.parametrize("name", ["decgo", "Media", "edax", "recgnition"])
def test_names_that_only_contain_the_letters_are_not_taken(tmp_path: Path, name: str) -> None:
    table(tmp_path, f"ECG,EDA,{name}")
    assert drafted(tmp_path)["ecg"]["channel"] == "ECG"


def test_what_files_state_is_not_asked(tmp_path: Path, real_data: Path) -> None:
    for name in ("ecg_sample.h5", "eda_slow_signal.txt"):
        (tmp_path / name).write_bytes((real_data / "plux" / name).read_bytes())
    tables = drafted(tmp_path, Answers(subject_id="P01"))
    assert set(tables["ecg"]) == {"file", "channel", "sha256"}
    assert set(tables["eda"]) == {"file", "channel", "sha256"}
    recording = open_session(tmp_path).recording
    assert recording.ecg is not None
    assert (recording.ecg.sampling_rate, recording.ecg.unit) == (200.0, "mV")


@pytest.mark.parametrize(
    ("missing", "option"),
    [
        ("subject_id", "--subject"),
        ("ecg_sampling_rate", "--ecg-rate"),
        ("ecg_unit", "--ecg-unit mV"),
        ("eda_sampling_rate", "--eda-rate"),
        ("eda_unit", "--eda-unit uS"),
    ],
)
def test_P05_a_fact_that_no_file_states_names_its_option(
    tmp_path: Path, missing: str, option: str
) -> None:
    table(tmp_path, "ECG,EDA")
    assert option in question(tmp_path, replace(FULL, **{missing: None})).remedy


def test_a_user_is_asked_once_for_each_missing_fact(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    tables = drafted(tmp_path, Answers(), "Ada", "800", "mV", "4,5", "uS")
    assert tables["subject_id"] == "Ada"
    assert (tables["ecg"]["sampling_rate"], tables["ecg"]["unit"]) == (800.0, "mV")
    assert (tables["eda"]["sampling_rate"], tables["eda"]["unit"]) == (4.5, "uS")


@pytest.mark.parametrize("reply", ["fast", "-3", "0", "inf", " "])
def test_a_rate_that_is_none_is_not_taken(tmp_path: Path, reply: str) -> None:
    table(tmp_path, "ECG,EDA")
    ask, _ = asking(reply)
    with pytest.raises(SessionError) as caught:
        draft_session(tmp_path, replace(FULL, ecg_sampling_rate=None), ask)
    assert caught.value.code == "E_QUESTION"


def test_P23_two_candidates_or_none_are_asked(tmp_path: Path) -> None:
    table(tmp_path, "ECG chest,ECG wrist,EDA")
    error = question(tmp_path)
    assert "1: 'signals.csv' 'ECG chest', 2: 'signals.csv' 'ECG wrist'" in error.sentence
    assert "--ecg-channel" in error.remedy
    assert drafted(tmp_path, FULL, "2")["ecg"]["channel"] == "ECG wrist"
    (tmp_path / "session.toml").unlink()
    by_name = drafted(tmp_path, replace(FULL, ecg_channel="ECG chest"))
    assert by_name["ecg"]["channel"] == "ECG chest"
    (tmp_path / "session.toml").unlink()
    assert drafted(tmp_path, replace(FULL, ecg_channel="2"))["ecg"]["channel"] == "ECG wrist"
    (tmp_path / "session.toml").unlink()
    table(tmp_path, "ECG,sweat")
    assert "--eda-file none" in question(tmp_path).remedy
    assert "eda" not in drafted(tmp_path, FULL, "none")
    (tmp_path / "session.toml").unlink()
    assert "eda" not in drafted(tmp_path, replace(FULL, eda_file="none"))


def test_P23_duplicate_names_are_written_by_number(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA,ECG")
    tables = drafted(tmp_path, FULL, "2")
    assert tables["ecg"]["channel"] == 3
    assert open_session(tmp_path).recording.ecg is not None


def test_P31_the_same_channel_in_two_files_is_asked(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA", "a.csv")
    table(tmp_path, "ECG", "b.csv")
    assert "'a.csv' 'ECG', 2: 'b.csv' 'ECG'" in question(tmp_path).sentence
    chosen = drafted(tmp_path, replace(FULL, ecg_file="b.csv"))
    assert (chosen["ecg"]["file"], chosen["eda"]["file"]) == ("b.csv", "a.csv")


def test_a_nameless_channel_goes_by_its_files_name(tmp_path: Path) -> None:
    np.save(tmp_path / "ecg.npy", np.arange(200.0))
    np.save(tmp_path / "gsr_left.npy", np.arange(200.0))
    tables = drafted(tmp_path)
    assert tables["ecg"]["file"] == "ecg.npy"
    assert tables["eda"]["file"] == "gsr_left.npy"
    assert open_session(tmp_path).recording.eda is not None


def test_one_channel_is_not_taken_twice(tmp_path: Path) -> None:
    table(tmp_path, "voltage")
    tables = drafted(tmp_path, FULL, "voltage")  # and nothing is left to ask about for EDA
    assert tables["ecg"]["channel"] == "voltage"
    assert "eda" not in tables


def test_two_videos_are_asked(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    film(tmp_path, "a.mp4")
    film(tmp_path, "b.mp4")
    assert question(tmp_path).remedy == "Give --face-file."
    face = drafted(tmp_path, FULL, "2", "unknown")["face"]
    assert face["file"] == "b.mp4"
    assert "clock_offset" not in face, "what nobody knows is not stated"
    (tmp_path / "session.toml").unlink()
    answers = replace(FULL, face_file="a.mp4", person="right")
    assert drafted(tmp_path, answers)["face"]["person"] == "right"
    (tmp_path / "session.toml").unlink()
    assert "face" not in drafted(tmp_path, replace(FULL, face_file="none"))


def test_when_the_video_starts_is_asked_once_and_written(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    film(tmp_path, "a.mp4")
    assert "clock_offset" not in drafted(tmp_path, FULL)["face"], "nobody was there to be asked"
    (tmp_path / "session.toml").unlink()
    assert drafted(tmp_path, FULL, "-1,5")["face"]["clock_offset"] == -1.5
    (tmp_path / "session.toml").unlink()
    stated = replace(FULL, face_clock_offset=2.0)
    assert drafted(tmp_path, stated)["face"]["clock_offset"] == 2.0
    (tmp_path / "session.toml").unlink()
    with pytest.raises(SessionError, match="no number of seconds"):
        drafted(tmp_path, FULL, "soon")


def test_P24_an_ambiguous_decimal_mark_is_asked(tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 9 + 1},{n % 800 + 100};0,5" for n in range(50))
    (tmp_path / "signals.csv").write_text(f"ECG;EDA\n{rows}\n")
    one = (tmp_path / "signals.csv").read_text().replace(";0,5", ";7")
    (tmp_path / "signals.csv").write_text(one)
    assert "--ecg-decimal" in question(tmp_path).remedy
    assert drafted(tmp_path, FULL, ",")["ecg"]["decimal"] == ","
    recording = open_session(tmp_path).recording
    assert recording.ecg is not None
    assert recording.ecg.values[0] == 1.1


def test_P05_converter_counts_are_not_drafted(tmp_path: Path) -> None:
    header = (
        '{"00:07": {"sensor": ["ECG"], "column": ["nSeq", "CH1"], "label": ["CH1"],'
        ' "device": "homemade", "sampling rate": 100, "resolution": [16]}}'
    )
    rows = "\n".join(f"{n}\t{30000 + n}\t" for n in range(50))
    text = f"# OpenSignals Text File Format\n# {header}\n# EndOfHeader\n{rows}\n"
    (tmp_path / "ecg.txt").write_text(text)
    with pytest.raises(AffectScopeError, match="converter counts") as caught:
        draft_session(tmp_path, Answers(subject_id="P01"), None)
    assert caught.value.code == "E_UNIT"


def test_an_existing_session_is_never_overwritten(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    path = tmp_path / "session.toml"
    path.write_text("precious")
    with pytest.raises(SessionError, match="E_SESSION"):
        draft_session(tmp_path, FULL, None)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(SessionError, match="E_SESSION"):
        draft_session(tmp_path, FULL, None)


def test_wrong_answers_are_refused(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    (tmp_path / "broken.csv").write_text("ECG,EDA\n1.5,2.5\n3\n0.5,1.5\n0.5,1.5\n")
    assert "Row 3" in question(tmp_path, replace(FULL, ecg_file="broken.csv")).sentence
    assert "--ecg-file" in question(tmp_path, replace(FULL, ecg_file="gone.csv")).remedy
    assert "--ecg-channel" in question(tmp_path, replace(FULL, ecg_channel="X")).remedy
    for name in ("gone.mp4", "../face.mp4", "/etc/passwd"):
        with pytest.raises(SessionError, match="E_SESSION"):
            draft_session(tmp_path, replace(FULL, face_file=name), None)


def test_a_folder_without_usable_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see\n")
    with pytest.raises(SessionError, match="holds no column of numbers") as caught:
        draft_session(tmp_path, FULL, None)
    assert caught.value.code == "E_NO_USABLE_MODALITY"
    with pytest.raises(SessionError, match="E_SESSION"):
        inspect_folder(tmp_path / "gone")


def test_inspecting_a_folder_lists_every_file(tmp_path: Path) -> None:
    table(tmp_path, "ECG,EDA")
    film(tmp_path)
    (tmp_path / "empty.edf").write_bytes(b"")
    (tmp_path / ".hidden.csv").write_text("ECG\n0.5\n")
    (tmp_path / "folder").mkdir()
    listed = inspect_folder(tmp_path)
    assert [(file.name, file.kind) for file in listed] == [
        ("empty.edf", None),
        ("face.mp4", "video"),
        ("signals.csv", "table"),
    ]
    assert listed[0].problem == "'empty.edf' holds no data."
    assert [channel.name for channel in listed[2].channels] == ["ECG", "EDA"]


def test_F26_odd_file_names_are_written_and_opened(tmp_path: Path) -> None:
    name = 'new\nline "😀" -rf.csv'
    table(tmp_path, "ECG,EDA", name)
    assert drafted(tmp_path)["ecg"]["file"] == name
    assert open_session(tmp_path).recording.ecg is not None
