"""Planted leaks are refused by name; what is no leak passes."""

from __future__ import annotations

import numpy as np
import pytest

from affectscope.errors import LeakError
from affectscope.evaluation.crossval import Fitted, System, Task, cross_validate
from affectscope.evaluation.leaks import (
    FittedPart,
    PartKind,
    check_features,
    check_fold,
    check_parts,
    fitted_on,
)
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.evaluation.samples import Fold, Samples

A, B, C, D = (PROTOCOLS[letter] for letter in "ABCD")
ROWS = 4


def grid(people: int = 6, clips: int = 12) -> Samples:
    """Windows of 7.8 s, one a second; every clip has its own length."""
    count = people * clips * ROWS
    subject = np.repeat([f"P{number}" for number in range(people)], clips * ROWS)
    trial = np.tile(np.repeat([f"c{number:02d}" for number in range(clips)], ROWS), people)
    onset = np.tile(np.arange(ROWS, dtype=np.float64), people * clips)
    lengths = np.random.default_rng(0).permutation(60.0 + 5 * np.arange(clips))
    duration = np.tile(np.repeat(lengths, ROWS), people)
    truth = np.random.default_rng(1).uniform(-1, 1, (count, 1))
    return Samples(subject, trial, onset, 7.8, duration, truth, ("valence",))


SAMPLES = grid()
FOLD = A.split(SAMPLES, 0, None)[2]


def rows_of(person: str, clip: str) -> np.ndarray:
    return np.flatnonzero((SAMPLES.subject == person) & (SAMPLES.trial == clip))


def moved(side: str, rows: np.ndarray) -> Fold:
    """FOLD with ``rows`` added to one side."""
    sides = {"train": FOLD.train, "validation": FOLD.validation, "test": FOLD.test}
    sides[side] = np.union1d(sides[side], rows)
    return Fold(FOLD.name, **sides)


@pytest.mark.parametrize("side", ["train", "validation"])
def test_planted_leak_T15_shared_subject_stops_the_run_before_anything_is_fitted(side: str) -> None:
    def fit(task: Task) -> Fitted:
        raise AssertionError("fitted in spite of the leak")

    leaky = moved(side, rows_of("P2", "c03"))
    leaky = Fold(
        leaky.name, leaky.train, leaky.validation, np.setdiff1d(FOLD.test, rows_of("P2", "c03"))
    )
    with pytest.raises(LeakError, match="P2") as leak:
        cross_validate(System("any", fit, "trivial"), SAMPLES, folds=[FOLD, leaky], protocol=A)
    assert leak.value.code == "E_LEAK_SUBJECT"
    assert leak.value.remedy


def test_planted_leak_overlapping_windows_of_one_trial() -> None:
    trial = rows_of("P1", "c05")
    rest = np.flatnonzero((SAMPLES.subject == "P1") & (SAMPLES.trial != "c05"))
    leaky = Fold("P1/c05", np.union1d(rest[8:], trial[:1]), rest[:8], trial[1:])
    with pytest.raises(LeakError, match=r"person P1, trial c05") as leak:
        check_fold(SAMPLES, leaky, C)
    assert leak.value.code == "E_LEAK_WINDOWS"
    check_fold(SAMPLES, leaky, D)


def test_planted_leak_autoencoder_or_normaliser_fitted_on_everybody() -> None:
    everybody = frozenset(SAMPLES.subject.tolist())
    kinds: tuple[PartKind, ...] = ("autoencoder", "normaliser", "encoder", "classifier")
    for kind in kinds:
        part = FittedPart(f"the {kind}", kind, everybody, False, None)
        for protocol in (A, B):
            with pytest.raises(LeakError, match=f"the {kind}.*test person P2") as leak:
                check_parts(SAMPLES, FOLD, [part], protocol)
            assert leak.value.code == "E_LEAK_FITTED"


@pytest.mark.parametrize("used_labels", [False, True])
def test_planted_leak_person_normaliser_of_the_test_person(used_labels: bool) -> None:
    everybody = frozenset(SAMPLES.subject.tolist())
    part = FittedPart("per person", "person normaliser", everybody, used_labels, None)
    for protocol in (A, B):
        with pytest.raises(LeakError, match=r"person normaliser 'per person'.*P2") as leak:
            check_parts(SAMPLES, FOLD, [part], protocol)
        assert leak.value.code == "E_LEAK_FITTED"
    own = fitted_on(SAMPLES, FOLD.train, name="own", kind="person normaliser", used_labels=False)
    check_parts(SAMPLES, FOLD, [own], A)
    check_parts(SAMPLES, FOLD, [part], D)


