"""The sync certificate: what moves when ECG and EDA are shifted against the face. Simulated people
and untrained weights: no number here is about a human being."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.datasets.window_dataset import WindowBatch, WindowStream
from affectscope.evaluation.phases import default_phases
from affectscope.inference.predictor import Predictor, Shares
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.windows import Preprocessing, cut_windows
from affectscope.records import MODALITIES, TARGETS, ClockAlignment, Modality
from affectscope.therapy.alignment import alignment_content, alignment_result
from affectscope.therapy.certificate import MOST_ROWS, SHIFT, ShiftProbe

PREPROCESSING = Preprocessing()
SECONDS = 60.0


@pytest.fixture(scope="module")
def stream() -> WindowStream:
    recording = synthetic_recording(
        synthetic_person("simulated-01", 3),
        random_course(SECONDS, 3),
        settings=SyntheticSettings(sampling_rate=128.0),
    )
    return WindowStream(recording, analyse_body(recording), PREPROCESSING, lambda: (b"", b""))


def session(stream: WindowStream, *alignments: ClockAlignment) -> Session:
    return Session(Path("s"), stream.recording, None, "largest", {}, alignments)


def predictor(modalities: tuple[Modality, ...] = ("face", "ecg", "eda")) -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(variant="bmmn", face_encoder="small", modalities=modalities)
    checkpoint = Checkpoint(config, PREPROCESSING, "simulated people", ("s1",))
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


def no_shares(count: int) -> Shares:
    return {name: np.zeros((count, len(TARGETS)), np.float32) for name in MODALITIES}


def batch(stream: WindowStream, times: np.ndarray) -> WindowBatch:
    """Rows with made-up faces and the stream's own signal windows."""
    random = np.random.default_rng(0)
    made = WindowBatch(
        keys=tuple(PREPROCESSING.key("s", "t", float(time)) for time in times),
        inputs={"face": random.integers(0, 255, (len(times), 3, 224, 224), dtype=np.uint8)},
        present={"face": np.ones(len(times), dtype=bool)},
        face_factors=np.ones((len(times), len(FACTORS))),
        faces_seen=np.ones(len(times), dtype=np.int64),
        face_boxes=np.full((len(times), 4), np.nan, np.float32),
    )
    return stream.shifted(made, np.arange(len(times)), 0.0)


def test_shifted_rows_are_those_of_a_signal_that_started_later(stream: WindowStream) -> None:
    times = np.array([20.0, 30.0, 40.0])
    rows = np.array([0, 2])
    before = batch(stream, times)
    moved = stream.shifted(before, rows, 0.5)
    for name, signal in stream.signals().items():
        later = replace(signal, start_time=signal.start_time + 0.5)
        expected, present = cut_windows(later, times[rows], PREPROCESSING)
        cut = moved.inputs[name].values()
        np.testing.assert_array_equal(cut, expected)
        np.testing.assert_array_equal(moved.present[name], present)
        assert not np.array_equal(cut, before.inputs[name][rows].values())
    np.testing.assert_array_equal(moved.inputs["face"], before.inputs["face"][rows])
    assert moved.keys == (before.keys[0], before.keys[2])


def test_the_certificate_tells_the_larger_effect_of_the_two_shifts(stream: WindowStream) -> None:
    scorer, times = predictor(), np.arange(6.0, 54.0, 4.0)
    probe, rows = ShiftProbe(stream, scorer), batch(stream, times)
    values = scorer.score(rows)
    probe.add(rows, scorer.shares(rows))
    phases = default_phases(0.0, SECONDS)[0]
    found = probe.certificate(session(stream), phases)
    assert found.moved is not None
    assert found.rows == len(times)
    every = np.arange(len(times))
    for name, moved in found.moved.items():
        column = TARGETS.index(name)
        apart = np.stack(
            [
                scorer.score(stream.shifted(rows, every, by))[:, column] - values[:, column]
                for by in (-SHIFT, SHIFT)
            ]
        )
        first, last = (times < SECONDS / 3), (times >= 2 * SECONDS / 3)
        change = apart[:, last].mean(axis=1) - apart[:, first].mean(axis=1)
        assert moved.mean == pytest.approx(np.abs(apart.mean(axis=1)).max(), abs=1e-6)
        assert moved.change == pytest.approx(np.abs(change).max(), abs=1e-6)
        assert moved.row == pytest.approx(np.sqrt((apart**2).mean(axis=1)).max(), abs=1e-6)
        assert moved.furthest == pytest.approx(np.abs(apart).max(), abs=1e-6)
        assert moved.furthest > 0
    assert set(found.moved) == {"valence", "arousal"}


