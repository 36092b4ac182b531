"""Rows with identity, hidden truth, and trials made of them."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.evaluation.samples import Samples
from affectscope.evaluation.trials import trial_table, trial_truth


def four_trials() -> Samples:
    """P1: clips a (3 rows), b (1); P2: clips a (2), b (2). One target."""
    subject = np.array(["P1"] * 4 + ["P2"] * 4)
    trial = np.array(["a", "a", "a", "b", "a", "a", "b", "b"])
    onset = np.array([0.0, 1, 2, 0, 0, 1, 0, 1])
    duration = np.where(trial == "a", 60.0, 90.0)
    truth = np.array([0.5, np.nan, 0.7, -1, 0, 0, np.nan, np.nan])[:, None]
    return Samples(subject, trial, onset, 7.8, duration, truth, ("valence",))


def test_a_row_names_its_window() -> None:
    key = four_trials().key(2)
    assert (key.subject_id, key.trial_id, key.onset, key.duration) == ("P1", "a", 2.0, 7.8)


def test_hidden_keeps_the_keys_and_only_visible_truth() -> None:
    samples = four_trials()
    visible = np.arange(8) >= 3
    hidden = samples.hidden(visible)
    assert np.isnan(hidden.truth[:3]).all()
    np.testing.assert_array_equal(hidden.truth[3:], samples.truth[3:])
    assert hidden.subject is samples.subject
    assert np.isfinite(samples.truth[0])


def test_shapes_that_do_not_fit_are_our_bug() -> None:
    samples = four_trials()
    with pytest.raises(AssertionError):
        Samples(samples.subject, samples.trial, samples.onset[:-1], 7.8, samples.trial_duration,
                samples.truth, samples.targets)  # fmt: skip


def test_trials_are_found_and_averaged_over_what_is_rated() -> None:
    samples = four_trials()
    table, truth = trial_truth(samples, np.arange(8))
    assert table.subject.tolist() == ["P1", "P1", "P2", "P2"]
    assert table.trial.tolist() == ["a", "b", "a", "b"]
    assert table.duration.tolist() == [60, 90, 60, 90]
    assert table.of_row.tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(truth[:, 0], [0.6, -1, 0, np.nan])
    assert table.rows(np.array([False, True, False, True])).tolist() == [3, 6, 7]


def test_a_trial_whose_rows_are_scattered_is_our_bug() -> None:
    samples = four_trials()
    order = np.array([0, 4, 1, 2, 3, 5, 6, 7])
    mixed = Samples(samples.subject[order], samples.trial[order], samples.onset[order], 7.8,
                    samples.trial_duration[order], samples.truth[order], ("valence",))  # fmt: skip
    with pytest.raises(AssertionError, match="together"):
        trial_table(mixed)


def test_no_rows_are_no_trials() -> None:
    empty = np.array([], dtype=np.float64)
    names = np.array([], dtype=np.str_)
    samples = Samples(names, names, empty, 7.8, empty, np.empty((0, 1)), ("valence",))
    assert len(trial_table(samples)) == 0


def test_trials_of_rows() -> None:
    table = trial_table(four_trials())
    assert table.of(np.array([7, 0, 2, 6])).tolist() == [0, 3]
    assert table.of(np.array([], dtype=np.int64)).tolist() == []
