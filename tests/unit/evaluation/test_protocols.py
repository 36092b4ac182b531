"""The four protocols: sides are disjoint, every row is tested, what is held out is held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import EvaluationError
from affectscope.evaluation.leaks import check_fold
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples


def grid(people: int, clips: int, rows: int) -> Samples:
    """Everybody watches every clip; windows of one trial overlap."""
    count = people * clips * rows
    subject = np.repeat([f"P{number:02d}" for number in range(people)], clips * rows)
    trial = np.tile(np.repeat([f"c{number:02d}" for number in range(clips)], rows), people)
    onset = np.tile(np.arange(rows, dtype=np.float64), people * clips)
    duration = np.tile(np.repeat(60.0 + np.arange(clips), rows), people)
    return Samples(subject, trial, onset, 7.8, duration, np.zeros((count, 1)), ("valence",))


def groups(clips: int) -> dict[str, str]:
    return {f"c{number:02d}": "even" if number % 2 == 0 else "odd" for number in range(clips)}


sizes = {"people": st.integers(3, 9), "clips": st.integers(3, 7), "rows": st.integers(1, 3),
         "seed": st.integers(0, 99)}  # fmt: skip


@pytest.mark.parametrize("letter", "ABCD")
@settings(max_examples=15, deadline=None)
@given(**sizes)
def test_sides_are_disjoint_and_every_row_is_tested_once(
    letter: str, people: int, clips: int, rows: int, seed: int
) -> None:
    samples, protocol = grid(people, clips, rows), PROTOCOLS[letter]
    folds = protocol.split(samples, seed, groups(clips))
    for fold in folds:
        together = np.concatenate([fold.train, fold.validation, fold.test])
        assert len(np.unique(together)) == len(together)
        assert all(map(len, (fold.train, fold.validation, fold.test)))
        assert all((np.diff(side) > 0).all() for side in (fold.train, fold.validation, fold.test))
        check_fold(samples, fold, protocol)
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    np.testing.assert_array_equal(tested, np.arange(len(samples)))
    again = protocol.split(samples, seed, groups(clips))
    assert [fold.name for fold in again] == [fold.name for fold in folds]
    for one, other in zip(folds, again, strict=True):
        np.testing.assert_array_equal(one.train, other.train)


def test_a_uses_everybody_and_validates_on_a_sixth_of_the_others() -> None:
    samples = grid(13, 3, 2)
    folds = PROTOCOLS["A"].split(samples, 4, None)
    assert len(folds) == 13
    for fold in folds:
        sides = [set(samples.subject[side]) for side in (fold.train, fold.validation, fold.test)]
        assert [len(side) for side in sides] == [10, 2, 1]
        assert len(fold.train) + len(fold.validation) + len(fold.test) == len(samples)
    other = PROTOCOLS["A"].split(samples, 5, None)
    assert any(
        set(samples.subject[one.validation]) != set(samples.subject[two.validation])
        for one, two in zip(folds, other, strict=True)
    )


def test_b_learns_from_neither_the_person_nor_the_clips() -> None:
    samples = grid(8, 6, 2)
    folds = PROTOCOLS["B"].split(samples, 0, groups(6))
    assert len(folds) == 16
    for fold in folds:
        learned = np.concatenate([fold.train, fold.validation])
        assert not set(samples.subject[learned]) & set(samples.subject[fold.test])
        assert not set(samples.trial[learned]) & set(samples.trial[fold.test])
        # Three of six clips of seven of eight people.
        assert len(learned) == 7 * 3 * 2


def test_c_stays_with_one_person() -> None:
    samples = grid(3, 7, 2)
    for fold in PROTOCOLS["C"].split(samples, 0, None):
        everything: Fold = fold
        rows = np.concatenate([everything.train, everything.validation, everything.test])
        assert len(set(samples.subject[rows])) == 1
        assert len(set(samples.trial[fold.validation])) == 2
        assert len(set(samples.trial[fold.test])) == 1
        assert len(rows) == 14


def test_only_a_makes_headlines_and_d_says_what_it_is() -> None:
    assert [letter for letter, protocol in PROTOCOLS.items() if protocol.headline] == ["A"]
    assert [letter for letter, protocol in PROTOCOLS.items() if protocol.subject_safe] == ["A", "B"]
    assert "leaky" in PROTOCOLS["D"].name
    assert "inflated" in PROTOCOLS["D"].description


@pytest.mark.parametrize(
    ("letter", "samples", "clip_groups", "what"),
    [
        ("A", grid(2, 3, 1), None, "three participants"),
        ("B", grid(2, 3, 1), groups(3), "three participants"),
        ("B", grid(4, 3, 1), {"c00": "x", "c01": "y"}, "c02"),
        ("B", grid(4, 3, 1), None, "group for every clip"),
        ("B", grid(4, 2, 1), {"c00": "x", "c01": "x"}, "two groups"),
        ("C", grid(3, 2, 4), None, "three trials"),
        ("D", grid(1, 1, 3), None, "5 windows"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(
    letter: str, samples: Samples, clip_groups: dict[str, str] | None, what: str
) -> None:
    with pytest.raises(EvaluationError, match=what) as refusal:
        PROTOCOLS[letter].split(samples, 0, clip_groups)
    assert refusal.value.code == "E_PROTOCOL"
    assert refusal.value.remedy
