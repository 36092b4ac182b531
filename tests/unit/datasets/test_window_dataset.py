"""Walking through a recording: rows, presence, coverage of signals without a video."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    synthetic_recording,
)
from affectscope.datasets.window_dataset import SIGNAL_ONLY_RATE, StreamSettings, WindowStream
from affectscope.preprocessing.windows import Preprocessing, cut_windows
from affectscope.records import ExcludedSpan, Recording

PREPROCESSING = Preprocessing()


@pytest.fixture(scope="module")
def recording() -> Recording:
    return synthetic_recording(
        synthetic_person("simulated-01", 3),
        random_course(30.0, 3),
        settings=SyntheticSettings(sampling_rate=128.0, eda_gaps=((10.0, 20.0),)),
    )


def no_face_model() -> tuple[bytes, bytes]:
    raise AssertionError("a recording without a video needs no face model")


def stream(recording: Recording, **settings: Any) -> WindowStream:
    return WindowStream(
        recording=recording,
        body=analyse_body(recording),
        preprocessing=PREPROCESSING,
        face_model=no_face_model,
        settings=StreamSettings(**settings),
    )


def test_signals_alone_are_walked_on_a_grid(recording: Recording) -> None:
    batches = list(stream(recording, batch_size=64))
    times = np.concatenate([batch.times for batch in batches])
    assert len(times) == 30 * SIGNAL_ONLY_RATE
    np.testing.assert_allclose(np.diff(times), 1 / SIGNAL_ONLY_RATE, atol=1e-9)
    assert all(len(batch.keys) <= 64 for batch in batches)
    assert all("face" not in batch.inputs for batch in batches)


def test_rows_do_not_depend_on_the_batch_size(recording: Recording) -> None:
    large = next(iter(stream(recording, rate=2.0, batch_size=1000)))
    small = list(stream(recording, rate=2.0, batch_size=7))
    for name in ("ecg", "eda"):
        joined = np.concatenate([batch.inputs[name].values() for batch in small])
        np.testing.assert_array_equal(joined, large.inputs[name].values())


def test_a_masked_span_is_absent_and_zero(recording: Recording) -> None:
    batch = next(iter(stream(recording, rate=2.0, batch_size=1000)))
    inside = (batch.times > 13) & (batch.times < 17)
    assert not batch.present["eda"][inside].any()
    assert (batch.inputs["eda"].values()[inside] == 0).all()
    assert (batch.inputs["eda"].values()[batch.present["eda"]] != 0).any()
    assert batch.present["ecg"][inside].all()
    assert not batch.present_matrix[:, 0].any()  # no face at all


def test_rows_hold_the_windows_that_would_be_cut(recording: Recording) -> None:
    walked = stream(recording, rate=2.0, batch_size=1000)
    batch = next(iter(walked))
    for name, signal in walked.signals().items():
        cut, usable = cut_windows(signal, batch.times, PREPROCESSING)
        np.testing.assert_array_equal(batch.inputs[name].values(), cut)
        np.testing.assert_array_equal(batch.present[name], usable)


def test_a_span_that_is_left_out_is_absent_and_zero(recording: Recording) -> None:
    spans = (ExcludedSpan("ecg", 12.0, 15.0, "a cough"),)
    batch = next(iter(stream(recording, rate=2.0, batch_size=1000, excluded=spans)))
    inside = (batch.times >= 12.0) & (batch.times < 15.0)
    assert not batch.present["ecg"][inside].any()
    assert (batch.inputs["ecg"].values()[inside] == 0).all()


def test_a_key_carries_the_window(recording: Recording) -> None:
    key = next(iter(stream(recording, rate=1.0))).keys[5]
    assert (key.subject_id, key.trial_id) == (recording.subject_id, recording.trial_id)
    assert key.centre == pytest.approx(5.0)
    assert key.duration == pytest.approx(1000 / 128)


def test_an_unusable_signal_becomes_a_notice(recording: Recording) -> None:
    from dataclasses import replace

    assert recording.ecg is not None
    flat = replace(
        recording, ecg=replace(recording.ecg, values=np.zeros(len(recording.ecg.values)))
    )
    body = analyse_body(flat)
    assert body.ecg is None
    assert body.eda is not None
    assert any(n.code == "E_SIGNAL_UNUSABLE" and n.modality == "ecg" for n in body.notices)
