"""Session folders: what is stated, what is read, what is reported, what is refused."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import SessionError
from affectscope.io.session import Session, open_session
from affectscope.io.session_file import KEYS, session_toml
from affectscope.records import TARGETS, Notice, PersonBox, PersonChoice

RATE = 20


def signals(folder: Path, name: str, seconds: float, rate: float = RATE) -> Path:
    """A table with ECG and EDA, without a time column."""
    rows = [f"0.{n % 90 + 10},2.{n % 90 + 10}" for n in range(round(seconds * rate))]
    path = folder / name
    path.write_text("\n".join(["ECG (mV),EDA (uS)", *rows]) + "\n")
    return path


def video(folder: Path, name: str, seconds: int) -> Path:
    """A small film, one picture a second."""
    path = folder / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(seconds):
            picture = np.full((32, 32, 3), n % 250, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def entry(file: str, channel: str, **more: Any) -> dict[str, Any]:
    return {"file": file, "channel": channel, "sampling_rate": float(RATE), **more}


def stated(folder: Path, **tables: Any) -> Path:
    top = {"format": 1, "subject_id": "P01"} | tables
    (folder / "session.toml").write_text(session_toml(top))
    return folder


def simple(folder: Path, **tables: Any) -> Path:
    """A session with ECG and EDA of 60 s in one file."""
    signals(folder, "signals.csv", 60)
    both = {"ecg": entry("signals.csv", "ECG"), "eda": entry("signals.csv", "EDA")}
    return stated(folder, **(both | tables))


def codes(session: Session, modality: str | None = None) -> list[str]:
    found = session.recording.notices
    return [n.code for n in found if modality is None or n.modality == modality]


def notice(session: Session, code: str, modality: str | None = None) -> Notice:
    (found,) = [
        n
        for n in session.recording.notices
        if n.code == code and (modality is None or n.modality == modality)
    ]
    return found


def refused(folder: Path) -> SessionError:
    with pytest.raises(SessionError) as caught:
        open_session(folder)
    assert caught.value.remedy
    return caught.value


BOX = [1.0, 10, 20, 30, 40]
BOXED = {"file": "f.mp4", "person": "box", "person_boxes": [BOX]}


# --- reading --------------------------------------------------------------------------------------


def test_a_session_of_video_and_signals(tmp_path: Path) -> None:
    film = video(tmp_path, "face.mp4", 60)
    folder = simple(
        tmp_path,
        session_id="first",
        simulated=True,
        face={"file": "face.mp4", "clock_offset": 0.5, "person": "left"},
    )
    session = open_session(folder)
    recording = session.recording
    assert (recording.subject_id, recording.trial_id) == ("P01", "first")
    assert recording.simulated
    assert recording.video is not None
    assert recording.video.start_time == pytest.approx(0.5)
    assert recording.video.duration == pytest.approx(60, abs=1.1)
    assert recording.ecg is not None
    assert (recording.ecg.unit, recording.ecg.sampling_rate) == ("mV", 20.0)
    assert recording.eda is not None
    assert recording.eda.duration == 60
    assert (session.person, session.phases) == (PersonChoice("left"), None)
    assert recording.notices == ()
    assert session.input_hashes == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "session.toml", film, folder / "signals.csv")
    }


def test_defaults(tmp_path: Path) -> None:
    folder = tmp_path / "2026-03-01"
    folder.mkdir()
    session = open_session(simple(folder))
    assert session.recording.trial_id == "2026-03-01"
    assert not session.recording.simulated
    assert session.person == PersonChoice("largest")
    assert session.recording.video is None
    assert codes(session, "face") == []


def test_V14_the_person_as_boxes_at_their_times(tmp_path: Path) -> None:
    video(tmp_path, "face.mp4", 10)
    stated = [[1.5, 10, 20, 30, 40], [7, 1.0, 2.0, 3.0, 4.0]]
    face = {"file": "face.mp4", "person": "box", "person_boxes": stated}
    person = open_session(simple(tmp_path, face=face)).person
    boxes = (PersonBox(1.5, (10, 20, 30, 40)), PersonBox(7.0, (1, 2, 3, 4)))
    assert person == PersonChoice("box", boxes)


def test_V14_a_reference_photo_is_checked_as_every_file(tmp_path: Path) -> None:
    video(tmp_path, "face.mp4", 10)
    face = {"file": "face.mp4", "person": "photo", "person_photo": "client.jpg"}
    folder = simple(tmp_path, face=face)
    without = open_session(folder)
    assert without.recording.video is None  # nobody may be followed without it
    assert codes(without, "face") == ["E_FILE_MISSING"]
    (tmp_path / "client.jpg").write_bytes(b"a photo")
    session = open_session(folder)
    assert session.person == PersonChoice("photo", photo=folder / "client.jpg")
    assert session.input_hashes["client.jpg"] == hashlib.sha256(b"a photo").hexdigest()
    error = refused(simple(tmp_path, face=face | {"person_photo": "../client.jpg"}))
    assert "outside the session's folder" in error.sentence


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    folder = simple(tmp_path)
    path = folder / "session.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert open_session(folder).recording.ecg is not None


def test_one_modality_fails_and_the_others_go_on(tmp_path: Path) -> None:
    signals(tmp_path, "signals.csv", 30)
    (tmp_path / "face.mp4").write_bytes(b"")
    (tmp_path / "ragged.csv").write_text("EDA\n1.5\n2.5,3.5\n1.5\n1.25\n")
    stated(
        tmp_path,
        face={"file": "face.mp4"},
        ecg=entry("signals.csv", "ECG"),
        eda=entry("gone.csv", "EDA"),
    )
    session = open_session(tmp_path)
    assert session.recording.ecg is not None
    assert session.recording.eda is None
    assert codes(session, "face") == ["E_FILE_EMPTY"]
    missing = notice(session, "E_FILE_MISSING", "eda")
    assert "'gone.csv' does not exist" in missing.sentence
    assert "Check the name" in missing.sentence
    assert set(session.input_hashes) == {"session.toml", "signals.csv"}


def test_a_missing_extra_costs_one_modality(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were not installed, also for the process that reads the file.
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "h5py.py").write_text("raise ImportError('no h5py')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"))
    (tmp_path / "eda.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\x00" * 64)
    session = open_session(simple(tmp_path, eda={"file": "eda.h5"}))
    assert session.recording.ecg is not None
    assert "affectscope[formats]" in notice(session, "E_EXTRA", "eda").sentence


def test_nothing_readable_lists_every_reason(tmp_path: Path) -> None:
    (tmp_path / "signals.csv").write_text("ECG\n0.5\n0.25\n")
    stated(
        tmp_path,
        face={"file": "face.mp4"},
        ecg={"file": "signals.csv", "sampling_rate": 20.0},
        eda=entry("signals.csv", "EDA"),
    )
    error = refused(tmp_path)
    assert error.code == "E_NO_USABLE_MODALITY"
    for reason in ("face: E_FILE_MISSING", "ecg: E_UNIT", "eda: E_CHANNEL"):
        assert reason in error.sentence
    assert refused(stated(tmp_path)).code == "E_NO_USABLE_MODALITY"


# --- session.toml itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 2}, "format is 2; it must be 1"),
        ({"format": True}, "format is True"),
        ({"subject_id": ""}, "subject_id is ''"),
        ({"subject_id": 7}, "subject_id is 7"),
        ({"simulated": "yes"}, "simulated is 'yes'; it must be true or false"),
        ({"ecg": 5}, "ecg is 5; it must be a table"),
        ({"ecg": {"channel": "ECG"}}, "file in [ecg] is missing"),
        ({"ecg": entry("s.csv", "E") | {"sampling_rate": -1.0}}, "greater than 0"),
        ({"ecg": entry("s.csv", "E") | {"sampling_rate": "800"}}, "sampling_rate in [ecg]"),
        ({"ecg": entry("s.csv", "E") | {"clock_offset": True}}, "clock_offset in [ecg] is True"),
        ({"ecg": entry("s.csv", "E") | {"decimal": ";"}}, 'must be "." or ","'),
        ({"ecg": entry("s.csv", "E") | {"channel": 1.5}}, "channel in [ecg] is 1.5"),
        ({"ecg": entry("s.csv", "E") | {"sha256": "abc"}}, "64 hexadecimal digits"),
        ({"face": {"file": "f.mp4", "person": "tallest"}}, "'largest' or 'left' or 'right'"),
        ({"face": {"file": "f.mp4", "person": "box"}}, "person_boxes in [face] is missing"),
        ({"face": BOXED | {"person_boxes": []}}, "each [time, x, y, width, height]"),
        ({"face": BOXED | {"person_boxes": [[1, 2, 3, 4]]}}, "each [time, x, y, width, height]"),
        ({"face": BOXED | {"person_boxes": [[1, 2, 3, 0, 5]]}}, "greater than 0"),
        ({"face": BOXED | {"person_boxes": [BOX, BOX]}}, "their times rising"),
        ({"face": BOXED | {"person": "left"}}, 'with person = "box" and with nothing else'),
        ({"face": {"file": "f.mp4", "person": "photo"}}, "person_photo in [face] is missing"),
        ({"face": BOXED | {"person_photo": "p.jpg"}}, 'with person = "photo" and with nothing'),
        ({"phases": {"before": [0, 10]}}, "either before and after, or minutes"),
        ({"phases": {"before": [0, 9], "after": [9, 10], "minutes": 1}}, "either before"),
        ({"phases": {"before": [5, 5], "after": [9, 10]}}, "start before end"),
        ({"phases": {"before": [0, 9], "after": [8, 10]}}, "starts after 9 s"),
        ({"phases": {"before": [0, "9"], "after": [9, 10]}}, "two numbers"),
        ({"phases": {"minutes": 0}}, "greater than 0"),
    ],
)
def test_values_that_are_not_allowed_are_named(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    error = refused(simple(tmp_path, **change))
    assert error.code == "E_SESSION"
    assert named in error.sentence


@pytest.mark.parametrize("name", sorted(KEYS))
def test_an_unknown_key_is_named_with_the_allowed_ones(tmp_path: Path, name: str) -> None:
    line = 'smapling_rate = "x"'
    top = f'format = 1\nsubject_id = "P01"\n{line if not name else ""}\n'
    table = f"[{name}]\n{line}\n" if name else ""
    (tmp_path / "session.toml").write_text(top + table)
    error = refused(tmp_path)
    assert "'smapling_rate'" in error.sentence
    assert KEYS[name][0] in error.sentence
    assert error.code == "E_SESSION"


@pytest.mark.parametrize(
    "content",
    [
        b"format = ",
        b"\xff\xfe\x00",
        b"format = 1\nformat = 1\n",
        b"a = " + b"[" * 5000,
        b"# " + b"x" * 1_100_000,
        b"",
        b"format = 1\nsubject_id = 'P'\n[muscle]\nfile = 'x'\n",
        b"format = 1\nsubject_id = 'P'\n[phases]\nminutes = 1" + b"0" * 400 + b"\n",
        b"format = 1\nsubject_id = 'P'\n[phases]\nminutes = nan\n",
    ],
)
def test_unusable_session_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "session.toml").write_bytes(content)
    assert refused(tmp_path).code == "E_SESSION"


def test_folders_without_a_session(tmp_path: Path) -> None:
    assert "has no session.toml" in refused(tmp_path).sentence
    assert "no folder" in refused(tmp_path / "gone").sentence
    (tmp_path / "session.toml").mkdir()
    assert refused(tmp_path).code == "E_SESSION"


@pytest.mark.parametrize("name", ["../outside.csv", "a/../in.csv", "link.csv", "\x00"])
def test_files_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    signals(tmp_path, "outside.csv", 10)
    signals(folder, "in.csv", 10)
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    for stated_name in (name, str((tmp_path / "outside.csv").absolute())):
        error = refused(stated(folder, ecg=entry(stated_name, "ECG")))
        assert error.code == "E_SESSION"
        assert "outside" in error.sentence
    (folder / "sub").mkdir()
    signals(folder / "sub", "inside.csv", 10)
    inside = open_session(stated(folder, ecg=entry("sub/inside.csv", "ECG")))
    assert inside.recording.ecg is not None


def test_V04_a_changed_file_is_not_read(tmp_path: Path) -> None:
    path = signals(tmp_path, "signals.csv", 60)
    other = signals(tmp_path, "other.csv", 60.5)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    eda = hashlib.sha256(other.read_bytes()).hexdigest()
    folder = stated(
        tmp_path,
        ecg=entry("signals.csv", "ECG", sha256=digest.upper()),
        eda=entry("other.csv", "EDA", sha256=eda),
    )
    assert codes(open_session(folder)) == ["W_NOT_ALIGNED"]  # two files that share nothing
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    session = open_session(folder)
    assert session.recording.ecg is None
    assert session.recording.eda is not None
    assert digest[:12] in notice(session, "E_STORED_FILE_CHANGED", "ecg").sentence


# --- writing --------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    subject=TEXTS,
    channel=TEXTS | st.integers(1, 99),
    rate=st.floats(1e-3, 1e6),
    simulated=st.booleans(),
)
def test_F26_any_text_survives_being_written(
    subject: str, channel: str | int, rate: float, simulated: bool
) -> None:
    tables = {
        "format": 1,
        "subject_id": subject,
        "session_id": None,
        "simulated": simulated,
        "ecg": {"file": subject, "channel": channel, "sampling_rate": rate, "unit": None},
        "phases": {"before": [0, 1.5], "after": (2.5, rate + 9)},
    }
    text = session_toml(tables)
    back = tomllib.loads(text)
    assert back["subject_id"] == subject
    assert "session_id" not in back
    assert back["ecg"] == {"file": subject, "channel": channel, "sampling_rate": rate}
    assert back["phases"] == {"before": [0, 1.5], "after": [2.5, rate + 9]}
    assert all(line.isprintable() for line in text.split("\n"))


def test_F26_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(SessionError, match="E_SESSION"):
        session_toml({"format": 1, "subject_id": "P", "ecg": {"file": "\udcff.csv"}})
    with pytest.raises(SessionError, match="'smapling_rate'"):
        session_toml({"format": 1, "subject_id": "P", "ecg": {"smapling_rate": 5}})


# --- modalities together (P08, P20) ---------------------------------------------------------------


def test_P20_a_modality_that_starts_later_or_ends_earlier_is_reported(tmp_path: Path) -> None:
    signals(tmp_path, "ecg.csv", 100)
    signals(tmp_path, "eda.csv", 50)
    folder = stated(
        tmp_path,
        ecg=entry("ecg.csv", "ECG"),
        eda=entry("eda.csv", "EDA", clock_offset=30.0),
    )
    session = open_session(folder)
    assert codes(session, "ecg") == []
    spans = [(n.start, n.end) for n in session.recording.notices if n.modality == "eda"]
    assert spans == [(0.0, 30.0), (80.0, 100.0)]
    assert set(codes(session, "eda")) == {"W_NO_OVERLAP"}


def test_P20_modalities_that_never_meet_are_all_reported(tmp_path: Path) -> None:
    signals(tmp_path, "ecg.csv", 100)
    signals(tmp_path, "eda.csv", 50)
    folder = stated(
        tmp_path,
        ecg=entry("ecg.csv", "ECG"),
        eda=entry("eda.csv", "EDA", clock_offset=500.0),
    )
    session = open_session(folder)
    assert codes(session) == ["W_NO_OVERLAP", "W_NO_OVERLAP"]
    assert "overlaps no other" in notice(session, "W_NO_OVERLAP", "eda").sentence
    assert notice(session, "W_NO_OVERLAP", "eda").start == 500.0


def test_P20_less_than_a_second_is_not_worth_a_notice(tmp_path: Path) -> None:
    signals(tmp_path, "eda.csv", 59.5)
    folder = simple(tmp_path, eda=entry("eda.csv", "EDA", clock_offset=0.2))
    assert codes(open_session(folder)) == []


@pytest.mark.parametrize(
    ("true", "claimed", "caught"),
    [(20, 10, True), (10, 20, True), (25.6, 25, True), (36, 25, True), (20, 18, False)],
)
def test_P08_a_confused_rate_is_caught_by_the_videos_clock(
    tmp_path: Path, true: float, claimed: float, caught: bool
) -> None:
    video(tmp_path, "face.mp4", 300)
    signals(tmp_path, "ecg.csv", 300, true)
    folder = stated(
        tmp_path,
        face={"file": "face.mp4"},
        ecg=entry("ecg.csv", "ECG") | {"sampling_rate": float(claimed)},
    )
    session = open_session(folder)
    assert (codes(session, "ecg").count("W_SAMPLING_RATE") == 1) == caught
    if caught:
        sentence = notice(session, "W_SAMPLING_RATE", "ecg").sentence
        assert f"{300 * true / claimed:.2f} s" in sentence
        assert "the video 300.00 s" in sentence


def test_P08_two_files_accuse_one_another_unless_the_video_clears_one(tmp_path: Path) -> None:
    signals(tmp_path, "ecg.csv", 300, 25.6)
    signals(tmp_path, "eda.csv", 300, 4)
    tables = {
        "ecg": entry("ecg.csv", "ECG") | {"sampling_rate": 25.0},
        "eda": entry("eda.csv", "EDA") | {"sampling_rate": 4.0},
    }
    session = open_session(stated(tmp_path, **tables))
    assert "W_SAMPLING_RATE" in codes(session, "ecg")
    assert "W_SAMPLING_RATE" in codes(session, "eda")
    video(tmp_path, "face.mp4", 300)
    cleared = open_session(stated(tmp_path, face={"file": "face.mp4"}, **tables))
    assert "W_SAMPLING_RATE" in codes(cleared, "ecg")
    assert "W_SAMPLING_RATE" not in codes(cleared, "eda")


def test_P08_signals_of_one_file_share_their_clock(tmp_path: Path) -> None:
    signals(tmp_path, "signals.csv", 60)
    folder = simple(tmp_path, eda=entry("signals.csv", "EDA") | {"sampling_rate": 10.0})
    assert "W_SAMPLING_RATE" not in codes(open_session(folder))


def unix_table(folder: Path, name: str, channel: str, start: float) -> None:
    rows = [f"{start + n / 20:.3f},0.{n % 90 + 10}" for n in range(1200)]
    (folder / name).write_text("\n".join([f"unix,{channel}", *rows, ""]))


def test_unix_clocks_put_two_files_on_one_axis(tmp_path: Path) -> None:
    unix_table(tmp_path, "ecg.csv", "ECG (mV)", 1_700_000_012.0)
    unix_table(tmp_path, "eda.csv", "EDA (uS)", 1_700_000_000.0)
    folder = stated(
        tmp_path,
        ecg={"file": "ecg.csv", "channel": "ECG"},
        eda={"file": "eda.csv", "channel": "EDA"},
    )
    recording = open_session(folder).recording
    assert recording.ecg is not None
    assert recording.eda is not None
    assert recording.ecg.start_time == pytest.approx(12.0)
    assert recording.eda.start_time == 0.0


def test_P33_a_clock_of_another_year_is_relative_time(tmp_path: Path) -> None:
    unix_table(tmp_path, "ecg.csv", "ECG (mV)", 1_700_000_000.0)
    unix_table(tmp_path, "eda.csv", "EDA (uS)", 1_000_000_000.0)
    folder = stated(
        tmp_path,
        ecg={"file": "ecg.csv", "channel": "ECG"},
        eda={"file": "eda.csv", "channel": "EDA"},
    )
    session = open_session(folder)
    assert codes(session) == ["W_CLOCK_UNTRUSTED", "W_NOT_ALIGNED"]
    assert session.recording.span == (0.0, pytest.approx(60.0))


# --- phases and labels ----------------------------------------------------------------------------


def test_phases_as_spans_or_minutes(tmp_path: Path) -> None:
    spans = open_session(simple(tmp_path, phases={"before": [0, 15], "after": [45, 60]}))
    assert spans.phases is not None
    assert [(p.name, p.start, p.end) for p in spans.phases] == [
        ("before", 0.0, 15.0),
        ("after", 45.0, 60.0),
    ]
    minutes = open_session(simple(tmp_path, phases={"minutes": 0.25}))
    assert minutes.phases == spans.phases


def test_phases_that_cannot_lie_in_the_session_are_refused(tmp_path: Path) -> None:
    assert "do not fit" in refused(simple(tmp_path, phases={"minutes": 10})).sentence
    outside = simple(tmp_path, phases={"before": [0, 15], "after": [2700, 3600]})
    assert "after (2700 s to 3600 s) lies outside" in refused(outside).sentence


def test_labels_are_read_in_the_order_of_the_targets(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("time,joy,valence\n0,0.0,-0.5\n30,1.0,0.25\n60,0.5,1\n")
    labels = open_session(simple(tmp_path, labels={"file": "truth.csv"})).recording.labels
    assert labels is not None
    np.testing.assert_array_equal(labels.times, [0, 30, 60])
    np.testing.assert_array_equal(labels.values[:, TARGETS.index("valence")], [-0.5, 0.25, 1])
    np.testing.assert_array_equal(labels.values[:, TARGETS.index("joy")], [0, 1, 0.5])
    assert np.isnan(labels.values[:, TARGETS.index("arousal")]).all()


@pytest.mark.parametrize(
    "content",
    [
        "time,mood\n0,1\n1,2\n",
        "valence,arousal\n0.5,1\n0.25,1\n",
        "time,valence\n0,0.5\n1,1.5\n",
        "time,joy\n0,0.5\n1,-0.5\n",
        "time,valence\n1,0.5\n0,0.25\n",
    ],
)
def test_unusable_labels_become_a_notice(tmp_path: Path, content: str) -> None:
    (tmp_path / "truth.csv").write_text(content)
    session = open_session(simple(tmp_path, labels={"file": "truth.csv"}))
    assert session.recording.labels is None
    assert codes(session)[0] in ("E_CHANNEL", "E_SIGNAL_FILE")


def test_P34_labels_beside_the_recording_are_flagged_and_not_moved(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("time,valence\n4000,0.5\n4010,0.25\n")
    session = open_session(simple(tmp_path, labels={"file": "truth.csv"}))
    assert codes(session) == ["W_NO_OVERLAP"]
    assert session.recording.labels is not None
    assert session.recording.labels.times[0] == 4000.0


def test_a_real_session(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "neurokit" / "bio_eventrelated_100hz.csv"
    (tmp_path / "bio.csv").write_bytes(source.read_bytes())
    film = real_data / "faces" / "WolfgangLanger_Pexels.mp4"
    (tmp_path / "face.mp4").write_bytes(film.read_bytes())
    both = {"file": "bio.csv", "sampling_rate": 100.0}
    folder = stated(
        tmp_path,
        face={"file": "face.mp4"},
        ecg=both | {"channel": "ECG", "unit": "mV"},
        eda=both | {"channel": "EDA", "unit": "uS"},
    )
    session = open_session(folder)
    assert session.recording.span == (0.0, 150.0)
    assert session.recording.eda is not None
    assert session.recording.eda.values[0] == 13.196867709029974
    assert notice(session, "W_NO_OVERLAP", "face").end == 150.0


def test_F27_one_content_under_two_names_is_told_and_both_are_read(tmp_path: Path) -> None:
    signals(tmp_path, "first.csv", 30)
    signals(tmp_path, "second.csv", 30)
    stated(tmp_path, ecg=entry("first.csv", "ECG"), eda=entry("second.csv", "EDA"))
    session = open_session(tmp_path)
    assert "'first.csv' and 'second.csv'" in notice(session, "W_SAME_CONTENT").sentence
    assert session.recording.ecg is not None
    assert session.recording.eda is not None
    assert {"first.csv", "second.csv"} < set(session.input_hashes)
    signals(tmp_path, "second.csv", 31)
    assert "W_SAME_CONTENT" not in codes(open_session(tmp_path))