@pytest.mark.parametrize("kind", ["threshold", "calibration"])
def test_planted_leak_threshold_from_test_labels(kind: PartKind) -> None:
    part = fitted_on(SAMPLES, FOLD.test, name="best cut", kind=kind, used_labels=True)
    with pytest.raises(LeakError, match=r"best cut.*labels.*P2") as leak:
        check_parts(SAMPLES, FOLD, [part], A)
    assert leak.value.code == "E_LEAK_THRESHOLD"


def test_planted_leak_features_that_carry_clip_length() -> None:
    random = np.random.default_rng(3)
    honest = random.normal(size=len(SAMPLES))
    beats = SAMPLES.trial_duration * 1.2 + random.normal(0, 3, len(SAMPLES))
    padding = -2.0 * SAMPLES.trial_duration
    middle = np.abs(SAMPLES.trial_duration - np.median(SAMPLES.trial_duration))
    for name, leaky in (("beats", beats), ("padding", padding), ("from the middle", middle)):
        with pytest.raises(LeakError, match=name) as leak:
            check_features(SAMPLES, np.column_stack([honest, leaky]), ["honest", name])
        assert leak.value.code == "E_LEAK_DURATION"


def test_a_person_offset_does_not_hide_clip_length() -> None:
    offset = np.unique(SAMPLES.subject, return_inverse=True)[1] * 1e4
    for sign in (1, -1):
        with pytest.raises(LeakError, match="rank correlation"):
            check_features(SAMPLES, (sign * SAMPLES.trial_duration + offset)[:, None], ["count"])


def test_honest_features_pass() -> None:
    random = np.random.default_rng(5)
    rate = random.normal(70, 10, len(SAMPLES))
    weak = SAMPLES.trial_duration + random.normal(0, 40, len(SAMPLES))
    constant, missing = np.ones(len(SAMPLES)), np.full(len(SAMPLES), np.nan)
    gaps = np.where(random.random(len(SAMPLES)) < 0.5, np.nan, rate)
    names = ["rate", "weak", "constant", "missing", "gaps"]
    check_features(SAMPLES, np.column_stack([rate, weak, constant, missing, gaps]), names)


def test_protocol_b_holds_out_the_clips_of_others_too() -> None:
    fold = B.split(SAMPLES, 0, {f"c{n:02d}": str(n % 2) for n in range(12)})[0]
    check_fold(SAMPLES, fold, B)
    other = np.flatnonzero((SAMPLES.subject == "P5") & (SAMPLES.trial == "c00"))
    leaky = Fold(fold.name, np.union1d(fold.train, other), fold.validation, fold.test)
    with pytest.raises(LeakError, match="clip c00") as leak:
        check_fold(SAMPLES, leaky, B)
    assert leak.value.code == "E_LEAK_CLIP"
    honest = fitted_on(SAMPLES, fold.train, name="bae", kind="autoencoder", used_labels=False)
    check_parts(SAMPLES, fold, [honest], B)
    for trials in (None, frozenset({"c00", "c01"})):
        part = FittedPart("bae", "autoencoder", frozenset({"P5"}), False, trials)
        with pytest.raises(LeakError, match="test clip"):
            check_parts(SAMPLES, fold, [part], B)


def test_protocol_c_shares_the_person_but_not_the_trial() -> None:
    fold = C.split(SAMPLES, 0, None)[0]
    check_fold(SAMPLES, fold, C)
    good = fitted_on(SAMPLES, fold.train, name="svm", kind="classifier", used_labels=True)
    check_parts(SAMPLES, fold, [good], C)
    bad = fitted_on(SAMPLES, fold.test, name="scaling", kind="normaliser", used_labels=False)
    with pytest.raises(LeakError, match="scaling") as leak:
        check_parts(SAMPLES, fold, [bad], C)
    assert leak.value.code == "E_LEAK_FITTED"


def test_a_part_from_elsewhere_or_a_constant_passes_everywhere() -> None:
    parts = [
        FittedPart("ImageNet weights", "encoder", frozenset(), False, None),
        FittedPart("rating above 5", "threshold", frozenset(), False, None),
    ]
    for protocol in (A, B, C, D):
        check_parts(SAMPLES, FOLD, parts, protocol)


def test_one_window_on_two_sides_is_refused_even_when_shuffled() -> None:
    fold = D.split(SAMPLES, 0, None)[0]
    check_fold(SAMPLES, fold, D)
    with pytest.raises(LeakError, match="E_LEAK_WINDOWS"):
        check_fold(SAMPLES, Fold("same", fold.train, fold.validation, fold.train[:1]), D)
