"""Santamaria-Granados: its layers, which beats a row has, and what it finds and does not find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affectscope.baselines import santamaria
from affectscope.baselines.compared import ComparedData
from affectscope.baselines.santamaria import BEATS, SANTAMARIA, BeatNetwork, beats_of
from affectscope.datasets.body_features import body_of
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.samples import Fold

VALENCE, AROUSAL = 0, 1
LACKING = (("P04", "c1", "eda"), ("P04", "c2", "ecg"), ("P04", "c2", "eda"), ("P02", "", "eda"))


def task(data: ComparedData, *, train: tuple[str, ...] = ("P01", "P02"), seed: int = 0) -> Task:
    """P03 validates, P04 is tested."""
    subject = data.samples.subject
    sides = (np.flatnonzero(np.isin(subject, who)) for who in (train, ["P03"], ["P04"]))
    fold = Fold("P04", *sides)
    return Task(data.samples.hidden(subject != "P04"), fold, seed)


@pytest.fixture(scope="module")
def data(compared_data: Callable[..., Any]) -> ComparedData:
    made: ComparedData = compared_data(people=4, epochs=10, hop=6.0)
    return made


@pytest.fixture(scope="module")
def poor(compared_data: Callable[..., Any]) -> ComparedData:
    """With holes in every signal, trials that lack one, and one epoch."""
    made: ComparedData = compared_data(
        people=4, holes=True, eeg=True, lacking=LACKING, epochs=1, hop=10.0
    )
    return made


def test_the_table_of_the_head_is_the_network() -> None:
    network = BeatNetwork(torch.Generator().manual_seed(0))
    shapes, counts = [], []
    signal = torch.zeros(3, 2, 200)
    for layer in network.convolutions:
        signal = layer(signal)
        if isinstance(layer, nn.Conv1d | nn.MaxPool1d):
            shapes.append(tuple(signal.shape[1:]))
        if isinstance(layer, nn.Conv1d):
            counts.append(sum(weight.numel() for weight in layer.parameters()))
    assert shapes == [
        (16, 200), (16, 100), (32, 100), (32, 50), (64, 50), (64, 25), (64, 25), (64, 12)
    ]  # fmt: skip
    assert counts == [176, 2592, 10304, 20544]
    assert [layer.in_features for layer in network.connected if isinstance(layer, nn.Linear)] == [
        768, 64
    ]  # fmt: skip
    assert sum(weight.numel() for weight in network.parameters()) == 83027
    assert network(torch.zeros(3, 2, 200)).shape == (3, 3)


def test_windows_are_centred_on_r_peaks_and_z_scored(data: ComparedData) -> None:
    beats = beats_of(data)
    ecg, eda = beats.windows[:, 0], beats.windows[:, 1]
    # The R peak is the highest sample, but for beats whose neighbour is higher by noise.
    highest = np.abs(ecg[:, 60:140].argmax(axis=1) - 40)
    assert np.mean(highest <= 2) > 0.95
    assert np.median(ecg[:, 100]) > 2.0
    assert abs(float(eda.mean())) < 0.5
    assert 0.5 < float(eda.std()) < 1.5


def test_a_row_has_the_nearest_beats(data: ComparedData) -> None:
    beats, trial = beats_of(data), data.prepared.trials[0]
    body = body_of(data.cache, trial)
    assert body.ecg is not None
    start, end = trial.times[0], trial.times[0] + trial.duration
    peaks = body.ecg.peak_times
    peaks = peaks[(peaks >= start) & (peaks < end)]
    # The windows of the last beats may reach too far past the signal.
    for row in np.flatnonzero(trial.times < end - 10.0):
        near = np.sort(np.abs(peaks - trial.times[row]))
        near = near[near <= 5.0][:BEATS]
        own = beats.of_row[row]
        found = np.abs(peaks[own[own >= 0]] - trial.times[row])
        np.testing.assert_allclose(found, near, atol=1e-9)


def test_a_planted_effect_is_found_and_an_absent_one_is_not(
    data: ComparedData, score_gaps: Callable[..., tuple[float, float]]
) -> None:
    """Arousal shows in heart and skin, valence in neither; labels that follow it teach nothing."""
    valence, arousal = score_gaps(SANTAMARIA, data, task(data))
    assert arousal > 0.1
    assert abs(valence) < 0.4 * arousal
    truth = data.samples.truth.copy()
    truth[:, AROUSAL] = truth[:, VALENCE]  # as if permuted
    permuted = replace(data, samples=replace(data.samples, truth=truth))
    assert abs(score_gaps(SANTAMARIA, permuted, task(permuted))[1]) < 0.4 * arousal


def test_trials_that_lack_a_signal_have_no_score_and_holes_are_no_matter(
    poor: ComparedData,
) -> None:
    asked = task(poor)
    fitted = SANTAMARIA.fit(poor, asked)
    scores = fitted.predict(asked.fold.test)
    lacks = np.isin(poor.samples.trial[asked.fold.test], ["c1", "c2"])
    assert np.isnan(scores[lacks]).all()
    compared = scores[~lacks][:, list(poor.columns)]
    assert np.isfinite(compared).mean() > 0.8
    assert np.nanmax(np.abs(compared)) <= 1
    assert np.isnan(np.delete(scores, poor.columns, axis=1)).all()
    again = SANTAMARIA.fit(poor, asked).predict(asked.fold.test)
    np.testing.assert_array_equal(scores, again)
    other = SANTAMARIA.fit(poor, task(poor, seed=1)).predict(asked.fold.test)
    assert not np.array_equal(scores, other, equal_nan=True)
    assert {part.kind for part in fitted.parts} == {"classifier"}
    assert frozenset.union(*(part.subjects for part in fitted.parts)) == {"P01", "P02", "P03"}


def test_one_class_and_nothing_rated_give_the_training_rate(poor: ComparedData) -> None:
    truth = poor.samples.truth.copy()
    truth[:, AROUSAL], truth[:, poor.samples.targets.index("liking")] = 0.4, np.nan
    same = replace(poor, samples=replace(poor.samples, truth=truth))
    asked = task(same, train=("P01",))
    scores = SANTAMARIA.fit(same, asked).predict(asked.fold.test)
    arousal = scores[np.isfinite(scores[:, AROUSAL]), AROUSAL]
    assert len(np.unique(arousal)) == 1
    assert 0.8 < arousal[0] < 1.0
    liking = scores[np.isfinite(scores[:, 2]), 2]
    np.testing.assert_array_equal(liking, 0.0)


def test_a_training_person_without_eda_teaches_nothing(poor: ComparedData) -> None:
    asked = task(poor, train=("P02",))
    scores = SANTAMARIA.fit(poor, asked).predict(asked.fold.test)
    known = np.isfinite(scores[:, AROUSAL])
    assert known.any()
    np.testing.assert_array_equal(scores[known][:, list(poor.columns)], 0.0)


def test_the_head_tells_what_no_source_confirmed() -> None:
    assert santamaria.__doc__ is not None
    assert "[?]" in santamaria.__doc__
    assert SANTAMARIA.published is not None
    assert (SANTAMARIA.published.valence, SANTAMARIA.published.arousal) == (76.0, 75.0)
