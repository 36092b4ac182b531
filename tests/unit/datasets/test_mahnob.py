"""MAHNOB-HCI against what its twin wrote; session.xml without entities; margins and units."""

from __future__ import annotations

import math
import shutil
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from affectscope.datasets.corpus import SubjectTrials
from affectscope.datasets.mahnob import open_mahnob
from affectscope.datasets.mahnob_session import read_session
from affectscope.datasets.mahnob_twin import write_mahnob_twin
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.channels import SignalSource
from affectscope.io.edf import read_edf
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.preprocessing.units import to_microsiemens
from affectscope.records import EMOTIONS, Notice

GSR1, STATUS, CHANNELS = 40, 46, 47  # places in the header, from 0


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mahnob") / "twin"
    return write_mahnob_twin(folder, people=1, clips=2, duration=15)


def copied(twin: Path, folder: Path) -> tuple[Path, Path]:
    """One session of the twin alone: its folder and its recording."""
    shutil.copytree(twin / "Sessions" / "2", folder / "Sessions" / "2")
    (recording,) = (folder / "Sessions" / "2").glob("*.bdf")
    return folder, recording


def only(folder: Path) -> SubjectTrials:
    (person,) = open_mahnob(folder)
    return person


def relabelled(path: Path, channel: int, *, label: str = "", unit: str = "") -> None:
    content = bytearray(path.read_bytes())
    for text, start, width in ((label, 0, 16), (unit, 96 * CHANNELS, 8)):
        if text:
            at = 256 + start + channel * width
            content[at : at + width] = text.ljust(width).encode()
    path.write_bytes(content)


def codes(notices: tuple[Notice, ...]) -> list[str]:
    return [notice.code for notice in notices]


def test_values_and_ratings_are_those_of_the_files(twin: Path) -> None:
    corpus = open_mahnob(twin)
    assert (corpus.name, corpus.simulated, corpus.subjects) == ("mahnob", True, ("P01",))
    (person,) = corpus
    assert [recording.trial_id for recording in person.recordings] == ["50", "51"]
    for recording, number, emotion in zip(
        person.recordings, ("2", "4"), ("joy", "sadness"), strict=True
    ):
        place = twin / "Sessions" / number
        (bdf,) = place.glob("*.bdf")
        written = (place / "session.xml").read_text()
        stated = [float(written.split(f'{name}="')[1].split('"')[0]) for name in
                  ("feltVlnc", "feltArsl")]  # fmt: skip
        assert recording.labels is not None
        np.testing.assert_array_equal(recording.labels.times, [0.0, 15.0])
        np.testing.assert_allclose(
            recording.labels.values[0],
            [*((value - 5) / 4 for value in stated), np.nan, *(float(e == emotion)
                                                               for e in EMOTIONS)],
        )  # fmt: skip
        first, third, gsr = (
            read_edf(bdf, SignalSource(n)).values for n in ("EXG1", "EXG3", "GSR1")
        )
        assert recording.ecg is not None
        assert recording.eda is not None
        np.testing.assert_array_equal(recording.ecg.values, third - first)
        np.testing.assert_array_equal(recording.eda.values, gsr)
        assert (recording.ecg.unit, recording.eda.unit) == ("uV", "nS")
        assert (recording.ecg.start_time, recording.ecg.end_time) == (-30.0, 45.0)
        assert recording.eeg is not None
        assert recording.eeg.values.shape == (75 * 256, 32)
        assert (recording.eeg.sampling_rate, recording.eeg.start_time) == (256.0, -30.0)
        assert recording.eeg.channels[:2] == ("Fp1", "AF3")
        for channel in ("Fp1", "Oz", "Cz"):
            np.testing.assert_allclose(
                recording.eeg.values[:, recording.eeg.channels.index(channel)],
                read_edf(bdf, SignalSource(channel)).values,
            )
        assert recording.notices == ()
    assert len(analyse_ecg(person.recordings[0].ecg).peak_times) > 60
    assert 1 < np.median(to_microsiemens(person.recordings[0].eda).values) < 30
    assert codes(person.notices) == ["W_ASSUMED"]
    assert len(corpus.files("P01")) == 4


def test_without_pulses_the_published_margins_are_assumed_and_told(
    twin: Path, tmp_path: Path
) -> None:
    folder, bdf = copied(twin, tmp_path)
    relabelled(bdf, STATUS, label="Other")
    (recording,) = only(folder).recordings
    assert recording.ecg is not None
    assert recording.labels is not None
    assert (recording.ecg.start_time, recording.labels.times[-1]) == (-30.0, 15.0)
    assert codes(recording.notices) == ["W_ASSUMED"]


