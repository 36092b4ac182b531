"""``affectscope inspect``: files, folders and sessions as they come, and docs/recorders.md."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import scipy.io

from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import AffectScopeError
from affectscope.inspection.files import inspect_file
from affectscope.inspection.videos import video_facts
from affectscope.io.biosignals import inspect_signals

DOCS = Path(__file__).resolve().parents[2] / "docs" / "recorders.md"
_ROW = re.compile(r"^\| `([^`]+)` \| (\S+) \|", re.M)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated session: face.mp4, signals.csv, session.toml."""
    return write_session(
        tmp_path_factory.mktemp("inspect") / "session",
        synthetic_person("simulated-inspect", 3),
        random_course(40.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0, frame_rate=5.0),
    )


def ecg_like(seconds: float, rate: float) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.exp(-(((time % 0.8) - 0.4) ** 2) / 0.0004) + 0.01 * np.sin(time)


def test_a_session_is_told_as_its_session_toml_says(command, session: Path, tmp_path: Path) -> None:
    ended = command("inspect", session, "--out", tmp_path / "out")
    assert ended.status == 0, ended.out + ended.err
    assert re.search(r"signals\.csv: table, \d channels", ended.out)
    assert re.search(r"unit mV, .*128 Hz.*usable as ECG", ended.out)
    assert "usable as EDA" in ended.out
    assert re.search(r"face\.mp4: video\n  picture: .* h264", ended.out)
    assert re.search(r"rate stated 5 Hz, measured 5(\.0\d*)? Hz", ended.out)
    assert "session.toml:" not in ended.out
    page = (tmp_path / "out" / "inspect.html").read_text()
    assert page.count("<svg") == 3  # the labels as well
    assert "usable as ECG" in page


def test_refused_files_are_told_and_the_others_go_on(command, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a_empty.csv").write_bytes(b"")
    (folder / "b_word.doc").write_bytes(b"%PDF-1.7\n" + bytes(40))
    (folder / "c_sound.csv").write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + bytes(40))
    (folder / "deeper" / "ecg.csv").write_text("ECG (mV)\n0.5\n0.25\n0.75\n")
    (folder / ".hidden.csv").write_bytes(b"")
    (folder / "loop").symlink_to(folder)
    (folder / "link.csv").symlink_to(folder / "deeper" / "ecg.csv")
    ended = command("inspect", folder, tmp_path / "missing.csv")
    assert ended.status == 2
    assert "Traceback" not in ended.out + ended.err
    for code in ("E_FILE_EMPTY", "E_TYPE_UNKNOWN", "E_TYPE_MISMATCH", "E_FILE_MISSING"):
        assert code in ended.out, code
    assert "state the sampling rate first" in ended.out
    assert ended.out.count("'ECG (mV)'") == 1  # F25: links are not followed
    assert ".hidden" not in ended.out


def test_F25_a_pipe_and_F26_an_odd_name_neither_hang_nor_harm(command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    odd = tmp_path / "odd\n\x1b[31m.csv"
    odd.write_bytes(b"")
    ended = command("inspect", tmp_path)
    assert ended.status == 2
    assert ended.out.count("E_FILE_MISSING") == 1
    assert "\x1b" not in ended.out


def test_a_session_that_names_a_file_outside_is_told_so(command, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("ECG\n0.5\n0.6\n")
    folder = tmp_path / "session"
    folder.mkdir()
    toml = 'format = 1\nsubject_id = "P"\n[ecg]\nfile = "../secret.csv"\nunit = "mV"\n'
    (folder / "session.toml").write_text(toml)
    ended = command("inspect", folder)
    assert ended.status == 2
    assert "E_SESSION" in ended.out
    assert "ECG" not in ended.out


@pytest.mark.usefixtures("needs_face_model")
def test_pictures_are_counted_for_faces(command, real_data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((real_data / "faces" / "single_face.jpg").read_bytes()[:2000])
    ended = command("inspect", real_data / "faces" / "single_face.jpg", broken)
    assert "size: 572 x 562 pixels\n  faces: 1" in ended.out
    assert "E_FILE_UNREADABLE" in ended.out


def test_V05_V25_a_videos_packets_show_its_true_rate_and_length(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    times = np.r_[np.arange(0, 4, 0.04), np.arange(6, 10, 0.1)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = video_facts(path)
    assert found.frames == len(times)
    assert found.longest_step == pytest.approx(2.04, abs=0.002)
    assert found.measured_duration == pytest.approx(9.94, abs=0.11)
    assert found.measured_rate == pytest.approx(len(times) / 9.94, rel=0.02)
    assert not found.has_audio
    assert sum(found.counts) == len(times)


def test_a_mat_file_goes_from_a_folder_to_a_report(command, tmp_path: Path) -> None:
    folder, out = tmp_path / "recorded", tmp_path / "out"
    folder.mkdir()
    rate, seconds = 128.0, 60.0
    eda = 4 + 0.5 * np.sin(np.arange(round(seconds * rate)) / rate / 8)
    variables = {"ecg": ecg_like(seconds, rate), "eda": eda, "fs": rate, "eda_unit": "uS"}
    scipy.io.savemat(folder / "both.mat", variables)
    missing = command("init-session", folder, "--subject", "P1")
    assert missing.status == 2
    assert "--ecg-unit" in missing.err
    drafted = command("init-session", folder, "--subject", "P1", "--ecg-unit", "mV")
    assert drafted.status == 0, drafted.err
    told = command("inspect", folder)
    assert told.status == 0
    assert re.search(r"'ecg': unit mV, rate stated 128 Hz.* usable as ECG", told.out)
    ended = command("assess", folder, "--out", out)
    assert ended.status == 0, ended.err
    assert re.search(r"heart rate.*75\.\d", ended.out)


def test_amigos_is_a_corpus_and_a_path_of_that_name_a_folder(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "amigos").mkdir()
    (tmp_path / "amigos" / "ecg.csv").write_text("ECG (mV)\n0.5\n0.25\n0.75\n")
    monkeypatch.chdir(tmp_path)
    assert "ecg.csv: table" in command("inspect", "./amigos").out
    assert "E_CORPUS" in command("inspect", "amigos", "amigos").err


def documented() -> dict[str, str]:
    """The table of docs/recorders.md: name or pattern -> kind, or code."""
    table = DOCS.read_text().partition("## All files of the real recordings")[2]
    return {name: kind.strip("`") for name, kind in _ROW.findall(table)}


def outcome(path: Path) -> str:
    """The kind of a file or its refusal's code; channels are not read, as that takes long."""
    try:
        return inspect_signals(path).kind
    except AffectScopeError as error:
        if error.code != "E_TYPE_UNKNOWN":
            return error.code
    file = inspect_file(path)
    return file.kind if file.refusal is None else file.refusal.code


def test_every_real_file_opens_or_is_refused_as_the_docs_say(real_data: Path) -> None:
    table = documented()
    files = sorted(path for path in real_data.rglob("*") if path.is_file())
    unmatched = set(table)
    for path in files:
        name = path.relative_to(real_data).as_posix()
        rows = [row for row in table if row == name] or [r for r in table if fnmatchcase(name, r)]
        assert len(rows) == 1, name
        assert outcome(path) == table[rows[0]], name
        unmatched.discard(rows[0])
    assert not unmatched
