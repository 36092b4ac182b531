"""Pictures of spans, their fixed network, and what the two systems learn from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from affectscope.baselines.compared import Compared, ComparedData, FaceEmbeddings
from affectscope.baselines.siddharth import (
    SIDDHARTH_ELM,
    SIDDHARTH_LSTM,
    STEPS,
    SpanNetwork,
    face_statistics,
    steps_of,
)
from affectscope.baselines.span_pictures import (
    SIDE,
    SPECTROGRAMS,
    ImageNetwork,
    RowMemory,
    electrode,
    head_map,
    picture_features,
)
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.errors import EvaluationError
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import FittedPart, check_parts
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold
from affectscope.preprocessing.eeg import EegPower
from affectscope.preprocessing.windows import NetworkSignal
from affectscope.records import TARGETS

VALENCE, AROUSAL, LIKING = (TARGETS.index(name) for name in ("valence", "arousal", "liking"))
SYSTEMS = pytest.mark.parametrize("system", [SIDDHARTH_ELM, SIDDHARTH_LSTM], ids=["ELM", "LSTM"])
NOBODY = np.zeros(1000, dtype=np.bool_)
PART = FittedPart("given encoder", "encoder", frozenset(), False, None)


def wave(frequency: float, rate: float = 128.0, seconds: float = 60.0) -> NetworkSignal:
    times = np.arange(round(rate * seconds)) / rate
    values = (0.5 + 0.4 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)
    return NetworkSignal(values, np.ones(len(values), dtype=np.bool_), rate, 0.0)


@pytest.mark.parametrize(
    ("name", "frequency", "row"), [("ecg", 8.0, 15), ("ecg", 24.0, 47), ("eda", 0.5, 15)]
)
@pytest.mark.parametrize("rate", [128.0, 256.0])
def test_a_spectrogram_shows_the_frequency(
    name: Any, frequency: float, row: int, rate: float
) -> None:
    picture = SPECTROGRAMS[name].of(wave(frequency, rate), np.array([10.0, 50.0]))
    assert picture is not None
    assert picture.shape == (1, SIDE, SIDE)
    assert set(picture[0].argmax(axis=0).tolist()) == {row}
    assert abs(picture.mean()) < 1e-5


def test_a_spectrogram_needs_most_of_its_span() -> None:
    signal = wave(8.0)
    for lost, shown in ((7.0, True), (9.0, False)):
        valid = signal.valid.copy()
        valid[: round(128 * lost)] = False
        picture = SPECTROGRAMS["ecg"].of(replace(signal, valid=valid), np.array([0.0, 40.0]))
        assert (picture is not None) == shown
    assert SPECTROGRAMS["ecg"].of(signal, np.array([40.0, 80.0])) is None  # half lies outside
    assert SPECTROGRAMS["eda"].of(signal, np.array([0.0, 10.0])) is None  # no window fits


def test_electrodes_lie_where_their_names_say() -> None:
    for name, (right, front) in {"AF3": (-0.3, 0.7), "T8": (0.8, 0.0), "O2": (0.1, -0.9),
                                 "Fpz": (0.0, 0.9)}.items():  # fmt: skip
        assert electrode(name) == pytest.approx((right, front), abs=0.1)
    assert electrode("ECG") is None
    assert electrode("F") is None


def test_a_head_map_shows_where_the_power_is() -> None:
    density = np.zeros((60, 4, 5), dtype=np.float32)
    density[:, 1, 3] = 1.0  # beta at F4: right and front
    density[5:15, 0] = np.nan
    power = EegPower(density, ("F3", "F4", "O1", "O2"), 1.0)
    picture = head_map(power, np.array([0.0, 40.0]))
    assert picture is not None
    assert picture.shape == (3, SIDE, SIDE)
    assert (picture[:2] == 0).all()
    quarters = picture[2].reshape(2, SIDE // 2, 2, SIDE // 2).mean(axis=(1, 3))
    assert quarters[0, 1] > 2 * max(quarters[0, 0], quarters[1, 1])
    missing = EegPower(np.full_like(density, np.nan), power.channels, 1.0)
    assert head_map(missing, np.array([0.0, 40.0])) is None


def test_the_image_network_is_fixed_and_as_its_table_says() -> None:
    one, other = ImageNetwork(), ImageNetwork()
    assert sum(p.numel() for p in one.parameters()) == 23_584
    assert not any(p.requires_grad for p in one.parameters())
    pictures, shapes = torch.rand(2, 3, SIDE, SIDE), []
    hidden = pictures
    for layer in one.layers:
        hidden = layer(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    assert shapes[::2] == [(16, 32, 32), (32, 16, 16), (64, 8, 8), (64, 4, 4)]
    assert shapes[-1] == (1024,)
    torch.testing.assert_close(one(pictures), other(pictures), rtol=0, atol=0)


def test_the_recurrent_network_has_the_parameters_of_its_table() -> None:
    for width in (7, 150):
        network = SpanNetwork(width)
        count = sum(p.numel() for p in network.parameters())
        assert count == 256 * width + 16_896 + 33_280 + 195
        assert network(torch.zeros(4, STEPS, width)).shape == (4, 3)


def test_rows_are_computed_once() -> None:
    asked: list[int] = []

    def compute(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return np.stack([rows, 2 * rows], axis=1).astype(np.float32)

    memory = RowMemory()
    np.testing.assert_array_equal(memory.of(np.array([5, 2, 5]), compute)[:, 1], [10, 4, 10])
    np.testing.assert_array_equal(memory.of(np.array([2, 9]), compute)[:, 0], [2, 9])
    assert asked == [2, 5, 9]


def embeddings_of(data: ComparedData) -> FaceEmbeddings:
    """Twelve numbers a frame, of which the last eight rise with valence."""
    features = {}
    for number, trial in enumerate(data.prepared.trials):
        random = np.random.default_rng([3, number])
        values = random.standard_normal((len(trial.times), 12)).astype(np.float32)
        values[:, 4:] += 3.0 * np.sign(trial.targets[:, VALENCE, None])
        features[trial.key] = np.where(trial.face_present[:, None], values, 0).astype(np.float32)
    return FaceEmbeddings(features, PART)


def with_faces(trial: PreparedTrial) -> PreparedTrial:
    present = np.ones(len(trial.times), dtype=np.bool_)
    present[:3] = False
    faces = np.zeros((len(present), 3, 1, 1), dtype=np.uint8)
    return replace(trial, faces=faces, face_present=present)


def with_trials(data: ComparedData, trials: list[PreparedTrial]) -> ComparedData:
    prepared = replace(data.prepared, trials=tuple(trials))
    found = embeddings_of(replace(data, prepared=prepared))
    return replace(data, prepared=prepared, face_embeddings=lambda _: found)


@pytest.fixture(scope="module")
def people(compared_data: Callable[..., ComparedData]) -> ComparedData:
    """Four people, four clips; arousal shows in heart and skin, valence in the embeddings."""
    data = compared_data(people=4, epochs=None, hop=5.0)
    return with_trials(data, [with_faces(trial) for trial in data.prepared.trials])


def task_of(data: ComparedData, train: str = "P01 P02", seed: int = 0) -> Task:
    sides = [np.flatnonzero(np.isin(data.samples.subject, side.split()))
             for side in (train, "P03", "P04")]  # fmt: skip
    return Task(data.samples.hidden(data.samples.subject != "P04"), Fold("P04", *sides), seed)


def right_share(data: ComparedData, fitted: Fitted, target: int) -> float:
    """Of the trials of P03 and P04: how many lie on their label's side."""
    rows = np.flatnonzero(np.isin(data.samples.subject, ["P03", "P04"]))
    scores, truth = fitted.predict(rows)[:, target], data.samples.truth[rows, target]
    trial = np.char.add(data.samples.subject[rows], data.samples.trial[rows])
    names = np.unique(trial)
    return float(np.mean([scores[trial == n].mean() * truth[trial == n][0] > 0 for n in names]))


