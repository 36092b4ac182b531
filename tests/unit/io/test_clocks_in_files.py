"""Whole files whose clocks drift, stop and are set: each value is its sample's true time, so that
every sample is an event at a known time.

Legend: S samples.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import SignalSource, TimedSignal, read_timed_signal
from affectscope.io.clock_fit import fit_clock
from affectscope.io.even_axis import even_axis
from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.xdf import read_xdf
from affectscope.io.xdf_clock import to_recorder_clock
from affectscope.io.xdf_streams import (
    clock_offsets,
    complete_stamps,
    file_start,
    opened_xdf,
    read_column,
)

MS = 1e-3
UNIX = 1_700_000_000.0
SIZES = [(4.0, 36_000.0), (250.0, 1200.0)]


def sampled(rate: float, seconds: float, *drifts: float) -> np.ndarray:
    """(S,) true times of a sensor whose drift (ppm) goes through ``drifts``; two gaps."""
    at = np.linspace(0, 1, int(rate * seconds))
    times = np.cumsum((1 - np.interp(at, np.linspace(0, 1, len(drifts)), drifts) * 1e-6) / rate)
    lost = ((at > 0.2) & (at < 0.23)) | ((at > 0.6) & (at < 0.602))
    return np.asarray(times[~lost])


def chunk(tag: int, content: bytes) -> bytes:
    return struct.pack("<BIH", 4, len(content) + 2, tag) + content


def xdf_stream(number: int, true: np.ndarray, shown: np.ndarray, *, rate: float) -> bytes:
    """``shown``: the sender's clock at the true times; stamps lie 1 ms about it."""
    random = np.random.default_rng(number)
    xml = (
        f"<info><name>S{number}</name><type>ECG</type><channel_count>1</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>double64</channel_format></info>"
    )
    parts = [chunk(2, struct.pack("<I", number) + xml.encode())]
    rows = np.zeros(len(true), dtype=[("flag", "u1"), ("stamp", "<f8"), ("value", "<f8")])
    rows["flag"], rows["value"] = 8, true
    rows["stamp"] = shown + random.uniform(-MS, MS, len(true))
    step = max(1, int(5 * rate))
    for start in range(0, len(true), step):
        offset = true[start] - shown[start] + random.normal(0, 2e-4)
        parts.append(chunk(4, struct.pack("<Idd", number, shown[start], offset)))
        part = rows[start : start + step]
        parts.append(chunk(3, struct.pack("<IBI", number, 4, len(part)) + part.tobytes()))
    xml = f"<info><sample_count>{len(true)}</sample_count></info>"
    return b"".join([*parts, chunk(6, struct.pack("<I", number) + xml.encode())])


def table(path: Path, true: np.ndarray, shown: np.ndarray) -> Path:
    random = np.random.default_rng(9)
    stamps = UNIX + shown + random.uniform(-MS, MS, len(true))
    rows = "\n".join(f"{s:.3f};{v:.6f}" for s, v in zip(stamps, true, strict=True))
    path.write_text(f"timestamp (s);ECG (mV)\n{rows}\n")
    return path


def errors(timed: TimedSignal) -> np.ndarray:
    """Seconds by which each sample's time differs from the true one that it holds."""
    zero = 0.0 if timed.unix_start is None else timed.unix_start - UNIX
    off = timed.signal.times + zero - timed.signal.values
    assert np.isfinite(off).mean() > 0.9
    return np.asarray(off[np.isfinite(off)])


def resets(timed: TimedSignal) -> list[float | None]:
    return [notice.start for notice in timed.notices if notice.code == "W_TIME_RESET"]


@pytest.mark.parametrize(("rate", "seconds"), SIZES)
def test_P18_P19_two_lsl_streams_meet_within_a_millisecond(
    tmp_path: Path, rate: float, seconds: float
) -> None:
    """200 ppm against each other, one of them changing from 20 to 80 ppm, steps of 50 ms and 3 s
    in the sender's clock."""
    first, second = sampled(rate, seconds, 20.0, 80.0), sampled(rate, seconds, -120.0, -120.0)
    shown = first * (1 + 100e-6) + 500.0
    shown += 3.0 * (first > 0.4 * seconds) - 0.05 * (first > 0.7 * seconds)
    path = tmp_path / "a.xdf"
    header = chunk(1, b"<info><version>1.0</version></info>")
    streams = [
        xdf_stream(1, first, shown, rate=rate),
        xdf_stream(2, second, second * (1 - 100e-6) - 70.0, rate=rate),
    ]
    path.write_bytes(b"XDF:" + header + b"".join(streams))
    timed = [read_timed_signal(path, SignalSource(f"S{n}/1", unit="mV")) for n in (1, 2)]
    found = np.concatenate([errors(stream) for stream in timed])
    middle = (found.max() + found.min()) / 2  # the first stamp's own jitter
    assert np.abs(found - middle).max() < MS
    assert resets(timed[0]) == pytest.approx([0.4 * seconds, 0.7 * seconds], abs=1.0)
    clock = timed[0].clock
    assert clock is not None
    sizes = [size for _, size in clock.steps]
    assert sizes == pytest.approx([3.0, -0.05], abs=5 * MS)
    assert clock.drift == pytest.approx(50.0, abs=2.0)
    assert clock.gaps == 2
    assert clock.residual == pytest.approx(2 / np.sqrt(12), rel=0.05)