def test_rows_are_spread_evenly_and_never_too_many(stream: WindowStream) -> None:
    class Counting:
        """The predictor's contract without its arithmetic, to count what is asked for."""

        checkpoint = predictor().checkpoint

        def shares(self, rows: WindowBatch) -> Shares:
            return no_shares(len(rows.keys))

        def values(self, shares: Shares, _present: object) -> np.ndarray:
            return np.zeros(shares["face"].shape)

    probe = ShiftProbe(stream, Counting())  # type: ignore[arg-type]
    for start in np.arange(5.0, 55.0, 2.5):
        rows = batch(stream, start + np.arange(20) / 8)
        probe.add(rows, no_shares(20))
    taken = np.concatenate(probe.times)
    assert 150 < len(taken) <= MOST_ROWS
    assert np.diff(taken).max() <= 2 * SECONDS / MOST_ROWS


@pytest.mark.parametrize(
    ("scorer", "says"),
    [(None, "no affect was scored"), (predictor(("ecg", "eda")), "reads ecg and eda only")],
)
def test_without_a_face_and_a_signal_to_compare_the_reason_is_told(
    stream: WindowStream, scorer: Predictor | None, says: str
) -> None:
    probe = ShiftProbe(stream, scorer)
    rows = batch(stream, np.array([20.0]))
    probe.add(rows, None if scorer is None else scorer.shares(rows))
    found = probe.certificate(session(stream), default_phases(0.0, SECONDS)[0])
    assert found.moved is None
    assert says in found.not_moved


def test_a_session_without_a_face_has_no_row_to_shift(stream: WindowStream) -> None:
    probe = ShiftProbe(stream, predictor())
    rows = batch(stream, np.array([20.0]))
    rows.present["face"][:] = False
    probe.add(rows, no_shares(1))
    found = probe.certificate(session(stream), default_phases(0.0, SECONDS)[0])
    assert (found.rows, found.moved) == (0, None)
    assert "both a face and a signal" in found.not_moved


def test_P18_an_unknown_drift_is_printed_with_what_it_may_amount_to(stream: WindowStream) -> None:
    alignments = (
        ClockAlignment("face", "stated", 2.5, None, None, None, (), "As session.toml states."),
        ClockAlignment("ecg", "own axis", 0.0, 0.0, None, 0.0, (), "The time axis."),
        ClockAlignment("eda", "events", -0.25, 12.34, 3.21, 0.0312, (), "Four markers."),
    )
    hour = replace(stream.recording, ecg=replace(stream.recording.ecg, sampling_rate=128 / 60))
    probe = ShiftProbe(replace(stream, recording=hour), None)
    opened = replace(session(stream, *alignments), recording=hour)
    found = probe.certificate(opened, default_phases(0.0, 3600.0)[0])
    shown = alignment_content(found)
    assert "drift of Face is not known" in shown["by_the_end"]
    assert "±0.36 s" in shown["by_the_end"]
    assert [row["uncertainty"] for row in shown["rows"]] == ["not known", "exact", "±31 ms"]
    assert [row["drift"] for row in shown["rows"]] == ["not known", "+0.0 ppm", "+12.3 ppm"]
    assert shown["rows"][2]["offset"] == "-0.250 s"
    written = json.loads(json.dumps(alignment_result(found), allow_nan=False))
    assert written["modalities"]["eda"]["uncertainty"] == 0.0312
    assert written["usual_drift_by_the_end"] == pytest.approx(0.36, abs=1e-3)
    assert written["moved"] is None
