"""What the speed benchmarks compute with: repeated video, scaled times, memory, tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest

import long_session
import speed
from measured_command import Look, Measured, measured
from speed_plain import PlainRun
from speed_sessions import repeat
from speed_tables import table, tables


def test_repeated_video_has_the_frames_asked_for_evenly_spaced_and_of_the_same_pictures(
    tmp_path: Path,
) -> None:
    drawn = tmp_path / "drawn.mp4"
    with av.open(str(drawn), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in range(10):
            picture = np.full((64, 64, 3), 20 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    repeat(drawn, tmp_path / "long.mp4", 33)
    with av.open(str(tmp_path / "long.mp4")) as container:
        seen = [(frame.time, frame.to_ndarray()[0, 0]) for frame in container.decode(video=0)]
    times, levels = zip(*seen, strict=True)
    # Frames that are shown before the last one in coded order may be missing at the very end.
    assert 30 <= len(seen) <= 33
    assert np.allclose(np.diff(times)[:29], 1 / 25)
    assert levels[10:20] == levels[:10] == levels[20:30]


def test_the_plain_versions_time_for_a_session_grows_with_its_frames_alone() -> None:
    run = PlainRun(frames=50, per_frame=0.1, cpu_per_frame=0.2, once=3.0, cpu_once=4.0)
    assert run.of_session(1000) == pytest.approx((103.0, 204.0))
    assert run.of_session(0) == (3.0, 4.0)


def test_a_command_is_measured_with_the_memory_of_its_children_beside_its_own() -> None:
    child = "held = bytearray(60 << 20); import time; time.sleep(0.8)"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    run = measured([sys.executable, "-c", script], interval=0.05)
    memory = run.memory()
    assert isinstance(memory["all"], int)
    assert isinstance(memory["program"], int)
    assert memory["all"] >= memory["program"] + 60
    assert memory["decoder"] == 0
    assert run.cpu_seconds > 0
    assert run.seconds > 0.8


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3:\nbroken"):
        measured([sys.executable, "-c", "print('broken'); raise SystemExit(3)"])


def test_memory_over_time_is_that_of_the_nearest_looks() -> None:
    looks = tuple(Look(float(k), program=100.0 + k, decoder=10.0, others=1.0) for k in range(101))
    memory = Measured(100.0, 50.0, "", looks).memory()
    assert memory["all_at_25_50_75_100_percent"] == [136, 161, 186, 211]
    assert (memory["program"], memory["decoder"], memory["all"]) == (200, 10, 211)


def test_a_long_session_measured_again_replaces_its_row_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_session, "RESULT", tmp_path / "rows.json")
    run = {"minutes": 60.0, "size": [1280, 720], "video_frames_per_second": 25}
    fast = run | {"checkpoint": "trained", "options": "--engine openvino"}
    for options, seconds in (("", 9), ("--engine openvino", 5), ("--engine openvino", 4)):
        long_session.keep(fast | {"options": options, "seconds": seconds})
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["options"], row["seconds"]) for row in rows] == [("", 9), ("--engine openvino", 4)]


def test_tables_show_what_was_measured_and_say_what_was_not() -> None:
    start = {"affectscope --help": {"median": 0.25, "longest": 0.31, "cpu": 0.2}}
    text = tables(
        {"start": {"figures": start}, "stages": {"figures": {"failed": "ValueError: no video"}}}, []
    )
    assert "| affectscope --help | 0.25 | 0.31 | 0.2 |" in text
    assert "Not measured: stages (ValueError: no video)" in text
    assert "End to end" not in text


def test_a_nested_result_of_dense_encoders_becomes_a_row_for_each_time() -> None:
    dense = {"seconds": 0.5, "ratio": 40.0, "difference": 3e-7}
    encoders = {"BAE": {"25 windows/s": {"windows": {"seconds": 20.0}, "tables": dense}}}
    part = {"dense encoders": {"figures": {"minutes": 60, "encoders": encoders}}}
    text = tables(part, [])
    assert "| BAE, 25 windows/s, windows | 20 |  |  |" in text
    assert "| BAE, 25 windows/s, tables | 0.5 | 40 | 3e-07 |" in text


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (0.12345, "0.123"), (1234.5, "1,234"), (9000, "9,000")]
)
def test_numbers_are_written_with_three_digits_and_gaps_stay_empty(
    value: float | None, cell: str
) -> None:
    assert table("Title", ["what"], [[value]]).endswith(f"| {cell} |")
    assert table("Title", ["what"], []) == ""


def test_the_pages_figures_are_those_that_are_kept() -> None:
    assert speed.PAGE.read_text() == speed.page(), "run benchmarks/speed.py --markdown"
