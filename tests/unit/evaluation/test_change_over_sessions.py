"""The mixed model against the analysis of variance of balanced designs; what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from affectscope.evaluation.change_over_sessions import mixed_model
from affectscope.evaluation.statistics import Estimate


def balanced(people: int, sessions: int, *, between: float, seed: int = 0) -> np.ndarray:
    """(people, sessions) changes: 1 in the first session, 0.5 more in each further one."""
    random = np.random.default_rng(seed)
    own = between * random.normal(size=(people, 1))
    return 1 + 0.5 * np.arange(sessions) + own + 0.6 * random.normal(size=(people, sessions))


def mean_and_error(estimate: Estimate | None, degrees: int) -> tuple[float, float]:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.degrees == degrees
    half = (estimate.high - estimate.low) / 2
    assert estimate.mean == pytest.approx((estimate.high + estimate.low) / 2)
    return estimate.mean, float(half / t.ppf(0.975, degrees))


def of_variance(changes: np.ndarray) -> tuple[float, float, float, float]:
    """Intercept and slope with their errors by the analysis of variance, patients as blocks."""
    people, sessions = changes.shape
    time = np.arange(sessions) - (sessions - 1) / 2
    squares = people * float((time**2).sum())
    slope = float((changes * time).sum()) / squares
    residual = changes - changes.mean(axis=1, keepdims=True) - slope * time
    within = float((residual**2).sum()) / (people * sessions - people - 1)
    among = sessions * float(changes.mean(axis=1).var(ddof=1))
    assert among > within, "the design has a variance of patients"
    half = (sessions - 1) / 2
    first_error = among / (people * sessions) + half**2 * within / squares
    return changes.mean() - slope * half, first_error**0.5, slope, (within / squares) ** 0.5


@pytest.mark.parametrize(("people", "sessions", "unit"), [(5, 3, 1.0), (12, 4, 1e-4), (8, 2, 900)])
def test_a_balanced_design_gives_the_analysis_of_variance(
    people: int, sessions: int, unit: float
) -> None:
    changes = unit * balanced(people, sessions, between=1.5, seed=people)
    found, why = mixed_model(
        changes.ravel(),
        np.repeat(np.arange(people), sessions),
        np.tile(np.arange(1.0, sessions + 1), people),
    )
    assert why == ""
    assert found is not None
    assert found.note == ""
    first, first_error, slope, slope_error = of_variance(changes)
    got = mean_and_error(found.change, people - 1)
    assert got == pytest.approx((first, first_error), rel=2e-4)
    got = mean_and_error(found.per_session, people * sessions - people - 1)
    assert got == pytest.approx((slope, slope_error), rel=2e-4)
    expected = 2 * t.sf(abs(slope) / slope_error, people * sessions - people - 1)
    assert found.p_per_session == pytest.approx(expected, rel=5e-3)


def test_patients_who_do_not_differ_are_told_in_words() -> None:
    """Sessions that outweigh patients: the patients' variance is zero, the fit least squares."""
    changes = balanced(6, 3, between=0.0)
    changes = changes - changes.mean(axis=1, keepdims=True) + 1
    number = np.tile(np.arange(1.0, 4), 6)
    found, _ = mixed_model(changes.ravel(), np.repeat(np.arange(6), 3), number)
    assert found is not None
    assert "their variance is at zero" in found.note
    design = np.column_stack([np.ones(18), number - 1])
    values, squares, *_ = np.linalg.lstsq(design, changes.ravel())
    errors = np.sqrt(squares[0] / 16 * np.diag(np.linalg.inv(design.T @ design)))
    assert mean_and_error(found.change, 5) == pytest.approx((values[0], errors[0]))
    assert mean_and_error(found.per_session, 11) == pytest.approx((values[1], errors[1]))


def test_unequal_numbers_of_sessions_are_fitted_and_units_do_not_matter() -> None:
    random = np.random.default_rng(7)
    counts = np.array([1, 2, 3, 5, 2, 4])
    patient = np.repeat(np.arange(6), counts)
    number = np.concatenate([np.arange(1.0, count + 1) for count in counts])
    change = random.normal(size=6)[patient] * 2 + 0.3 * number + random.normal(size=len(number))
    small, _ = mixed_model(change, patient, number)
    large, _ = mixed_model(1000 * change, patient, number)
    assert small is not None
    assert large is not None
    assert large.change.mean == pytest.approx(1000 * small.change.mean)
    assert large.p_change == pytest.approx(small.p_change)


@pytest.mark.parametrize(
    ("changes", "patient", "number", "words"),
    [
        ([1.0, 2, 3], [0, 1, 2], [1.0, 1, 1], "0 patients have at least 2 sessions; it needs 3"),
        ([1.0, 2, 3, 1], [0, 0, 1, 2], [1.0, 2, 1, 1], "1 patient has at least 2 sessions"),
        ([2.0] * 6, [0, 0, 1, 1, 2, 2], [1.0, 2] * 3, "explain every change wholly"),
        ([1.0, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2], [1.0, 2] * 3, "explain every change wholly"),
        ([1.0, 2, 4, 1, 5, 9], [0, 0, 1, 1, 2, 2], [1.0, 1] * 3, "do not tell them apart"),
        ([1.0, np.nan, 4, 1, 5, 9], [0, 0, 1, 1, 2, 2], [1.0, 2] * 3, "broke down"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    changes: list[float], patient: list[int], number: list[float], words: str
) -> None:
    found, why = mixed_model(np.array(changes), np.array(patient), np.array(number))
    assert found is None
    assert words in why