def test_pulses_win_over_the_margins(twin: Path, tmp_path: Path) -> None:
    folder, bdf = copied(twin, tmp_path)
    content = bdf.read_bytes()
    header = 256 * (CHANNELS + 1)
    record = 256 * 3 * CHANNELS
    bdf.write_bytes(content[:236] + b"70".ljust(8) + content[244:header]
                    + content[header + 5 * record :])  # fmt: skip
    (recording,) = only(folder).recordings
    assert recording.ecg is not None
    assert (recording.ecg.start_time, recording.ecg.duration) == (-25.0, 70.0)
    assert codes(recording.notices) == []


def test_a_length_that_session_xml_contradicts_is_told(twin: Path, tmp_path: Path) -> None:
    folder, _ = copied(twin, tmp_path)
    xml = folder / "Sessions" / "2" / "session.xml"
    xml.write_text(xml.read_text().replace('cutLenSec="15', 'cutLenSec="95'))
    (recording,) = only(folder).recordings
    assert codes(recording.notices) == ["W_CORPUS"]


def test_a_unit_that_does_not_fit_is_tested_or_refused(twin: Path, tmp_path: Path) -> None:
    folder, bdf = copied(twin, tmp_path)
    relabelled(bdf, GSR1, unit="Ohm")
    person = only(folder)
    told = [notice for notice in person.notices if notice.modality == "eda"]
    refused = [e for e in person.exclusions if e.modality == "eda"]
    (recording,) = person.recordings
    if recording.eda is None:
        assert [e.code for e in refused] == ["E_UNIT"]
        assert told == []
    else:
        assert recording.eda.unit in ("nS", "uS")
        assert [notice.code for notice in told] == ["W_ASSUMED"]


@pytest.mark.parametrize(
    ("channel", "changed"), [(3, {"unit": "degC"}), (32, {"label": "Fp9"}), (33, {"label": "EXG1"})]
)
def test_an_eeg_that_is_not_as_known_is_left_out_and_told(
    twin: Path, tmp_path: Path, channel: int, changed: dict[str, str]
) -> None:
    folder, bdf = copied(twin, tmp_path)
    relabelled(bdf, channel, **changed)
    if channel == 32:  # the first electrode comes one channel later
        relabelled(bdf, 33, label="EXG1")
        relabelled(bdf, 34, label="EXG2")
        relabelled(bdf, 35, label="EXG3")
    person = only(folder)
    if channel == 33:  # two channels of one name: no ECG can be taken either
        assert [e.code for e in person.exclusions] == ["E_CHANNEL"]
        return
    (recording,) = person.recordings
    assert recording.eeg is None
    assert recording.ecg is not None
    assert codes(recording.notices) == ["W_CORPUS"]
    assert "without its EEG" in recording.notices[0].sentence


def test_a_unit_of_millivolts_is_converted(twin: Path, tmp_path: Path) -> None:
    before = only(twin).recordings[0].eeg
    folder, bdf = copied(twin, tmp_path)
    relabelled(bdf, 0, unit="mV")
    after = only(folder).recordings[0].eeg
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.values[:, 0], 1000.0 * before.values[:, 0])
    np.testing.assert_array_equal(after.values[:, 1:], before.values[:, 1:])


def test_a_missing_gsr_leaves_the_ecg(twin: Path, tmp_path: Path) -> None:
    folder, bdf = copied(twin, tmp_path)
    relabelled(bdf, GSR1, label="Other")
    person = only(folder)
    assert [r.eda for r in person.recordings] == [None]
    assert ("50", "eda", "E_CHANNEL") in {(e.trial_id, e.modality, e.code)
                                          for e in person.exclusions}  # fmt: skip


