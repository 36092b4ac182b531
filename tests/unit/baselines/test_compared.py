"""What compared systems share: rows apart, scores carried, sources, seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectscope.baselines.compared import (
    Compared,
    ComparedData,
    ComparedSettings,
    as_scores,
    carried,
    fold_seed,
    thinned,
)
from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus, PreparedSettings
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.errors import EvaluationError
from affectscope.evaluation.crossval import TRANSDUCTIVE, Fitted, Task
from affectscope.evaluation.samples import Fold, Samples
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing
from affectscope.records import TARGETS


def samples(counts: list[int], step: float = 1.0) -> Samples:
    """One person; trial k has counts[k] rows, ``step`` seconds apart."""
    trial = np.repeat([f"c{number:02d}" for number in range(len(counts))], counts)
    onset = np.concatenate([np.arange(count) * step for count in counts])
    length = len(trial)
    return Samples(
        np.full(length, "P1"), trial, onset, 7.8, np.full(length, 60.0),
        np.zeros((length, len(TARGETS))), TARGETS,
    )  # fmt: skip


def test_rows_lie_a_hop_apart_in_each_trial() -> None:
    found = thinned(samples([7, 3]), np.arange(10), 2.5)
    assert found.tolist() == [0, 3, 6, 7]


def test_rows_that_a_fold_leaves_out_do_not_shift_the_next_trial() -> None:
    rows = np.array([1, 2, 5, 6, 8, 9])
    assert thinned(samples([7, 3]), rows, 3.0).tolist() == [1, 5, 8]


def test_no_rows_stay_no_rows() -> None:
    assert thinned(samples([3]), np.empty(0, np.int64), 5.0).shape == (0,)


def test_a_hop_of_exact_steps_does_not_fall_to_rounding() -> None:
    found = thinned(samples([31], step=0.1), np.arange(31), 0.3)
    assert found.tolist() == list(range(0, 31, 3))


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    hop=st.floats(0.2, 6.0),
    chance=st.randoms(use_true_random=False),
)
def test_every_row_takes_the_score_of_the_nearest_row_of_its_trial(
    counts: list[int], hop: float, chance: Any
) -> None:
    rows_of = samples(counts)
    asked = np.array([row for row in range(len(rows_of)) if chance.random() < 0.7], np.int64)
    chosen = thinned(rows_of, asked, hop)
    scores = carried(rows_of, asked, chosen, chosen[:, None].astype(float))
    for row, source in zip(asked, scores[:, 0].astype(int), strict=True):
        assert rows_of.trial[source] == rows_of.trial[row]
        own = [other for other in chosen if rows_of.trial[other] == rows_of.trial[row]]
        nearest = min(abs(rows_of.onset[other] - rows_of.onset[row]) for other in own)
        assert abs(rows_of.onset[source] - rows_of.onset[row]) == nearest
        assert nearest <= hop + 1.0


def trial(faces: bool, signals: tuple[str, ...], duration: float = 4.0) -> PreparedTrial:
    times = np.arange(duration)
    kept: Any = {
        name: NetworkSignal(np.zeros(9, np.float32), np.ones(9, np.bool_), 128.0, 0.0)
        for name in signals
    }
    pictures = np.zeros((len(times), 3, 2, 2), np.uint8) if faces else None
    return PreparedTrial(
        "P1", "c", times, duration, np.zeros((len(times), len(TARGETS)), np.float32), kept,
        pictures, np.full(len(times), faces), "0" * 64,
    )  # fmt: skip


def data(*trials: PreparedTrial, names: tuple[str, ...] = ()) -> ComparedData:
    settings = PreparedSettings(Preprocessing(), 1.0, faces=True)
    rows = samples([4] * len(trials))
    return ComparedData(
        PreparedCorpus("made", True, settings, trials, (), ()), rows, Path(),
        BodyFeatures(names, np.zeros((len(rows), len(names)))), lambda _task: None,
    )  # fmt: skip


def fit(data: ComparedData, task: Task) -> Fitted:
    return Fitted((), lambda rows: as_scores(data, np.zeros((len(rows), 3))))


SYSTEM = Compared(
    "a system", "somebody, somewhere", ("ecg", "face", "eeg"), ("ecg", "eeg"), None, fit
)


def test_sources_are_what_some_trial_has() -> None:
    assert data(trial(False, ("eda",)), trial(False, ("ecg",))).sources == {"ecg", "eda"}
    assert data(trial(True, ()), names=("eeg_AF3_theta", "skin_mean")).sources == {"face", "eeg"}


def test_a_system_is_refused_where_what_it_needs_is_not_there() -> None:
    assert SYSTEM.missing(data(trial(True, ("ecg",)))) == ("eeg",)
    with pytest.raises(EvaluationError, match=r"E_SOURCE: 'a system' needs ecg and eeg") as caught:
        SYSTEM.system(data(trial(True, ("eda",))))
    assert caught.value.remedy


def test_a_system_says_what_it_sees() -> None:
    everything = data(trial(True, ("ecg",)), names=("eeg_AF3_theta",))
    assert SYSTEM.system(everything).sees == "training people"
    named = replace(SYSTEM, name="a system (transductive)", sees=TRANSDUCTIVE)
    assert named.system(everything).sees == TRANSDUCTIVE
    with pytest.raises(AssertionError):
        replace(SYSTEM, sees=TRANSDUCTIVE).system(everything)


def test_scores_stand_in_the_compared_columns_alone() -> None:
    found = as_scores(data(trial(True, ())), np.array([[0.1, 0.2, 0.3]]))
    assert found.shape == (1, 10)
    assert found[0, :3].tolist() == [0.1, 0.2, 0.3]
    assert np.isnan(found[0, 3:]).all()


def test_epochs_are_limited_only_where_asked() -> None:
    assert ComparedSettings().limited(40) == 40
    assert ComparedSettings(epochs=3).limited(40) == 3
    assert ComparedSettings(epochs=50).limited(40) == 40


def test_a_fold_has_its_own_seed() -> None:
    rows, none = samples([2]), np.empty(0, np.int64)

    def seed(name: str, run: int) -> int:
        return fold_seed(Task(rows, Fold(name, none, none, none), run))

    assert seed("P1", 0) == seed("P1", 0)
    assert len({seed("P1", 0), seed("P2", 0), seed("P1", 1)}) == 3
    assert 0 <= seed("P1", 0) < 2**32