def test_face_statistics_are_those_of_the_frames_with_a_face(people: ComparedData) -> None:
    embeddings, trial = embeddings_of(people), people.prepared.trials[1]
    first = len(people.prepared.trials[0].times)
    rows = first + np.array([len(trial.times) - 1, 0])  # spans: the last 40 s, the first 40 s
    found = face_statistics(people, embeddings, rows)
    end = trial.times[0] + trial.duration
    for row, (low, high) in enumerate(((end - 40, end), (trial.times[0], trial.times[0] + 40))):
        inside = (trial.times >= low) & (trial.times <= high) & trial.face_present
        frames = embeddings.features[trial.key][inside]
        expected = [frames.mean(axis=0), frames.std(axis=0), np.percentile(frames, 95, axis=0)]
        np.testing.assert_allclose(found[row], np.concatenate(expected), atol=1e-5)
    faceless = replace(trial, face_present=np.zeros(len(trial.times), dtype=np.bool_))
    trials = [people.prepared.trials[0], faceless]
    none = replace(people, prepared=replace(people.prepared, trials=tuple(trials)))
    assert np.isnan(face_statistics(none, embeddings, rows)).all()


def test_steps_are_equally_many_and_stay_inside_the_trial(people: ComparedData) -> None:
    samples = people.samples
    rows = np.arange(len(samples))
    steps = steps_of(people, rows)
    assert steps.shape == (len(samples), STEPS)
    for ids in (samples.subject, samples.trial):
        assert (ids[steps] == ids[:, None]).all()
    gaps = np.diff(samples.onset[steps], axis=1)
    np.testing.assert_allclose(gaps, 6.0)  # rows are 2 s apart, the hop is 5 s
    middle = len(people.prepared.trials[0].times) // 2
    assert steps[middle, STEPS // 2] == middle
    one = replace(people, settings=replace(people.settings, hop=1000.0))
    steps = steps_of(one, rows)
    assert (samples.trial[steps] == samples.trial[:, None]).all()


@SYSTEMS
def test_a_planted_effect_is_found(people: ComparedData, system: Compared) -> None:
    task = task_of(people)
    fitted = system.fit(people, task)
    assert right_share(people, fitted, VALENCE) >= 0.8
    assert right_share(people, fitted, AROUSAL) >= 0.8
    scores = fitted.predict(np.arange(len(people.samples)))
    others = np.setdiff1d(np.arange(len(TARGETS)), [VALENCE, AROUSAL, LIKING])
    assert np.isnan(scores[:, others]).all()
    assert np.isfinite(scores[:, [VALENCE, AROUSAL, LIKING]]).all()
    assert np.abs(scores[:, [VALENCE, AROUSAL, LIKING]]).max() <= 1.0
    check_parts(people.samples, task.fold, fitted.parts, PROTOCOLS["A"])
    assert PART in fitted.parts
    assert {part.kind for part in fitted.parts} == {"normaliser", "encoder", "classifier"}


@SYSTEMS
def test_the_same_seed_gives_the_same_scores_whoever_is_tested(
    people: ComparedData, system: Compared
) -> None:
    """What the test person's signals and faces are changes nobody else's scores."""
    people = replace(people, settings=replace(people.settings, epochs=2))
    trials = [replace(trial, signals={}, faces=None, face_present=NOBODY[: len(trial.times)])
              if trial.subject_id == "P04" else trial
              for trial in people.prepared.trials]  # fmt: skip
    other = with_trials(people, trials)
    rows = np.flatnonzero(people.samples.subject != "P04")
    one, two = (system.fit(data, task_of(data)).predict(rows) for data in (people, other))
    np.testing.assert_array_equal(one, two)


@SYSTEMS
def test_dealt_labels_teach_nothing(people: ComparedData, system: Compared) -> None:
    truth = people.samples.truth.copy()
    # One trial of each class is high in each person, so that signals say nothing of the label.
    for target in (VALENCE, AROUSAL):
        first = np.isin(people.samples.trial, ["c0", "c1"])
        swapped = people.samples.subject == "P02"
        truth[:, target] = np.where(first ^ swapped, 0.6, -0.6)
    dealt = replace(people, samples=replace(people.samples, truth=truth))
    fitted = system.fit(dealt, task_of(dealt))
    assert 0.2 <= right_share(dealt, fitted, AROUSAL) <= 0.8


@SYSTEMS
def test_what_is_missing_is_masked(people: ComparedData, system: Compared) -> None:
    def without(trial: PreparedTrial) -> PreparedTrial:
        if trial.trial_id == "c0":
            return replace(trial, signals={"eda": trial.signals["eda"]})
        if trial.trial_id == "c1":
            return replace(trial, signals={}, faces=None, face_present=NOBODY[: len(trial.times)])
        return trial

    data = with_trials(people, [without(trial) for trial in people.prepared.trials])
    values = data.features.values.copy()
    values[data.samples.trial == "c1"] = np.nan
    truth = data.samples.truth.copy()
    truth[:, LIKING] = np.nan  # nowhere rated
    truth[:, VALENCE] = 0.4  # one class
    data = replace(
        data, features=replace(data.features, values=values),
        samples=replace(data.samples, truth=truth),
        settings=replace(data.settings, epochs=1),
    )  # fmt: skip
    fitted = system.fit(data, task_of(data, train="P01"))
    scores = fitted.predict(np.arange(len(data.samples)))
    blind = data.samples.trial == "c1"
    np.testing.assert_array_equal(np.isnan(scores[:, AROUSAL]), blind)
    assert (scores[~blind, VALENCE] > 0.5).all()
    assert len(np.unique(scores[~blind, VALENCE])) == 1
    np.testing.assert_array_equal(scores[~blind, LIKING], 0.0)


@SYSTEMS
def test_nobody_to_learn_from_has_a_modality(people: ComparedData, system: Compared) -> None:
    learned_from = np.isin(people.samples.subject, ["P01", "P02"])
    trials = [replace(trial, signals={}, faces=None, face_present=NOBODY[: len(trial.times)])
              if trial.subject_id in ("P01", "P02") else trial
              for trial in people.prepared.trials]  # fmt: skip
    values = np.where(learned_from[:, None], np.nan, people.features.values)
    data = replace(with_trials(people, trials), features=replace(people.features, values=values))
    fitted = system.fit(data, task_of(data))
    assert np.isnan(fitted.predict(np.arange(len(data.samples)))).all()


@SYSTEMS
def test_a_corpus_without_skin_is_refused(people: ComparedData, system: Compared) -> None:
    trials = [replace(trial, signals={"ecg": trial.signals["ecg"]})
              for trial in people.prepared.trials]  # fmt: skip
    data = replace(people, prepared=replace(people.prepared, trials=tuple(trials)))
    with pytest.raises(EvaluationError, match=r"E_SOURCE: .* needs eda"):
        system.system(data)


def test_brain_pictures_join_where_there_is_an_eeg(
    compared_data: Callable[..., ComparedData],
) -> None:
    data = compared_data(people=1, clips=1, eeg=True)
    rows = np.array([4, 8])
    features = picture_features(data, "eeg", rows)
    assert features.shape == (2, ImageNetwork.width)
    assert np.isfinite(features).all()
    assert np.ptp(features) > 0
