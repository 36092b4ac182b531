"""The modern floor: statistics of spans, z-scores of people, and what each version sees."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from affectscope.baselines.compared import Compared, ComparedData, FaceEmbeddings
from affectscope.baselines.modern_floor import (
    BODY,
    MODERN_FLOOR,
    MODERN_FLOOR_INDUCTIVE,
    by_person,
    span_statistics,
)
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus, PreparedSettings
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.evaluation.crossval import TRANSDUCTIVE, Fitted, Task, cross_validate
from affectscope.evaluation.leaks import FittedPart
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples
from affectscope.evaluation.trials import trial_truth
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

VALENCE, AROUSAL = range(2)
PEOPLE, CLIPS, ROWS = 9, 12, 3
"""People 0-3 train, 4 validates, 5-8 are tested; rows lie 20 s apart."""
BOTH = (MODERN_FLOOR, MODERN_FLOOR_INDUCTIVE)


def trial(person: int, clip: int, faces: bool = True) -> PreparedTrial:
    times = 20.0 * np.arange(ROWS)
    return PreparedTrial(
        f"P{person}", f"c{clip:02d}", times, 50.0 + 7 * clip,
        np.zeros((ROWS, len(TARGETS)), np.float32), {}, None, np.full(ROWS, faces),
        f"{person:032d}{clip:032d}",
    )  # fmt: skip


@cache
def planted(effect: float, person: float = 0.0, faces: bool = True) -> ComparedData:
    """Body features follow arousal, faces valence; ``person``: how far people lie apart."""
    generator = np.random.default_rng(7)
    per_person = CLIPS * ROWS
    trials = tuple(trial(p, c, faces) for p in range(PEOPLE) for c in range(CLIPS))
    truth = np.full((PEOPLE * per_person, len(TARGETS)), np.nan)
    for target in (VALENCE, AROUSAL):
        high = np.concatenate([generator.permutation(CLIPS) % 2 for _ in range(PEOPLE)])
        truth[:, target] = np.repeat(np.where(high, 0.6, -0.6), ROWS)
    values = generator.standard_normal((len(truth), len(BODY)))
    values[:, ::5] += effect * np.sign(truth[:, [AROUSAL]])
    values += np.repeat(person * generator.standard_normal((PEOPLE, len(BODY))), per_person, axis=0)
    shown = generator.standard_normal((len(truth), 16)).astype(np.float32)
    shown[:, :4] += np.float32(2 * effect) * np.sign(truth[:, [VALENCE]]).astype(np.float32)
    samples = Samples(
        np.array([one.subject_id for one in trials for _ in range(ROWS)]),
        np.array([one.trial_id for one in trials for _ in range(ROWS)]),
        np.concatenate([one.times for one in trials]), 7.8,
        np.repeat([one.duration for one in trials], ROWS), truth, TARGETS,
    )  # fmt: skip
    embeddings = FaceEmbeddings(
        {one.key: shown[k * ROWS : (k + 1) * ROWS] for k, one in enumerate(trials)},
        FittedPart("face encoder", "encoder", frozenset(), False, None),
    )
    settings = PreparedSettings(Preprocessing(), 0.05, faces=True)
    return ComparedData(
        PreparedCorpus("made", True, settings, trials, (), ()), samples, Path(),
        BodyFeatures(BODY, values), lambda _task: embeddings if faces else None,
    )  # fmt: skip


def task(data: ComparedData) -> Task:
    rows, each = np.arange(len(data.samples)), CLIPS * ROWS
    fold = Fold("P5", rows[: 4 * each], rows[4 * each : 5 * each], rows[5 * each :])
    return Task(data.samples.hidden(rows < 5 * each), fold, 0)


@cache
def fitted(system: Compared, data: ComparedData) -> Fitted:
    return system.fit(data, task(data))


def accuracy_of(system: Compared, data: ComparedData, target: int) -> float:
    """Balanced accuracy of the tested people's trials."""
    rows = task(data).fold.test
    scores = fitted(system, data).predict(rows)
    table, truth = trial_truth(data.samples, rows)
    trials = table.of(rows)
    found = table.means(scores, rows)
    return float(balanced_accuracy_score(truth[trials, target] > 0, found[trials, target] > 0))


@pytest.mark.parametrize("system", BOTH, ids=lambda system: system.name)
@pytest.mark.parametrize("target", [VALENCE, AROUSAL], ids=["faces", "body"])
def test_a_planted_effect_is_found_and_an_absent_one_is_not(system: Compared, target: int) -> None:
    assert accuracy_of(system, planted(1.5), target) > 0.85
    # 48 trials: chance stays within 0.5 +- 0.19 in 99 of 100.
    assert abs(accuracy_of(system, planted(0.0), target) - 0.5) < 0.19


