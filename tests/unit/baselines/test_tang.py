"""Tang et al.: what a sequence holds, what is dropped, and what is found and not found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from affectscope.baselines import tang
from affectscope.baselines.body_seconds import SECONDS, Bimodal, Sequences, sequences_of
from affectscope.baselines.compared import ComparedData
from affectscope.baselines.tang import TANG, BimodalLstm
from affectscope.datasets.body_features import body_of
from affectscope.evaluation.crossval import Task
from affectscope.evaluation.samples import Fold

VALENCE, AROUSAL = 0, 1
NAN = np.nan
LACKING = (("P04", "c1", "eda"), ("P04", "c2", "ecg"), ("P04", "c2", "eda"), ("P02", "", "eda"))


def task(data: ComparedData, *, train: tuple[str, ...] = ("P01", "P02"), seed: int = 0) -> Task:
    """P03 validates, P04 is tested."""
    subject = data.samples.subject
    sides = (np.flatnonzero(np.isin(subject, who)) for who in (train, ["P03"], ["P04"]))
    return Task(data.samples.hidden(subject != "P04"), Fold("P04", *sides), seed)


@pytest.fixture(scope="module")
def data(compared_data: Callable[..., Any]) -> ComparedData:
    made: ComparedData = compared_data(people=4, epochs=8)
    return made


@pytest.fixture(scope="module")
def poor(compared_data: Callable[..., Any]) -> ComparedData:
    """With holes in every signal, trials that lack one or both, an EEG, and one epoch."""
    made: ComparedData = compared_data(
        people=4, holes=True, eeg=True, lacking=LACKING, epochs=1, hop=10.0
    )
    return made


def test_the_table_of_the_head_is_the_network() -> None:
    for first, second in ((2, 3), (70, 5)):
        network = BimodalLstm(first, second, torch.Generator().manual_seed(0))
        count = sum(weight.numel() for weight in network.parameters())
        both = first + second
        assert count == 128 * both + 2 * 4352 + 2080 + 990 * both + 99
        code = network.encode(torch.zeros(4, SECONDS, first), torch.zeros(4, SECONDS, second))
        assert code.shape == (4, 32)
        assert [tuple(part.shape) for part in network.decode(code)] == [
            (4, 30, first), (4, 30, second)
        ]  # fmt: skip
        assert network.output(code).shape == (4, 3)
    assert 128 * 5 + 2 * 4352 + 2080 + 990 * 5 + 99 == 16473


def test_seconds_hold_what_their_names_say(data: ComparedData) -> None:
    sequences, trial = sequences_of(data), data.prepared.trials[0]
    assert sequences.names == (
        "heart rate", "ECG entropy", "skin level", "skin slope", "phasic skin"
    )  # fmt: skip
    body = body_of(data.cache, trial)
    assert body.ecg is not None
    assert body.eda is not None
    begin = float(trial.times[0])
    for second in (12, 30):
        middle = begin + second + 0.5
        after = int(np.searchsorted(body.ecg.peak_times, middle))
        rate = 60 / np.diff(body.ecg.peak_times[after - 2 : after + 2])
        assert rate.min() - 1e-9 <= sequences.first[second, 0] <= rate.max() + 1e-9
        low = round((begin + second - body.ecg.cleaned.start_time) * 128)
        inside = slice(low, low + 128)
        entropy = np.log(body.ecg.cleaned.values[inside].std())
        assert sequences.first[second, 1] == pytest.approx(entropy, abs=1e-6)
        level = body.eda.tonic[inside].mean()
        assert sequences.second[second, 0] == pytest.approx(np.log(level), abs=1e-6)
        slope = (body.eda.tonic[low + 128 : low + 256].mean()
                 - body.eda.tonic[low - 128 : low].mean()) / 2  # fmt: skip
        assert sequences.second[second, 1] == pytest.approx(slope, abs=1e-6)
        phasic = body.eda.phasic[inside].mean()
        assert sequences.second[second, 2] == pytest.approx(phasic, abs=1e-6)


def test_sequences_lie_around_their_rows_inside_the_trial(data: ComparedData) -> None:
    sequences, trial = sequences_of(data), data.prepared.trials[1]
    first_row = len(data.prepared.trials[0].times)
    first_second = int(sequences.last[0]) + 1
    places = sequences.places(first_row + np.arange(len(trial.times))) - first_second
    assert places.min() == 0
    assert places.max() == int(trial.duration) - 1
    assert (np.diff(places, axis=1) == 1).all()  # 30 different seconds
    middle = trial.times - trial.times[0]
    central = (middle > 16) & (middle < trial.duration - 16)
    np.testing.assert_allclose(places[central].mean(axis=1) + 0.5, middle[central], atol=0.51)


def test_of_a_short_trial_the_last_second_repeats() -> None:
    values = np.arange(4.0)[:, None]
    short = Sequences(values, values, ("a", "b"), np.array([0, 1]), np.array([3, 3]))
    np.testing.assert_array_equal(short.places(np.array([1]))[0, :4], [1, 2, 3, 3])
    np.testing.assert_allclose(
        short.means()[:, 0], [(0 + 1 + 2 + 27 * 3) / 30, (1 + 2 + 28 * 3) / 30]
    )


def test_scale_comes_from_the_training_rows_and_holds_far_values() -> None:
    generator = np.random.default_rng(0)
    values = 7.0 + 2.0 * generator.standard_normal((90, 1))
    values[60:] = 1000.0
    values[3] = NAN
    raw = Sequences(values, values, ("a", "b"), np.array([0, 60]), np.array([59, 89]))
    scaled = raw.standardised(np.array([0])).first
    learned = values[:30][np.isfinite(values[:30])]
    np.testing.assert_allclose(
        scaled[30:60, 0], np.clip((values[30:60, 0] - learned.mean()) / learned.std(), -5, 5)
    )
    assert np.isnan(scaled[3, 0])
    assert (scaled[60:] == 5.0).all()
    batch = raw.standardised(np.array([0])).of(np.array([0]))
    assert float(batch.first[0, 3, 0]) == 0.0
    assert float(batch.measured[0][0, 3, 0]) == 0.0
    assert float(batch.measured[0].sum()) == 29.0


def test_known_needs_a_third_of_the_seconds() -> None:
    values = np.full((30, 2), NAN)
    values[:9, 1] = 1.0
    none = np.full((30, 1), NAN)
    start, last = np.array([0]), np.array([29])
    assert not Sequences(values, none, ("a", "b", "c"), start, last).known[0]
    values[9, 0] = 1.0
    assert Sequences(values, none, ("a", "b", "c"), start, last).known[0]


def test_corruption_drops_one_modality_at_most_and_adds_noise_to_what_was_measured() -> None:
    ones = torch.ones(300, SECONDS, 2)
    known = ones.clone()
    known[:, 5] = 0.0
    given = tang._corrupted(Bimodal(ones, ones, (known, known)), torch.Generator().manual_seed(0))
    first, second = ((part == 0).all(dim=(1, 2)) for part in (given.first, given.second))
    assert not (first & second).any()
    for share in (first, second, ~(first | second)):
        assert 0.25 < float(share.float().mean()) < 0.42
    kept = given.first[~first]
    assert (kept[:, 5] == 1.0).all()
    assert 0.28 < float(kept[:, :5].std()) < 0.32


def test_a_planted_effect_is_found_and_an_absent_one_is_not(
    data: ComparedData, score_gaps: Callable[..., tuple[float, float]]
) -> None:
    """Arousal shows in heart and skin, valence in neither; labels that follow it teach nothing."""
    valence, arousal = score_gaps(TANG, data, task(data))
    assert arousal > 0.1
    assert abs(valence) < 0.4 * arousal
    truth = data.samples.truth.copy()
    truth[:, AROUSAL] = truth[:, VALENCE]  # as if permuted
    permuted = replace(data, samples=replace(data.samples, truth=truth))
    assert abs(score_gaps(TANG, permuted, task(permuted))[1]) < 0.4 * arousal


def test_with_an_eeg_brain_and_body_are_the_modalities(poor: ComparedData) -> None:
    sequences = sequences_of(poor)
    assert sequences.first.shape[1] == 4 * 5
    assert sequences.second.shape[1] == 5
    assert sequences.names[:2] == ("F3 theta", "F3 slow_alpha")
    power = body_of(poor.cache, poor.prepared.trials[0]).eeg
    assert power is not None
    begin = poor.prepared.trials[0].times[0]
    for second in (7, 8):  # between two places, the later
        place = int(np.abs(power.times - (begin + second + 0.51)).argmin())
        np.testing.assert_allclose(sequences.first[second], power.density[place].ravel(), rtol=1e-6)


def test_without_a_modality_the_other_is_scored_without_both_nothing_is(
    poor: ComparedData,
) -> None:
    asked = task(poor)
    fitted = TANG.fit(poor, asked)
    scores = fitted.predict(asked.fold.test)
    assert np.isfinite(scores[:, list(poor.columns)]).all()  # the EEG is always there
    assert np.abs(scores[:, list(poor.columns)]).max() <= 1
    assert np.isnan(np.delete(scores, poor.columns, axis=1)).all()
    np.testing.assert_array_equal(TANG.fit(poor, asked).predict(asked.fold.test), scores)
    other = TANG.fit(poor, task(poor, seed=1)).predict(asked.fold.test)
    assert not np.array_equal(scores, other, equal_nan=True)
    assert {part.kind for part in fitted.parts} == {
        "normaliser", "autoencoder", "encoder", "classifier"
    }  # fmt: skip
    assert frozenset.union(*(part.subjects for part in fitted.parts)) == {"P01", "P02", "P03"}


def test_a_trial_without_heart_skin_and_brain_has_no_score(
    compared_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = compared_data(people=4, epochs=1)

    def sequences(data: ComparedData) -> Sequences:
        found = sequences_of(data)
        gone = slice(int(found.last[0]) + 1)  # the first person's first trial
        first, second = found.first.copy(), found.second.copy()
        first[gone], second[gone] = NAN, NAN
        return replace(found, first=first, second=second)

    monkeypatch.setattr(tang, "sequences_of", sequences)
    scores = TANG.fit(data, task(data, train=("P02",))).predict(np.arange(len(data.samples)))
    count = len(data.prepared.trials[0].times)
    assert np.isnan(scores[:count]).all()
    assert np.isfinite(scores[count:, list(data.columns)]).all()


def test_one_class_and_nothing_rated_give_the_training_rate(data: ComparedData) -> None:
    truth = data.samples.truth.copy()
    truth[:, AROUSAL], truth[:, data.samples.targets.index("liking")] = 0.4, NAN
    same = replace(data, samples=replace(data.samples, truth=truth),
                   settings=replace(data.settings, epochs=1, hop=10.0))  # fmt: skip
    asked = task(same, train=("P01",))
    scores = TANG.fit(same, asked).predict(asked.fold.test)
    assert len(np.unique(scores[:, AROUSAL])) == 1
    assert 0.8 < scores[0, AROUSAL] < 1.0
    np.testing.assert_array_equal(scores[:, 2], 0.0)


def test_published_numbers_average_to_the_abstract() -> None:
    published = TANG.published
    assert published is not None
    assert published.valence is not None
    assert published.arousal is not None
    assert (published.valence + published.arousal) / 2 == pytest.approx(83.53, abs=0.01)
    assert "[?]" in published.note