def video(path: Path, seconds: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(2 * seconds):
            picture = np.full((32, 32, 3), number % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(("seconds", "start"), [(15, 0.0), (75, -30.0), (40, None)])
def test_the_videos_length_tells_where_it_begins(
    twin: Path, tmp_path: Path, seconds: int, start: float | None
) -> None:
    folder, bdf = copied(twin, tmp_path)
    video(bdf.with_name("P1-Rec1-2009.07.09_C1 trigger _C_Section_2.avi"), seconds)
    video(bdf.with_name("P1-Rec1-2009.07.09_BW1_Section_2.avi"), 5)
    person = only(folder)
    (recording,) = person.recordings
    if start is None:
        assert recording.video is None
        assert [(e.modality, e.code) for e in person.exclusions] == [("face", "W_VIDEO_LENGTH")]
    else:
        assert recording.video is not None
        assert recording.video.start_time == start
        assert person.exclusions == ()


def xml(folder: Path, content: str | bytes) -> Path:
    path = folder / "7" / "session.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


SESSION = '<session feltVlnc="{}" feltArsl="9" feltEmo="{}" mediaFile="C:\\a\\69.avi">{}</session>'
PERSON = '<subject id="12"/>'


@pytest.mark.parametrize(
    ("valence", "expected"), [("1", 1.0), ("x", math.nan), ("1e999", math.nan)]
)
def test_session_xml_is_read(tmp_path: Path, valence: str, expected: float) -> None:
    session = read_session(xml(tmp_path, SESSION.format(valence, "4", PERSON)))
    assert session is not None
    assert (session.subject_id, session.clip, session.arousal) == ("12", "69", 9.0)
    assert (session.emotion, session.folder) == (4, tmp_path / "7")
    np.testing.assert_equal(session.valence, expected)
    assert math.isnan(session.duration)


def test_other_experiments_have_no_felt_emotion(tmp_path: Path) -> None:
    assert read_session(xml(tmp_path, f'<session mediaFile="a.avi">{PERSON}</session>')) is None


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "content",
    [
        f'<!DOCTYPE s [<!ENTITY e0 "ha">{BOMB}]><session feltVlnc="&e11;">{PERSON}</session>',
        '<!DOCTYPE s SYSTEM "file:///etc/passwd"><session/>',
        f'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><session feltVlnc="1">&x;{PERSON}'
        "</session>",
        '<!DOCTYPE s [<!ENTITY x "1">]><session/>'.encode("utf-16"),
        "<session",
        "no xml",
        "<other/>",
        SESSION.format("1", "4", ""),
        SESSION.format("1", "4", '<subject id="&#10;1"/>').replace("69.avi", "6&#9;9.avi"),
        b'<?xml version="1.0" encoding="nonsense"?><session/>',
        b"\xff\xfe\x00",
        " " * ((1 << 20) + 1),
    ],
)
def test_F06_document_types_and_damage_are_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_session(xml(tmp_path, content))
    assert caught.value.code == "E_CORPUS"
    assert caught.value.sentence.isprintable()


def test_near_and_unknown_emotions(twin: Path, tmp_path: Path) -> None:
    folder, _ = copied(twin, tmp_path)
    path = folder / "Sessions" / "2" / "session.xml"
    written = path.read_text()
    expected = {
        "11": {name: 0.0 for name in EMOTIONS if name != "joy"},
        "12": {name: 0.0 for name in EMOTIONS if name != "fear"},
        "0": {name: float(name == "neutral") for name in EMOTIONS},
        "99": {},
    }
    for code, emotions in expected.items():
        path.write_text(written.replace('feltEmo="4"', f'feltEmo="{code}"'))
        person = only(folder)
        labels = person.recordings[0].labels
        assert labels is not None
        found = dict(zip(EMOTIONS, labels.values[0, 3:].tolist(), strict=True))
        assert {name: value for name, value in found.items() if value == value} == emotions
        assert ("W_CORPUS" in codes(person.notices)) == (code == "99")


def test_what_cannot_be_used_is_told(twin: Path, tmp_path: Path) -> None:
    folder, bdf = copied(twin, tmp_path)
    shutil.copytree(folder / "Sessions" / "2", folder / "Sessions" / "3")
    xml(folder / "Sessions", "no xml")
    person = only(folder)
    assert person.recordings == ()
    assert [(e.trial_id, e.code) for e in person.exclusions] == [("50", "E_CORPUS")] * 2
    assert "'7/session.xml'" in person.notices[0].sentence
    shutil.rmtree(folder / "Sessions" / "3")
    bdf.unlink()
    assert [e.code for e in only(folder).exclusions] == ["W_MODALITY_ABSENT"]
    with pytest.raises(InputError, match="E_CORPUS"):
        open_mahnob(bdf.parent)


def test_any_cut_or_changed_header_is_read_or_refused(twin: Path, tmp_path: Path) -> None:
    folder, bdf = copied(twin, tmp_path)
    content = bdf.read_bytes()
    generator = np.random.default_rng(4)
    for _ in range(12):
        changed = bytearray(content[: generator.integers(1, len(content))])
        for place in generator.integers(0, min(len(changed), 256 * (CHANNELS + 1)), 2):
            changed[place] = generator.choice([32, 45, 48, 57, 200])
        bdf.write_bytes(changed)
        with suppress(AffectScopeError):  # which always has a code
            only(folder)
