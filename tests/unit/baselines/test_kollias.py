"""Faces in sequences that are equally long: what the network sees, learns from and finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.baselines import face_sequences
from affectscope.baselines.compared import ComparedData, ComparedSettings
from affectscope.baselines.face_sequences import Faces, drawn, faces_of, tiles
from affectscope.baselines.kollias import (
    KOLLIAS,
    FaceSequenceNetwork,
    KolliasSettings,
    kollias,
    sequence_loss,
)
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus
from affectscope.datasets.prepared_trial import PreparedSettings, PreparedTrial
from affectscope.errors import EvaluationError
from affectscope.evaluation.crossval import Fitted, Task
from affectscope.evaluation.leaks import check_parts
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS

CROP = 96
VALENCE, AROUSAL, LIKING = (TARGETS.index(name) for name in ("valence", "arousal", "liking"))
QUICK = KolliasSettings(batch=8, learning_rate=2e-3, dropout=0.0)


def made_trial(person: int, clip: int, rows: int) -> PreparedTrial:
    """The upper half of the pictures is bright where valence is high."""
    high = (person + clip) % 2 == 1
    random = np.random.default_rng([person, clip])
    faces = random.integers(100, 130, (rows, 3, CROP, CROP), dtype=np.uint8)
    faces[:, :, : CROP // 2] += np.uint8(90 if high else 0)
    targets = np.full((rows, len(TARGETS)), np.nan, dtype=np.float32)
    targets[:, VALENCE] = 0.5 if high else -0.5
    targets[:, AROUSAL] = -0.25
    return PreparedTrial(
        f"P{person}", f"c{clip}", np.arange(rows, dtype=np.float64), float(rows), targets, {},
        faces, np.ones(rows, dtype=np.bool_), f"{person}-{clip}",
    )  # fmt: skip


def corpus(*trials: PreparedTrial) -> PreparedCorpus:
    settings = PreparedSettings(Preprocessing(crop_size=CROP), 1.0, faces=True)
    return PreparedCorpus("made", True, settings, trials, (), ())


def given(prepared: PreparedCorpus, epochs: int = 25) -> ComparedData:
    trials = prepared.trials
    counts = [len(trial.times) for trial in trials]
    samples = Samples(
        np.repeat([trial.subject_id for trial in trials], counts),
        np.repeat([trial.trial_id for trial in trials], counts),
        np.concatenate([trial.times for trial in trials]) - 0.25,
        0.5,
        np.repeat([trial.duration for trial in trials], counts),
        np.concatenate([trial.targets for trial in trials]).astype(np.float64),
        TARGETS,
    )
    features = BodyFeatures((), np.empty((len(samples), 0)))
    settings = ComparedSettings(epochs=epochs)
    return ComparedData(
        prepared, samples, Path("nowhere"), features, lambda _: None, settings=settings
    )


@pytest.fixture(scope="module")
def people() -> ComparedData:
    """Four people, four clips of 9 to 15 rows; P4's last trial has no face."""
    trials = [made_trial(p, c, 9 + 2 * c) for p in range(1, 5) for c in range(4)]
    trials[-1] = replace(trials[-1], faces=None, face_present=np.zeros(15, dtype=np.bool_))
    return given(corpus(*trials))


def task_of(data: ComparedData, train: str = "P1 P2", validation: str = "P3") -> Task:
    sides = [np.flatnonzero(np.isin(data.samples.subject, side.split()))
             for side in (train, validation, "P4")]  # fmt: skip
    hidden = data.samples.hidden(~np.isin(data.samples.subject, ["P4"]))
    return Task(hidden, Fold("P4", *sides), 0)


def trial_scores(data: ComparedData, fitted: Fitted, subject: str, target: int) -> np.ndarray:
    rows = np.flatnonzero(data.samples.subject == subject)
    scores, trial = fitted.predict(rows)[:, target], data.samples.trial[rows]
    return np.array([scores[trial == name].mean() for name in np.unique(trial)])


@pytest.fixture(scope="module")
def learned(people: ComparedData) -> Fitted:
    return kollias(QUICK).fit(people, task_of(people))


