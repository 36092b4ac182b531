"""Yildirim et al.: its layers, what it gives back, and the features made of its codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affectscope.baselines.compared import ComparedData
from affectscope.baselines.yildirim import (
    CODE_HOP,
    WINDOW,
    YILDIRIM,
    EcgAutoencoder,
    code_features,
    ecg_signal,
    fit_autoencoder,
    rebuilt,
    reconstruction,
    windows_at,
    yildirim_reconstruction,
)
from affectscope.datasets.body_features import body_of
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.samples import Fold

AROUSAL = 1
LACKING = (("P04", "c1", "eda"), ("P04", "c2", "ecg"), ("P04", "c2", "eda"), ("P02", "", "eda"))


def task(data: ComparedData, *, train: str = "P01", seed: int = 0) -> Task:
    """P03 validates, P04 is tested."""
    subject = data.samples.subject
    sides = (np.flatnonzero(subject == who) for who in (train, "P03", "P04"))
    return Task(data.samples.hidden(subject != "P04"), Fold("P04", *sides), seed)


@pytest.fixture(scope="module")
def data(compared_data: Callable[..., Any]) -> ComparedData:
    """With holes in every signal, a trial without ECG, one epoch."""
    made: ComparedData = compared_data(
        people=4, holes=True, eeg=True, lacking=LACKING, epochs=1, hop=10.0
    )
    return made


@pytest.fixture(scope="module")
def network() -> EcgAutoencoder:
    return EcgAutoencoder(torch.Generator().manual_seed(0)).eval()


def waves(count: int, seed: int) -> np.ndarray:
    """(count, 1, 2000) in [0, 1]: a peak as narrow as a QRS complex at a random place, twice."""
    generator = np.random.default_rng(seed)
    place = generator.uniform(200, 800, (count, 1))
    time = np.arange(2000)
    peaks = sum(np.exp(-(((time - place - shift) / 12) ** 2)) for shift in (0, 1000))
    return (0.2 + 0.7 * peaks)[:, None].astype(np.float32)


def test_the_table_of_the_head_is_the_network(network: EcgAutoencoder) -> None:
    layers, shapes, counts = [], [], []
    signal = torch.zeros(2, 1, 2000)
    for layer in (*network.encoder, *network.decoder):
        signal = layer(signal)
        if not isinstance(layer, nn.ReLU):
            layers.append(layer)
            shapes.append(tuple(signal.shape[1:]))
            counts.append(sum(weight.numel() for weight in layer.parameters()))
    assert len(layers) == 27
    assert shapes == [
        (8, 2000), (8, 1000),
        (16, 1000), (16, 1000), (16, 500),
        (32, 500), (32, 500), (32, 250),
        (32, 250), (32, 250), (32, 125),
        (32, 125), (32, 62),
        (1, 62),
        (32, 62), (32, 62),
        (32, 125), (32, 125),
        (32, 250), (32, 250), (32, 250),
        (32, 500), (16, 500),
        (16, 1000), (8, 1000),
        (8, 2000), (1, 2000),
    ]  # fmt: skip
    assert counts == [
        48, 0, 656, 32, 0, 2592, 64, 0, 5152, 64, 0, 5152, 0, 97,
        192, 64, 0, 5152, 0, 5152, 64, 0, 2576, 0, 648, 0, 41,
    ]  # fmt: skip
    assert sum(counts) == 27746


def test_a_window_keeps_the_time_span_of_the_paper() -> None:
    assert WINDOW.window_duration == pytest.approx(2000 / 360)


def test_windows_come_back_through_62_numbers(network: EcgAutoencoder) -> None:
    windows = waves(40, 0)
    codes = network.encoder(torch.from_numpy(windows))
    assert codes.shape == (40, 1, 62)
    with torch.inference_mode():
        expected = network.decoder(network.encoder(torch.from_numpy(windows[33:34])))
    np.testing.assert_allclose(rebuilt(network, windows)[33], expected[0].numpy(), atol=1e-4)


def test_it_learns_to_give_back_peaks_that_it_has_not_seen() -> None:
    """An easier input than an ECG, so that a small budget shows learning at all."""
    learnt = fit_autoencoder(waves(32, 0), waves(8, 1), epochs=12, seed=0)
    drawn = fit_autoencoder(waves(1, 0)[:0], waves(8, 1)[:0], epochs=1, seed=0)
    unseen = waves(16, 2)
    before, after = reconstruction(drawn, unseen), reconstruction(learnt, unseen)
    assert after.prdn[1] < 95.0 < 200.0 < before.prdn[1]  # 100: a window's own mean


def test_reconstruction_is_prd_by_its_definition(network: EcgAutoencoder) -> None:
    windows = waves(9, 3)
    windows[4] = 0.5  # constant: PRDN has no meaning
    found = reconstruction(network, windows)
    assert found.windows == 8
    assert found.compression_ratio == 2000 / 62
    x = np.delete(windows, 4, axis=0)[:, 0].astype(np.float64)
    y = np.delete(rebuilt(network, windows), 4, axis=0)[:, 0].astype(np.float64)
    error = ((x - y) ** 2).sum(axis=1)
    prd = 100 * np.sqrt(error / (x**2).sum(axis=1))
    prdn = 100 * np.sqrt(error / ((x - x.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    np.testing.assert_allclose(found.prd, np.percentile(prd, (25, 50, 75)), rtol=1e-5)
    np.testing.assert_allclose(found.prdn, np.percentile(prdn, (25, 50, 75)), rtol=1e-5)
    nothing = reconstruction(network, windows[:0])
    assert nothing.windows == 0
    assert all(math.isnan(value) for value in (*nothing.prd, *nothing.prdn))


def test_windows_are_centred_on_their_rows(data: ComparedData) -> None:
    trial = data.prepared.trials[0]
    body = body_of(data.cache, trial)
    assert body.ecg is not None
    row = int(np.searchsorted(trial.times, trial.times[0] + 40.0))
    (window,) = windows_at(data, np.array([row]))
    peaks = body.ecg.peak_times - (trial.times[row] - 1000 / 360)
    peaks = peaks[(peaks > 0.1) & (peaks < 2000 / 360 - 0.1)]
    assert len(peaks) >= 4
    for place in np.rint(peaks * 360).astype(int):
        near = window[0, place - 30 : place + 30]
        assert abs(int(near.argmax()) - 30) <= 4
        assert near.max() > 0.8


def test_windows_of_a_trial_without_ecg_are_left_out(data: ComparedData) -> None:
    rows = np.arange(len(data.samples))
    lacks = (data.samples.subject == "P04") & (data.samples.trial == "c2")
    assert len(windows_at(data, rows[lacks])) == 0
    assert 0 < len(windows_at(data, rows[::10])) <= np.sum(~lacks[::10])


def test_features_are_mean_and_deviation_of_codes_from_beats_on(
    data: ComparedData, network: EcgAutoencoder
) -> None:
    """One row of a trial, window by window, by hand."""
    trial = data.prepared.trials[2]
    body = body_of(data.cache, trial)
    assert body.ecg is not None
    first = sum(len(other.times) for other in data.prepared.trials[:2])
    row = len(trial.times) // 2
    low, high = trial.times[row] - 20.0, trial.times[row] + 20.0
    signal, codes, last = ecg_signal(body.ecg), [], -math.inf
    for peak in body.ecg.peak_times:
        if peak < trial.times[0] or peak < last + CODE_HOP:
            continue
        last = peak
        begin = round((peak + 1000 / 360 - signal.start_time) * 360) - 1000
        inside = slice(begin, begin + 2000)
        if peak >= low and peak + 2000 / 360 <= high and signal.valid[inside].mean() >= 0.8:
            codes.append(
                network.encoder(torch.from_numpy(signal.values[None, None, inside])).detach()[0, 0]
            )
    assert len(codes) >= 5
    expected = np.concatenate([np.mean(codes, axis=0), np.std(codes, axis=0)])
    found = code_features(network, data)
    np.testing.assert_allclose(found[first + row], expected, atol=1e-4)
    assert found.shape == (len(data.samples), 124)


def test_who_lacks_an_ecg_has_no_score_and_the_same_seed_gives_the_same(
    data: ComparedData,
) -> None:
    asked = task(data)
    fitted = YILDIRIM.fit(data, asked)
    scores = fitted.predict(asked.fold.test)
    lacks = data.samples.trial[asked.fold.test] == "c2"
    assert np.isnan(scores[lacks]).all()
    assert np.isfinite(scores[~lacks][:, list(data.columns)]).all()
    assert np.nanmax(np.abs(scores)) <= 1
    assert np.isnan(np.delete(scores, data.columns, axis=1)).all()
    np.testing.assert_array_equal(YILDIRIM.fit(data, asked).predict(asked.fold.test), scores)
    other = YILDIRIM.fit(data, task(data, seed=1)).predict(asked.fold.test)
    assert not np.array_equal(scores, other, equal_nan=True)
    kinds = {part.kind: part for part in fitted.parts}
    assert set(kinds) == {"autoencoder", "normaliser", "classifier"}
    assert not kinds["autoencoder"].used_labels
    assert kinds["autoencoder"].subjects == {"P01", "P03"}
    assert kinds["classifier"].subjects == {"P01"}


def test_the_auto_encoder_never_sees_a_label(data: ComparedData) -> None:
    truth = np.full_like(data.samples.truth, np.nan)
    blind = replace(data, samples=replace(data.samples, truth=truth))
    found, unlabelled = (yildirim_reconstruction(some, task(some)) for some in (data, blind))
    assert found == unlabelled
    assert found.windows > 0
    assert found.prd[0] <= found.prd[1] <= found.prd[2]


def test_one_class_and_nothing_rated_give_the_training_rate(data: ComparedData) -> None:
    truth = data.samples.truth.copy()
    truth[:, AROUSAL], truth[:, data.samples.targets.index("liking")] = 0.4, np.nan
    same = replace(data, samples=replace(data.samples, truth=truth))
    scores = YILDIRIM.fit(same, task(same)).predict(task(same).fold.test)
    known = np.isfinite(scores[:, AROUSAL])
    assert len(np.unique(scores[known, AROUSAL])) == 1
    assert 0.8 < scores[known, AROUSAL][0] < 1.0
    np.testing.assert_array_equal(scores[known, 2], 0.0)


def test_nothing_printed_can_stand_beside_an_affect_score() -> None:
    assert YILDIRIM.published is None
    assert YILDIRIM.needs == ("ecg",)
