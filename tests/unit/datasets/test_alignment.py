"""A video moved onto its signals by flashes, claps or the heartbeat; or honestly left where it was.

The films and signals are made here: no human data, and every true offset is known.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affectscope.datasets.alignment import aligned
from affectscope.io.session import Session, open_session
from affectscope.io.session_file import session_toml
from affectscope.io.video import FrameReader
from affectscope.records import ClockAlignment, FloatArray, VideoTrack

EVENTS = (3.013, 9.47, 19.001, 26.239)
"""Seconds of the film's own clock."""
FRAMES = 25
SECONDS = 30
SOUND = 16_000


def film(path: Path, *, flashes: tuple[float, ...] = (), claps: tuple[float, ...] = ()) -> None:
    """Noise with a lamp in the upper left corner that the exposure, a frame long, sees in part."""
    generator = np.random.default_rng(0)
    fine = np.arange(0, SECONDS, 1 / FRAMES / 50)
    lit = np.zeros(len(fine))
    for start in flashes:
        lit[(fine >= start) & (fine < start + 0.2)] = 120
    lamp = lit.reshape(-1, 50).mean(axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND, layout="mono") if claps else None
        for level in lamp:
            picture = generator.integers(90, 110, (48, 64, 3)).astype(np.uint8)
            picture[:12, :12] += np.uint8(level)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        if audio is not None:
            for n, block in enumerate(heard(claps).reshape(-1, 1000)):
                frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = SOUND, n * 1000
                frame.time_base = Fraction(1, SOUND)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())


def heard(claps: tuple[float, ...]) -> FloatArray:
    generator = np.random.default_rng(1)
    times = np.arange(SECONDS * SOUND) / SOUND
    sound = 0.001 * generator.standard_normal(len(times))
    for clap in claps:
        after = times - clap
        burst = np.where(after >= 0, np.exp(-np.maximum(after, 0) / 0.02), 0.0)
        sound += 0.4 * burst * generator.standard_normal(len(times))
    return np.clip(sound, -1, 1).astype(np.float32)


def session(folder: Path, offset: float, sync: dict[str, Any], marked: Any = EVENTS) -> Session:
    """Signals of 70 s at 100 Hz whose marker channel rises ``offset`` after the film's events."""
    high = np.zeros(7000, dtype=int)
    for event in marked:
        first = round((event + offset) * 100)
        high[first : first + 20] = 5
    rows = [f"0.{n % 90 + 10},2.{n % 90 + 10},{level}" for n, level in enumerate(high)]
    (folder / "signals.csv").write_text("\n".join(["ECG (mV),EDA (uS),TTL", *rows]) + "\n")
    stated = {"file": "signals.csv", "sampling_rate": 100.0}
    top = {
        "format": 1,
        "subject_id": "made",
        "face": {"file": "face.mp4"},
        "ecg": stated | {"channel": "ECG"},
        "eda": stated | {"channel": "EDA"},
        "sync": {
            "method": "events",
            "marker_file": "signals.csv",
            "marker_channel": "TTL",
            **sync,
        },
    }
    (folder / "session.toml").write_text(session_toml(top))
    return open_session(folder)


def face(opened: Session) -> ClockAlignment:
    return next(each for each in opened.alignments if each.modality == "face")


def video(opened: Session) -> VideoTrack:
    assert opened.recording.video is not None
    return opened.recording.video


def codes(opened: Session) -> list[str]:
    return [notice.code for notice in opened.recording.notices if notice.modality == "face"]


@pytest.fixture(scope="module")
def flashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flash") / "face.mp4"
    film(path, flashes=EVENTS)
    return path


@pytest.mark.parametrize("region", [None, [0, 0, 12, 12]])
def test_flashes_against_a_marker_channel_align_the_video(
    tmp_path: Path, flashing: Path, region: list[int] | None
) -> None:
    (tmp_path / "face.mp4").write_bytes(flashing.read_bytes())
    opened = session(tmp_path, 12.3, {"video": "flash"} | ({"region": region} if region else {}))
    assert codes(opened) == ["W_NO_OVERLAP"]  # 30 s of 70 s; not yet aligned
    done = aligned(opened)
    found = face(done)
    assert found.method == "events"
    assert found.offset == pytest.approx(12.3, abs=0.01)
    assert found.uncertainty is not None
    assert abs(found.offset - 12.3) < found.uncertainty < 0.06
    assert found.residual is not None
    assert found.residual < 10
    assert found.drift is None  # 23 s cannot show it
    assert "4 of 4 flashes" in found.sentence
    assert video(done).start_time == pytest.approx(found.offset)
    first = next(iter(FrameReader(video(done))))
    assert first.time == pytest.approx(found.offset)
    spans = [(n.start, n.end) for n in done.recording.notices if n.code == "W_NO_OVERLAP"]
    assert len(spans) == 2  # before and behind the film, where it now lies
    assert spans[0] == (0.0, pytest.approx(12.3, abs=0.01))


def test_claps_against_a_marker_channel_align_the_video(tmp_path: Path) -> None:
    film(tmp_path / "face.mp4", claps=EVENTS)
    done = aligned(session(tmp_path, 7.7, {"video": "clap"}))
    found = face(done)
    assert found.method == "events"
    assert found.offset == pytest.approx(7.7, abs=0.02)
    assert found.uncertainty is not None
    assert abs(found.offset - 7.7) < found.uncertainty + 0.005


def test_events_that_fit_no_marker_leave_the_video_and_say_so(
    tmp_path: Path, flashing: Path
) -> None:
    (tmp_path / "face.mp4").write_bytes(flashing.read_bytes())
    done = aligned(session(tmp_path, 0.0, {"video": "flash"}, marked=(1.0, 9.0, 21.0, 25.0)))
    assert face(done).method == "none"
    assert video(done).clock_offset == 0.0
    assert "W_NOT_ALIGNED" in codes(done)
    assert "fits no marker" in face(done).sentence


@pytest.mark.parametrize(
    ("sync", "says"),
    [
        ({"video": "clap"}, "holds no sound"),
        ({"video": "flash", "marker_channel": "EDA"}, "more than two levels"),
        ({"video": "flash", "marker_channel": "LED"}, "cannot be read"),
    ],
)
def test_what_is_missing_for_an_alignment_is_said(
    tmp_path: Path, flashing: Path, sync: dict[str, str], says: str
) -> None:
    (tmp_path / "face.mp4").write_bytes(flashing.read_bytes())
    done = aligned(session(tmp_path, 0.0, sync))
    assert "W_NOT_ALIGNED" in codes(done)
    assert says in face(done).sentence


def test_a_session_that_asks_for_nothing_is_left_as_it_is(tmp_path: Path, flashing: Path) -> None:
    (tmp_path / "face.mp4").write_bytes(flashing.read_bytes())
    opened = session(tmp_path, 0.0, {"video": "flash"})
    toml = (tmp_path / "session.toml").read_text()
    (tmp_path / "session.toml").write_text(toml[: toml.index("[sync]")])
    opened = open_session(tmp_path)
    assert aligned(opened) is opened