@pytest.mark.parametrize(("rate", "seconds"), SIZES)
@pytest.mark.parametrize("drifts", [(200.0, 200.0), (20.0, 80.0)])
def test_P18_P19_a_table_lies_within_a_millisecond_of_its_unix_times(
    tmp_path: Path, rate: float, seconds: float, drifts: tuple[float, float]
) -> None:
    """The stated rate alone would be 7.2 s off after 10 hours at 200 ppm."""
    true = sampled(rate, seconds, *drifts)
    timed = read_timed_signal(
        table(tmp_path / "a.csv", true, true), SignalSource("ECG", sampling_rate=rate)
    )
    assert np.abs(errors(timed)).max() < MS
    assert [notice.code for notice in timed.notices] == ["W_MISSING", "W_MISSING"]
    clock = timed.clock
    assert clock is not None
    assert clock.drift == pytest.approx(sum(drifts) / 2, abs=2.0)
    assert (clock.stated_rate, clock.gaps, clock.steps) == (rate, 2, ())
    assert clock.resampled == (drifts[0] != drifts[1])


@pytest.mark.parametrize("size", [-0.05, -3.0])
def test_P16_P19_a_clock_that_was_set_back_is_told_and_bridged(tmp_path: Path, size: float) -> None:
    true = sampled(100.0, 600.0, 40.0)
    shown = true + size * (true > 400.0)
    timed = read_timed_signal(table(tmp_path / "a.csv", true, shown), SignalSource("ECG"))
    assert np.abs(errors(timed)).max() < MS
    assert resets(timed) == [pytest.approx(400.0, abs=0.1)]
    assert timed.clock is not None
    assert [seconds for _, seconds in timed.clock.steps] == pytest.approx([size], abs=MS)


def test_P19_a_step_forward_is_told_where_it_is_as_lost_samples(tmp_path: Path) -> None:
    """Stamps cannot tell lost samples from a clock that was set: samples lie where stamps say."""
    true = np.arange(60_000) / 100
    shown = true + 3.0 * (true >= 400.0)
    timed = read_timed_signal(table(tmp_path / "a.csv", true, shown), SignalSource("ECG"))
    (notice,) = timed.notices
    assert (notice.code, notice.start) == ("W_MISSING", pytest.approx(400.0, abs=0.02))
    assert notice.end == pytest.approx(403.0, abs=0.02)


def test_P16_rows_in_a_wrong_order_are_no_clock_that_was_set(tmp_path: Path) -> None:
    true = np.arange(2000) / 100
    shown = true.copy()
    shown[[700, 720]] = shown[[720, 700]]
    path = table(tmp_path / "a.csv", true, shown)
    timed = read_timed_signal(path, SignalSource("ECG", sampling_rate=100.0))
    assert (timed.clock, resets(timed)) == (None, [None])
    with pytest.raises(InputError, match="E_SIGNAL_FILE"):
        read_timed_signal(path, SignalSource("ECG", time_column="timestamp", sampling_rate=100.0))


def test_F05_no_sample_of_a_real_recording_lies_off_its_corrected_stamp(real_data: Path) -> None:
    """Its rate wanders by 4 %, so that an even axis was up to 390 ms off."""
    path = real_data / "xdf" / "clock_resets.xdf"
    with opened_xdf(path) as (data, scan):
        stream = next(s for s in scan.streams.values() if s.samples == 27_815)
        assert stream.header is not None
        values, stamps = read_column(data, stream, stream.header, column=0)
        start = file_start(data, scan)
    complete_stamps(stamps, 100.0)
    to_recorder_clock(stamps, clock_offsets(stream))
    stamps -= start
    clock = fit_clock(stamps.copy(), 100.0)
    assert clock is not None
    axis = even_axis(clock, 100.0)
    times = axis.first_time + np.arange(axis.runs[-1].last) / axis.sampling_rate
    off = (axis.place(stamps) - times)[np.isfinite(axis.place(stamps))]
    assert np.abs(off).max() < MS
    read = read_xdf(path, SignalSource("BioSemi/1"))
    np.testing.assert_allclose(read.values, axis.place(values))
    assert read.first_time == pytest.approx(axis.first_time)
    assert read.measured_rate == pytest.approx(axis.sampling_rate)
    assert not any("not steady" in notice.sentence for notice in read.notices)


def test_P18_frames_lie_within_half_a_frame_after_ten_hours_at_200_ppm(tmp_path: Path) -> None:
    import av

    path, rate = tmp_path / "a.mkv", 25
    stamps = [0, *(3600 * rate * hour for hour in range(1, 11))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.time_base = 64, 48, Fraction(1, rate)
        for level, stamp in enumerate(stamps):
            picture = np.full((48, 64, 3), 20 * level, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    track = inspect_video(path, 12.5, 1 + 200e-6)
    times = [frame.time for frame in FrameReader(track)]
    true = [12.5 + (1 + 200e-6) * stamp / rate for stamp in stamps]
    assert times == pytest.approx(true, abs=0.5 / rate)
    assert track.start_time == pytest.approx(12.5, abs=0.5 / rate)
    assert track.end_time == pytest.approx(true[-1], abs=2 / rate)
