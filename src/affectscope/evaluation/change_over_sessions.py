"""A mixed model of the change over all sessions: patients differ, and their sessions follow.

    change = a + b (number - 1) + patient + rest,   patient and rest independent and normal

a is the change in a patient's first session, b what it gains from one session to the next. Fitted
by restricted maximum likelihood (N. M. Laird and J. H. Ware, Biometrics 38:963, 1982; statsmodels'
MixedLM).

Where the source is silent, and what we do:
1. statsmodels tests against the normal distribution, which finds too much with few patients. We
   take Student's t: for a with P - 1 degrees of freedom, since patients are the unit; for b with
   N - P - 1, those that are left within patients. The second is exact where all have the same
   sessions.
2. Changes are scaled to a standard deviation of 1 for the fit, so that ms and µS settle alike.
3. Where patients differ by no more than their own sessions do, their variance is estimated as zero.
   Optimisers do not settle there, so that case is told beforehand, by the sign of the likelihood's
   slope at zero; the fit is then ordinary least squares, and only the t distribution still counts
   patients. The note says so.
4. What the optimiser warns of otherwise is said in the note.

Legend: N sessions, P patients.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.evaluation.statistics import Estimate
from affectscope.records import FloatArray

FEWEST_PATIENTS, FEWEST_SESSIONS = 3, 2
_NOTHING_LEFT = 1e-10
"""Share of the changes' variance below which patient and number explain everything."""


@dataclass(frozen=True, eq=False)
class _Fit:
    """(2,) values and standard errors of a and b."""

    values: FloatArray
    errors: FloatArray
    note: str = ""


@dataclass(frozen=True)
class MixedModel:
    """What the model says, in the measure's unit.

    Attributes:
        change: in a patient's first session, over patients.
        per_session: how the change moves from one session to the next.
        note: what to know about the fit; empty where nothing stood out.
    """

    change: Estimate
    per_session: Estimate | None
    p_change: float | None
    p_per_session: float | None
    note: str


def mixed_model(
    change: FloatArray, patient: NDArray[np.int64], number: FloatArray
) -> tuple[MixedModel | None, str]:
    """The model, or None and why it cannot be fitted, in a sentence.

    Args:
        change: (N,) finite, after minus before.
        patient: (N,) codes from 0 on, of which each occurs.
        number: (N,) finite, 1 for a patient's first session.
    """
    sessions = np.bincount(patient)
    several = int((sessions >= FEWEST_SESSIONS).sum())
    if several < FEWEST_PATIENTS:
        return None, (
            f"No mixed model: {several} {'patient has' if several == 1 else 'patients have'} "
            f"at least {FEWEST_SESSIONS} sessions; it needs {FEWEST_PATIENTS}."
        )
    design = np.column_stack([np.ones(len(change)), number - 1])
    unit = float(change.std())
    within = _within_patients(np.column_stack([number, change / (unit or 1.0)]), patient)
    if not within[:, 0].any():
        return None, "No mixed model: the sessions' numbers do not tell them apart."
    if unit == 0 or _unexplained(within) <= _NOTHING_LEFT * len(change):
        return None, "No mixed model: patient and session number explain every change wholly."
    fitted = _fitted(change / unit, design, patient)
    if fitted is None:
        return None, "No mixed model: the fit broke down on these changes."
    people = len(sessions)
    first, p_first = _tested(fitted, 0, (unit, people - 1, people))
    later, p_later = _tested(fitted, 1, (unit, len(change) - people - 1, len(change)))
    return MixedModel(first, later, p_first, p_later, fitted.note), ""


def _within_patients(values: FloatArray, patient: NDArray[np.int64]) -> FloatArray:
    """(N, 2) less each patient's own mean."""
    means = np.stack([values[patient == code].mean(axis=0) for code in np.unique(patient)])
    centred: FloatArray = values - means[patient]
    centred[np.abs(centred) < 1e-12] = 0.0
    return centred


def _unexplained(within: FloatArray) -> float:
    """Sum of squares that patient and session number leave of the scaled changes."""
    number, change = within.T
    slope = (number @ change) / (number @ number)
    return float(((change - slope * number) ** 2).sum())


def _fitted(change: FloatArray, design: FloatArray, patient: NDArray[np.int64]) -> _Fit | None:
    """None where it broke down or gives no standard errors."""
    if _patients_do_not_differ(change, design, patient):
        return _least_squares(change, design)
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = MixedLM(change, design, groups=patient).fit(reml=True)
            errors = np.asarray(found.bse_fe, dtype=np.float64)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError):
            return None
    if not (np.isfinite(errors).all() and (errors > 0).all()):
        return None
    values = np.asarray(found.fe_params, dtype=np.float64)
    if found.converged:
        return _Fit(values, errors)
    told = f" ({caught[-1].message})" if caught else ""
    return _Fit(values, errors, f"The fit did not settle; read it with caution{told}.")


def _patients_do_not_differ(
    change: FloatArray, design: FloatArray, patient: NDArray[np.int64]
) -> bool:
    """Whether the restricted likelihood falls as the patients' variance leaves zero.

    Its slope there has the sign of sum_p (sum of p's residuals)^2 / s^2 less that sum's expectation
    where patients do not differ, sum_p (n_p - |sum of p's rows of Q|^2), design = Q R.
    """
    basis, _ = np.linalg.qr(design)
    residuals = change - basis @ (basis.T @ change)
    variance = float(residuals @ residuals) / (len(change) - 2)
    found = float((np.bincount(patient, residuals) ** 2).sum()) / variance
    shared = sum(float((np.bincount(patient, column) ** 2).sum()) for column in basis.T)
    return found <= len(change) - shared


def _least_squares(change: FloatArray, design: FloatArray) -> _Fit:
    inverse = np.linalg.inv(design.T @ design)
    values = inverse @ design.T @ change
    residuals = change - design @ values
    variance = float(residuals @ residuals) / (len(change) - 2)
    note = (
        "Patients differ by no more than their own sessions do: their variance is at zero, and "
        "sessions count as independent."
    )
    return _Fit(values, np.sqrt(variance * np.diag(inverse)), note)


def _tested(fitted: _Fit, place: int, scale: tuple[float, int, int]) -> tuple[Estimate, float]:
    """One coefficient with its t interval, and p; ``scale`` is (unit, degrees, count)."""
    from scipy.stats import t

    unit, degrees, count = scale
    value, error = float(fitted.values[place]), float(fitted.errors[place])
    half = float(t.ppf(0.975, degrees)) * error
    low, high = (value - half) * unit, (value + half) * unit
    estimate = Estimate(value * unit, low, high, count, degrees)
    return estimate, float(2 * t.sf(abs(value) / error, degrees))