def test_the_tables_of_the_head_state_shapes_and_parameters() -> None:
    network = FaceSequenceNetwork()
    shape, stages = (1, 3, 96, 96), []
    hidden = torch.zeros(shape)
    for layer in network.trunk.layers:
        hidden = layer(hidden)
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            stages.append((tuple(hidden.shape[1:]), sum(p.numel() for p in layer.parameters())))
    assert stages == [
        ((16, 24, 24), 1_248 - 32), ((32, 12, 12), 4_704 - 64), ((48, 6, 6), 13_968 - 96),
        ((64,), 110_656),
    ]  # fmt: skip
    assert sum(p.numel() for p in network.parameters()) == 304_531
    assert network(torch.zeros(2, 5, 3, 96, 96, dtype=torch.uint8)).shape == (2, 5, 3)


def test_resnet50_has_the_parameters_of_the_head() -> None:
    pytest.importorskip("monai")
    with torch.device("meta"):
        network = FaceSequenceNetwork("resnet50")
        assert sum(p.numel() for p in network.parameters()) == 24_443_843
        assert network(torch.zeros(1, 3, 3, 96, 96)).shape == (1, 3, 3)


def test_the_gradient_reaches_the_whole_trunk() -> None:
    network = FaceSequenceNetwork(generator=torch.Generator().manual_seed(0))
    pictures = torch.randint(0, 255, (4, 3, 3, 96, 96), dtype=torch.uint8)
    truth = torch.tensor([0.5, -0.5, 0.2, -0.1])[:, None, None].expand(4, 3, 3)
    sequence_loss(network(pictures), truth).backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name


def test_pictures_are_area_means_and_a_missing_face_is_the_last_one() -> None:
    trial = made_trial(1, 1, 4)
    large = np.random.default_rng(0).integers(0, 256, (4, 3, 192, 192), dtype=np.uint8)
    present = np.array([False, True, False, True])
    faces = faces_of(corpus(replace(trial, faces=large, face_present=present)))
    means = large.reshape(4, 3, 96, 2, 96, 2).mean(axis=(3, 5))[[1, 1, 1, 3]]
    assert np.abs(faces.pictures - means).max() <= 0.5
    np.testing.assert_array_equal(faces.seen, present)


def test_many_rows_are_thinned_to_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_sequences, "MOST_PICTURES", 10)
    faces = faces_of(corpus(made_trial(1, 0, 13), made_trial(1, 1, 12)))
    assert faces.every == 3
    np.testing.assert_array_equal(faces.rows, [0, 3, 6, 9, 12, 13, 16, 19, 22])
    np.testing.assert_array_equal(faces.counts, [5, 4])


def places(counts: list[int]) -> Faces:
    total = sum(counts)
    none = np.empty((total, 0, 0, 0), np.uint8)
    bounds = np.cumsum([0, *counts])
    return Faces(none, np.ones(total, np.bool_), np.arange(total), bounds, 1)


@pytest.mark.parametrize(
    ("counts", "length"), [([100, 90], 80), ([100, 30, 0], 30), ([20, 3], 8), ([0, 0], 80)]
)
def test_no_sequence_tells_how_long_its_clip_is(counts: list[int], length: int) -> None:
    faces = places(counts)
    shown = np.flatnonzero(faces.counts)
    assert faces.length == length
    for found in (tiles(faces, shown), drawn(faces, shown, np.random.default_rng(0))):
        assert found.places.shape[1] == length
        owner = np.searchsorted(faces.bounds, found.places, side="right") - 1
        assert (owner == owner[:, :1]).all()
        np.testing.assert_array_equal(
            found.counted.sum(axis=1), np.minimum(length, faces.counts[owner[:, 0]])
        )
    covered = tiles(faces, shown)
    np.testing.assert_array_equal(
        np.unique(covered.places[covered.counted]), np.arange(sum(counts))
    )


def test_every_trial_gives_equally_many_sequences_that_move_with_the_epoch() -> None:
    faces = places([40, 100, 160])
    epochs = [drawn(faces, np.arange(3), np.random.default_rng([7, epoch])) for epoch in (0, 1)]
    for found in epochs:
        owner = np.searchsorted(faces.bounds, found.places[:, 0], side="right") - 1
        np.testing.assert_array_equal(np.bincount(owner), [2, 2, 2])
    assert not np.array_equal(np.sort(epochs[0].places[:, 0]), np.sort(epochs[1].places[:, 0]))


