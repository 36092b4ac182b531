"""Stage beside stage or one after the other, in batches of any size: the same estimates.

The person is simulated and the weights are drawn: no number here is about a human being.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectscope.datasets.body_analysis import BodyAnalysis, analyse_body
from affectscope.datasets.synthetic import (
    SyntheticSettings,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.datasets.window_dataset import StreamSettings, WindowBatch, WindowStream
from affectscope.inference.engine import TorchEngine
from affectscope.inference.predictor import Predictor
from affectscope.io.model_files import face_model
from affectscope.io.session import open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Recording

SECONDS = 14.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("simulated") / "session"
    settings = SyntheticSettings(sampling_rate=128.0)
    person = synthetic_person("simulated-01", 3)
    write_session(folder, person, random_course(SECONDS, 3), settings=settings)
    return open_session(folder).recording


@pytest.fixture(scope="module")
def body(recording: Recording) -> BodyAnalysis:
    return analyse_body(recording)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    config = BMMNConfig(face_encoder="small")
    checkpoint = Checkpoint(config, Preprocessing(), "simulated people", ("s1",))
    return Predictor(BMMN(config).eval(), checkpoint, "0" * 12)


def stream(recording: Recording, body: BodyAnalysis, settings: StreamSettings) -> WindowStream:
    return WindowStream(recording, body, Preprocessing(), face_model, settings)


def estimates(predictor: Predictor, walked: WindowStream) -> tuple[NDArray[np.float64], ...]:
    """(N,) times and (N, T) values."""
    pairs = [
        (batch.times, predictor.values(shares, batch.present))
        for batch, shares in predictor.scored(walked)
    ]
    times, values = zip(*pairs, strict=True)
    return np.concatenate(times), np.concatenate(values)


def left_behind() -> list[str]:
    """Threads of the pipeline that are still there."""
    names = ("read ahead", "made ahead")
    return [each.name for each in threading.enumerate() if each.name.startswith(names)]


class TwoAtATime(TorchEngine):
    parallel = 2


def test_overlapping_threads_and_batch_size_change_no_estimate(
    recording: Recording, body: BodyAnalysis, predictor: Predictor
) -> None:
    plain = StreamSettings(rate=10.0, batch_size=16, overlapped=False)
    times, values = estimates(predictor, stream(recording, body, plain))
    assert len(times) > 130
    assert np.isfinite(values).all()
    assert predictor.model.face is not None
    side_by_side = replace(predictor, engine=TwoAtATime(predictor.model.face))
    for scorer, settings in (
        (predictor, replace(plain, overlapped=True)),
        (side_by_side, replace(plain, overlapped=True, batch_size=7)),
        (predictor, replace(plain, batch_size=200)),
    ):
        walked = stream(recording, body, settings)
        again = estimates(scorer, walked)
        np.testing.assert_array_equal(again[0], times)
        np.testing.assert_allclose(again[1], values, atol=1e-5)
        assert not walked.notices
    assert left_behind() == []


class Broken(TorchEngine):
    """Fails from the third batch on."""

    calls = 0

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.calls += 1
        if self.calls > 2:
            raise MemoryError("no room for the pictures")
        return super().features(pictures)


def test_what_an_engine_raises_comes_out_behind_what_it_gave(
    recording: Recording, body: BodyAnalysis, predictor: Predictor
) -> None:
    assert predictor.model.face is not None
    broken = replace(predictor, engine=Broken(predictor.model.face))
    settings = StreamSettings(rate=10.0, batch_size=16)
    seen: list[WindowBatch] = []

    def walk() -> Iterator[WindowBatch]:
        yield from (batch for batch, _ in broken.scored(stream(recording, body, settings)))

    with pytest.raises(MemoryError, match="no room"):
        seen.extend(walk())
    assert left_behind() == []


def test_a_walk_that_is_given_up_leaves_no_thread_and_no_decoder(
    recording: Recording, body: BodyAnalysis, predictor: Predictor
) -> None:
    walked = predictor.scored(stream(recording, body, StreamSettings(batch_size=8)))
    batch, shares = next(walked)
    assert len(batch.keys) == len(shares["face"]) == 8
    walked.close()
    assert left_behind() == []
