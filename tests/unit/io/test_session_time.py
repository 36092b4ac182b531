"""How a session's modalities lie on one axis by what their files share and session.toml states."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affectscope.errors import SessionError
from affectscope.io.session import Session, open_session
from affectscope.io.session_file import read_session_file, session_toml
from affectscope.io.video import inspect_video
from affectscope.records import ClockAlignment, Signal

RATE = 20.0
NOON = 1_700_000_000.0


def session(folder: Path, **tables: Any) -> Path:
    top = {"format": 1, "subject_id": "P01"} | tables
    (folder / "session.toml").write_text(session_toml(top))
    return folder


def table(folder: Path, name: str, unix: float | None = None, seconds: int = 60) -> None:
    """ECG, EDA and a marker channel that rises at 10.0 s and 40.0 s."""
    lines = ["ECG (mV),EDA (uS),TTL" if unix is None else "unix,ECG (mV),EDA (uS),TTL"]
    for n in range(seconds * 20):
        high = n in (200, 201, 800, 801)
        row = f"0.{n % 90 + 10},2.{n % 90 + 10},{5 * high}"
        lines.append(row if unix is None else f"{unix + n / 20:.3f},{row}")
    (folder / name).write_text("\n".join(lines) + "\n")


def entry(file: str, channel: str, **more: Any) -> dict[str, Any]:
    return {"file": file, "channel": channel, **more}


def film(folder: Path, created: str | None = None, name: str = "face.mp4") -> dict[str, Any]:
    with av.open(str(folder / name), "w") as container:
        if created is not None:
            container.metadata["creation_time"] = created
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(60):
            picture = np.full((32, 32, 3), n, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return {"file": name}


def both(file: str = "signals.csv", **more: Any) -> dict[str, Any]:
    stated = {"sampling_rate": RATE} | more
    return {"ecg": entry(file, "ECG", **stated), "eda": entry(file, "EDA", **stated)}


def of(opened: Session, modality: str) -> ClockAlignment:
    (found,) = [each for each in opened.alignments if each.modality == modality]
    return found


def codes(opened: Session) -> list[tuple[str, str | None]]:
    return [(n.code, n.modality) for n in opened.recording.notices]


# --- what is shared, what is stated, what is neither ----------------------------------------------


def test_a_video_that_shares_nothing_with_the_signals_is_not_aligned(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv")
    opened = open_session(session(tmp_path, face=film(tmp_path), **both()))
    assert [a.modality for a in opened.alignments] == ["face", "ecg", "eda"]
    assert codes(opened) == [("W_NOT_ALIGNED", "face")]
    face = of(opened, "face")
    assert (face.method, face.offset, face.drift, face.uncertainty) == ("none", 0.0, None, None)
    assert "taken to start together" in face.sentence
    assert "clock_offset" in face.sentence


@pytest.mark.parametrize(
    "tables",
    [{"face": {"file": "face.mp4", "clock_offset": 0.0}}, {"sync": {"method": "stated"}}],
)
def test_an_offset_that_is_stated_is_no_doubt(tmp_path: Path, tables: dict[str, Any]) -> None:
    table(tmp_path, "signals.csv")
    opened = open_session(session(tmp_path, **({"face": film(tmp_path)} | both() | tables)))
    assert codes(opened) == []
    assert of(opened, "face").method == "stated"


def test_channels_of_one_file_share_their_clock_and_the_ecg_is_the_axis(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv")
    opened = open_session(session(tmp_path, **both()))
    assert [(a.method, a.drift, a.uncertainty) for a in opened.alignments] == [
        ("own axis", 0.0, 0.0),
        ("clock", 0.0, 0.0),
    ]


def test_two_files_without_a_clock_are_not_aligned(tmp_path: Path) -> None:
    table(tmp_path, "a.csv")
    table(tmp_path, "b.csv")
    tables = {"ecg": both("a.csv")["ecg"], "eda": both("b.csv")["eda"]}
    opened = open_session(session(tmp_path, **tables))
    assert ("W_NOT_ALIGNED", "eda") in codes(opened)
    tables["eda"] |= {"clock_offset": 3.0}
    stated = open_session(session(tmp_path, **tables))
    assert (of(stated, "eda").method, of(stated, "eda").offset) == ("stated", 3.0)
    assert ("W_NOT_ALIGNED", "eda") not in codes(stated)


def test_unix_times_align_two_files_with_an_unknown_uncertainty(tmp_path: Path) -> None:
    table(tmp_path, "a.csv", NOON + 12)
    table(tmp_path, "b.csv", NOON)
    tables = {"ecg": entry("a.csv", "ECG"), "eda": entry("b.csv", "EDA")}
    opened = open_session(session(tmp_path, **tables))
    assert of(opened, "ecg").offset == pytest.approx(12.0)
    eda = of(opened, "eda")
    assert (eda.method, eda.uncertainty, eda.drift) == ("clock", None, None)
    together = open_session(session(tmp_path, sync={"method": "stated"}, **tables))
    assert together.recording.ecg is not None
    assert together.recording.ecg.start_time == 0.0
    assert of(together, "eda").method == "stated"


def test_a_video_alone_is_its_own_axis(tmp_path: Path) -> None:
    opened = open_session(session(tmp_path, face=film(tmp_path)))
    assert [a.method for a in opened.alignments] == ["own axis"]
    assert codes(opened) == []


# --- the creation time ----------------------------------------------------------------------------


@pytest.mark.parametrize("created", ["1904-01-01T00:00:00Z", "2023-11-14T23:13:30Z"])
def test_V27_a_creation_time_is_told_and_never_used_alone(tmp_path: Path, created: str) -> None:
    table(tmp_path, "signals.csv", NOON)
    face = film(tmp_path, created, "face.mkv")  # MP4 cannot say 1904: it counts from there
    tables = {"ecg": entry("signals.csv", "ECG"), "eda": entry("signals.csv", "EDA")}
    opened = open_session(session(tmp_path, face=face, **tables))
    assert opened.recording.video is not None
    assert opened.recording.video.start_time == 0.0
    assert of(opened, "face").method == "none"
    assert ("W_NOT_ALIGNED", "face") in codes(opened)
    (sentence,) = [n.sentence for n in opened.recording.notices if n.code == "W_CLOCK_UNTRUSTED"]
    assert "was not used" in sentence
    assert f"{datetime.fromisoformat(created).timestamp() - NOON:+.0f} s" in sentence
    stated = open_session(session(tmp_path, face=face | {"clock_offset": 1.0}, **tables))
    assert codes(stated) == []


def test_a_video_without_a_creation_time_states_none(tmp_path: Path) -> None:
    film(tmp_path)
    assert inspect_video(tmp_path / "face.mp4").created is None
    film(tmp_path, "2023-11-14T22:13:20+00:00")
    assert (
        inspect_video(tmp_path / "face.mp4").created
        == datetime.fromtimestamp(NOON, UTC).timestamp()
    )


# --- [sync] ---------------------------------------------------------------------------------------

EVENTS = {"method": "events", "video": "flash", "marker_file": "signals.csv"}


def test_the_table_sync_is_read(tmp_path: Path) -> None:
    stated = EVENTS | {"region": [1, 2, 3, 4], "marker_channel": "TTL"}
    folder = session(tmp_path, sync=stated, face={"file": "f.mp4", "clock_offset": 1.0})
    entry = read_session_file(folder).sync
    assert (entry.method, entry.video, entry.region) == ("events", "flash", (1, 2, 3, 4))
    assert entry.markers is not None
    assert (entry.markers.name, entry.marker_channel, entry.stated) == (
        "signals.csv",
        "TTL",
        ("face",),
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"method": "guess"}, "method in [sync] is 'guess'; it must be 'clock' or 'stated'"),
        ({"method": "clock", "video": "flash"}, "video in [sync] is 'flash'; it must be left out"),
        ({"method": "events"}, "video in [sync] is missing; it must be 'flash' or 'clap'"),
        ({"method": "events", "video": "flash"}, "marker_file in [sync] is missing"),
        (EVENTS | {"region": [0, 0, 0, 5]}, "region in [sync] is [0, 0, 0, 5]; it must be [x, y"),
        (EVENTS | {"region": [0.5, 0, 1, 5]}, "region in [sync]"),
        (EVENTS | {"video": "clap", "region": [0, 0, 4, 4]}, "a clap is heard"),
        (EVENTS | {"marker_file": "../x.csv"}, "lies outside the session's folder"),
    ],
)
def test_a_wrong_table_sync_is_refused(tmp_path: Path, table: dict[str, Any], says: str) -> None:
    table_ = {"sync": table}
    with pytest.raises(SessionError, match=re.escape(says)):
        open_session(session(tmp_path, **table_, **both()))


# --- markers --------------------------------------------------------------------------------------


def markers(opened: Session) -> Any:
    assert [c for c, m in codes(opened) if m == "face" and c.startswith("E_")] == []
    return opened.markers


def test_a_marker_channel_of_the_signals_file_lies_with_them(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv")
    sync = EVENTS | {"marker_channel": "TTL"}
    opened = open_session(session(tmp_path, sync=sync, **both(clock_offset=7.0)))
    found = markers(opened)
    assert isinstance(found, Signal)
    assert found.start_time == 7.0
    assert found.times[np.flatnonzero(found.values > 2)[0]] == pytest.approx(17.0)
    assert set(opened.input_hashes) == {"session.toml", "signals.csv"}


def test_an_empatica_button_lies_by_its_unix_time(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv", NOON)
    (tmp_path / "tags.csv").write_text(f"{NOON + 10:.2f}\n{NOON + 40:.2f}\n")
    sync = EVENTS | {"marker_file": "tags.csv"}
    tables = {"ecg": entry("signals.csv", "ECG", clock_offset=2.0)}
    found = markers(open_session(session(tmp_path, sync=sync, **tables)))
    assert found == pytest.approx([12.0, 42.0])


def test_another_file_with_unix_times_marks_too(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv", NOON)
    table(tmp_path, "marks.csv", NOON + 100)
    sync = EVENTS | {"marker_file": "marks.csv", "marker_channel": "TTL"}
    found = markers(open_session(session(tmp_path, sync=sync, ecg=entry("signals.csv", "ECG"))))
    assert found.start_time == pytest.approx(100.0)


def test_markers_without_a_common_clock_are_a_notice(tmp_path: Path) -> None:
    table(tmp_path, "signals.csv")
    table(tmp_path, "marks.csv")
    sync = EVENTS | {"marker_file": "marks.csv", "marker_channel": "TTL"}
    opened = open_session(session(tmp_path, sync=sync, **both()))
    assert opened.markers is None
    (said,) = [n for n in opened.recording.notices if n.modality == "face"]
    assert said.code in ("E_CHANNEL", "E_SAMPLING_RATE")


def test_a_text_stream_of_a_real_xdf_recording_marks_events(
    real_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.xdf").write_bytes((real_data / "xdf" / "minimal.xdf").read_bytes())
    sync = EVENTS | {"marker_file": "a.xdf", "marker_channel": "SendDataString"}
    ecg = entry("a.xdf", "SendDataC/1", unit="mV", clock_offset=3.0)
    found = markers(open_session(session(tmp_path, sync=sync, ecg=ecg)))
    assert len(found) == 9
    assert found[:3] == pytest.approx([3.1, 3.2, 3.2], abs=1e-6)