def test_the_loss_is_one_less_the_ccc_of_the_sequences_means() -> None:
    outputs = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0))
    truth = torch.full((6, 4, 3), torch.nan)
    truth[:, :, 0] = torch.linspace(-1, 1, 6)[:, None]
    truth[:, 2, 0] = torch.nan  # a row that does not count
    truth[:5, :, 1] = 0.25  # constant
    mean = outputs[:, [0, 1, 3], 0].mean(dim=1).double().numpy()
    known = np.linspace(-1, 1, 6)
    covariance = np.mean((mean - mean.mean()) * (known - known.mean()))
    ccc = 2 * covariance / (mean.var() + known.var() + (mean.mean() - known.mean()) ** 2)
    squared = float(((outputs[:5, :, 1].mean(dim=1) - 0.25) ** 2).mean())
    expected = ((1 - ccc) + squared) / 2
    assert float(sequence_loss(outputs, truth)) == pytest.approx(expected, abs=1e-6)
    assert torch.isnan(sequence_loss(outputs, torch.full((6, 4, 3), torch.nan)))


def test_a_planted_effect_is_found(people: ComparedData, learned: Fitted) -> None:
    # P3 and P4 see clips of odd and even number with high valence, in turns.
    scores = trial_scores(people, learned, "P4", VALENCE)[:3]
    assert scores[1] > 0.1
    assert max(scores[0], scores[2]) < -0.1


def test_constant_and_missing_ratings(people: ComparedData, learned: Fitted) -> None:
    arousal = trial_scores(people, learned, "P4", AROUSAL)[:3]
    np.testing.assert_allclose(arousal, -0.25, atol=0.15)
    rows = np.arange(len(people.samples))
    others = np.setdiff1d(np.arange(len(TARGETS)), [VALENCE, AROUSAL])
    assert np.isnan(learned.predict(rows)[:, others]).all()


def test_a_trial_without_a_face_has_no_score(people: ComparedData, learned: Fitted) -> None:
    rows = np.arange(len(people.samples))
    scores = learned.predict(rows)[:, VALENCE]
    faceless = (people.samples.subject == "P4") & (people.samples.trial == "c3")
    np.testing.assert_array_equal(np.isnan(scores), faceless)
    some = np.array([1, 4, 5, 60, 100, len(rows) - 1])
    np.testing.assert_allclose(learned.predict(some)[:, VALENCE], scores[some], atol=1e-5)


def test_parts_name_who_was_learned_from(people: ComparedData, learned: Fitted) -> None:
    task = task_of(people)
    check_parts(people.samples, task.fold, learned.parts, PROTOCOLS["A"])
    assert [part.subjects for part in learned.parts] == [{"P1", "P2", "P3"}]


def test_labels_dealt_at_random_teach_nothing(people: ComparedData) -> None:
    truth = people.samples.truth.copy()
    # In every person one bright and one dark trial are high: what is seen says nothing.
    truth[:, VALENCE] = np.where(np.isin(people.samples.trial, ["c0", "c1"]), 0.5, -0.5)
    data = replace(people, samples=replace(people.samples, truth=truth))
    fitted = kollias(QUICK).fit(data, task_of(data))
    scores = trial_scores(data, fitted, "P4", VALENCE)[:3]
    # Equally bright trials get the same score, whatever their label.
    assert abs(scores[0] - scores[2]) < 0.2


def test_one_person_without_validation_faces_and_the_same_seed(people: ComparedData) -> None:
    trials = [t for t in people.prepared.trials if t.subject_id != "P2"]
    trials = [replace(t, faces=None) if t.subject_id == "P3" else t for t in trials]
    scores = []
    for _ in range(2):
        data = given(corpus(*trials), epochs=2)
        fitted = KOLLIAS.fit(data, task_of(data, train="P1"))
        scores.append(fitted.predict(np.arange(len(data.samples))))
    np.testing.assert_array_equal(scores[0], scores[1])
    assert np.isfinite(scores[0][data.samples.subject == "P1"][:, VALENCE]).all()
    assert np.isnan(scores[0][data.samples.subject == "P3"]).all()


def test_nobody_to_learn_from_has_a_face(people: ComparedData) -> None:
    trials = [replace(t, faces=None) if t.subject_id in ("P1", "P2") else t
              for t in people.prepared.trials]  # fmt: skip
    data = given(corpus(*trials), epochs=2)
    fitted = KOLLIAS.fit(data, task_of(data))
    assert np.isnan(fitted.predict(np.arange(len(data.samples)))).all()


def test_a_corpus_without_faces_is_refused() -> None:
    data = given(corpus(replace(made_trial(1, 0, 9), faces=None)))
    with pytest.raises(EvaluationError, match=r"E_SOURCE: .*needs face"):
        KOLLIAS.system(data)