def test_standardising_people_finds_what_their_differences_hide() -> None:
    data = planted(1.5, person=20.0, faces=False)
    standardised = accuracy_of(MODERN_FLOOR, data, AROUSAL)
    assert standardised > 0.85
    assert accuracy_of(MODERN_FLOOR_INDUCTIVE, data, AROUSAL) < standardised - 0.15


def test_it_does_without_faces() -> None:
    assert accuracy_of(MODERN_FLOOR, planted(1.5, faces=False), AROUSAL) > 0.85


def test_it_does_with_faces_alone() -> None:
    data = planted(1.5)
    nothing = np.full_like(data.features.values, np.nan)
    faces_only = ComparedData(
        data.prepared, data.samples, data.cache, BodyFeatures(BODY, nothing), data.face_embeddings
    )
    assert accuracy_of(MODERN_FLOOR_INDUCTIVE, faces_only, VALENCE) > 0.85


def test_z_scores_are_each_person_s_own() -> None:
    data = planted(1.0, person=6.0)
    values = data.features.values.copy()
    values[0, 0] = np.nan
    values[:, 1] = 3.0
    values[: CLIPS * ROWS, 2] = np.nan
    values = values[:, :5]
    scaled = by_person(values, task(data), 5.0)
    first = slice(0, CLIPS * ROWS)
    expected = (values[first, 0] - np.nanmean(values[first, 0])) / np.nanstd(values[first, 0])
    np.testing.assert_allclose(scaled[first, 0], expected)
    assert (scaled[:, 1] == 0).all()
    assert np.isnan(scaled[first, 2]).all()
    others = scaled[CLIPS * ROWS :, 3:].reshape(PEOPLE - 1, CLIPS * ROWS, 2)
    np.testing.assert_allclose(others.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(others.std(axis=1), 1)


def test_the_parts_say_who_was_seen() -> None:
    data = planted(1.5)
    everybody = frozenset(f"P{number}" for number in range(PEOPLE))
    trained = frozenset(f"P{number}" for number in range(4))
    parts = {part.kind: part for part in fitted(MODERN_FLOOR, data).parts if part.subjects}
    assert parts["person normaliser"].subjects == everybody
    assert not parts["person normaliser"].used_labels
    assert parts["encoder"].subjects == parts["classifier"].subjects == trained
    kinds = [part.kind for part in fitted(MODERN_FLOOR_INDUCTIVE, data).parts]
    assert "person normaliser" not in kinds
    assert MODERN_FLOOR.sees == TRANSDUCTIVE


def test_principal_components_come_from_training_people_alone() -> None:
    data = planted(1.5)
    rows = task(data).fold.test
    before = fitted(MODERN_FLOOR_INDUCTIVE, data).predict(rows)
    given = data.face_embeddings(task(data))
    assert given is not None
    strange = {
        one.key: given.features[one.key] * (1000.0 if one.subject_id == "P8" else 1.0)
        for one in data.prepared.trials
    }
    other = ComparedData(
        data.prepared, data.samples, data.cache, data.features,
        lambda _task: FaceEmbeddings(strange, given.part),
    )  # fmt: skip
    after = MODERN_FLOOR_INDUCTIVE.fit(other, task(other)).predict(rows)
    np.testing.assert_array_equal(before[: 3 * CLIPS * ROWS], after[: 3 * CLIPS * ROWS])


def test_span_statistics_against_a_loop() -> None:
    generator = np.random.default_rng(0)
    times = np.sort(generator.uniform(3.0, 100.0, 60))
    seen = generator.random(60) < 0.4
    seen[:25] = False
    seen[3] = True
    shown = generator.standard_normal((60, 2))
    one = PreparedTrial(
        "P0", "c", times, times[-1] - times[0] + 1.0, np.zeros((60, 10), np.float32), {}, None,
        seen, "0" * 64,
    )  # fmt: skip
    found = span_statistics(one, shown)
    last = times[0] + one.duration
    for row, time in enumerate(times):
        start = min(max(time - 20, times[0]), last - 40)
        inside = shown[(times >= start) & (times <= start + 40) & seen]
        if len(inside) == 0:
            assert np.isnan(found[row]).all()
            continue
        np.testing.assert_allclose(found[row, :2], inside.mean(axis=0))
        if len(inside) > 1:
            np.testing.assert_allclose(found[row, 2:], inside.std(axis=0), atol=1e-7)
        else:
            assert np.isnan(found[row, 2:]).all()
    assert np.isnan(found).any()


@pytest.mark.parametrize("system", BOTH, ids=lambda system: system.name)
def test_it_passes_the_leak_check(system: Compared) -> None:
    """That what is declared (transductive) is no leak, and nothing else is one either."""
    data = planted(1.5)
    kept = replace(system, fit=lambda data, _task: fitted(system, data)).system(data)
    fold = [task(data).fold]
    table = cross_validate(kept, data.samples, folds=fold, protocol=PROTOCOLS["A"])
    assert set(table["subject"]) == {"P5", "P6", "P7", "P8"}
