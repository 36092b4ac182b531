"""Fitting the stress models, and what leaving people out says of them.

A fit: inputs standardised over the training people, logistic regression with a strong ridge, people
weighing the same and within them stress and rest. Probabilities: Platt's scaling of scores of
people whom the fit had not seen, people weighing the same.

Legend: n rows, M inputs, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from affectscope.inference.stress_model import CLIPPED, EDGES, LinearModel
from affectscope.records import BoolArray, FloatArray

RIDGE = 100.0
"""Weight of half the squared weights against the sum of n rows' losses; chosen beforehand."""
COVERAGE = 0.9
FARTHEST = 0.99
"""Quantile of the training rows' distances beyond which a model abstains."""
FEWEST = 3
"""Rows of a person in a bin that make an observed rate."""


Choices = Mapping[float, FloatArray]
"""(n, M) inputs for each reach of the context, s."""


@dataclass(frozen=True, eq=False)
class Scored:
    """(n,) each, of rows whose person was not learnt from: score, and calibrated probability."""

    score: FloatArray
    probability: FloatArray


def fitted(inputs: FloatArray, stress: FloatArray, person: np.ndarray) -> LinearModel:
    """A model without calibration: its probability is the score's own, its interval everything."""
    centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    standard = np.clip((inputs - centre) / scale, -CLIPPED, CLIPPED)
    weights = _logistic(standard, stress, _weight(person, stress))
    bare = LinearModel(
        centre,
        scale,
        weights[:-1],
        weights[-1:],
        platt=np.array([1.0, 0.0]),
        farthest=np.zeros(1),
        half_width=np.ones(len(EDGES) + 1),
        reach=np.zeros(1),
    )
    farthest = np.quantile(bare.distance(inputs), [FARTHEST])
    return replace(bare, farthest=farthest)


def left_out(inputs: FloatArray, stress: FloatArray, person: np.ndarray) -> FloatArray:
    """(n,) each person's scores by what the others teach."""
    score = np.empty(len(stress))
    for held_out in np.unique(person):
        own = person == held_out
        score[own] = fitted(inputs[~own], stress[~own], person[~own]).score(inputs[own])
    return score


def cross_validated(choices: Choices, stress: FloatArray, person: np.ndarray) -> Scored:
    """Scores and probabilities of left-out people.

    The context of a left-out person's model is chosen, and its scores scaled, by the scores that
    the others have when each of them is left out in turn: nothing of the person enters.
    """
    score, probability = np.empty(len(stress)), np.empty(len(stress))
    for held_out in np.unique(person):
        own = person == held_out
        others = {reach: values[~own] for reach, values in choices.items()}
        reach, inner = chosen(others, stress[~own], person[~own])
        model = fitted(others[reach], stress[~own], person[~own])
        score[own] = model.score(choices[reach][own])
        slope, intercept = platt(inner, stress[~own], person[~own])
        probability[own] = expit(slope * score[own] + intercept)
    return Scored(score, probability)


def chosen(choices: Choices, stress: FloatArray, person: np.ndarray) -> tuple[float, FloatArray]:
    """The context with the best balanced accuracy of left-out people, and their scores (n,)."""
    scores = {reach: left_out(values, stress, person) for reach, values in choices.items()}
    best = max(scores, key=lambda reach: _balanced(scores[reach], stress, person))
    return best, scores[best]


def trained(
    choices: Choices, stress: FloatArray, person: np.ndarray, scored: Scored
) -> LinearModel:
    """The model of everybody, its interval by ``scored`` of the same rows."""
    reach, score = chosen(choices, stress, person)
    return replace(
        fitted(choices[reach], stress, person),
        platt=platt(score, stress, person),
        half_width=half_widths(scored.probability, stress, person),
        reach=np.array([reach]),
    )


def platt(score: FloatArray, stress: FloatArray, person: np.ndarray) -> FloatArray:
    """(2,) slope and intercept; people weigh the same."""
    _, place = np.unique(person, return_inverse=True)
    weight = 1.0 / np.bincount(place)[place]
    weight *= len(weight) / weight.sum()
    return _logistic(score[:, None], stress, weight, ridge=1.0)


def half_widths(probability: FloatArray, stress: FloatArray, person: np.ndarray) -> FloatArray:
    """(B,) conformal half-widths: the quantile over people of how far their own rate is off.

    In each bin, a person's |observed rate - mean probability|, where the person has three rows or
    more there; the quantile has the finite-sample correction of split conformal prediction (Vovk
    2005). 1.0 where too few people are there for it.
    """
    table = rate_errors(probability, stress, person)
    widths = np.ones(table.shape[1])
    for place, column in enumerate(table.T):
        known = np.sort(column[np.isfinite(column)])
        rank = math.ceil((len(known) + 1) * COVERAGE)
        if 0 < rank <= len(known):
            widths[place] = known[rank - 1]
    return widths


def rate_errors(probability: FloatArray, stress: FloatArray, person: np.ndarray) -> FloatArray:
    """(people, B) |observed rate - mean probability|; NaN where a person has too few rows."""
    people, owner = np.unique(person, return_inverse=True)
    bins = np.searchsorted(EDGES, probability, side="right")
    table = np.full((len(people), len(EDGES) + 1), np.nan)
    for number in range(len(people)):
        for place in range(len(EDGES) + 1):
            rows: BoolArray = (owner == number) & (bins == place)
            if rows.sum() >= FEWEST:
                table[number, place] = abs(float((stress - probability)[rows].mean()))
    return table


def interval_coverage(probability: FloatArray, stress: FloatArray, person: np.ndarray) -> float:
    """Share of people's bins that lie in the interval that the other people give, people alike."""
    table = rate_errors(probability, stress, person)
    shares = []
    for number, own in enumerate(np.unique(person)):
        others = person != own
        widths = half_widths(probability[others], stress[others], person[others])
        known = np.isfinite(table[number])
        shares.append(float((table[number] <= widths + 1e-12)[known].mean()))
    return float(np.mean(shares))


def without_trend(inputs: FloatArray, elapsed: FloatArray, person: np.ndarray) -> FloatArray:
    """(n, M) less each person's own straight line over time; transductive."""
    result = inputs.copy()
    for each in np.unique(person):
        own = person == each
        design = np.column_stack([elapsed[own], np.ones(own.sum())])
        line = design @ np.linalg.lstsq(design, inputs[own], rcond=None)[0]
        result[own] = inputs[own] - line
    return result


def _balanced(score: FloatArray, stress: FloatArray, person: np.ndarray) -> float:
    """Balanced accuracy, people alike."""
    weight = _weight(person, stress)
    return float(weight @ ((score > 0) == (stress > 0)) / len(stress))


def _weight(person: np.ndarray, stress: FloatArray) -> FloatArray:
    """(n,) people weigh the same, and within them stress and rest; the mean is 1."""
    cells = np.char.add(person.astype(str), np.where(stress > 0, "/1", "/0"))
    _, cell = np.unique(cells, return_inverse=True)
    weight = 1.0 / np.bincount(cell)[cell]
    return np.asarray(weight * len(weight) / weight.sum())


def _logistic(
    inputs: FloatArray, stress: FloatArray, weight: FloatArray, ridge: float = RIDGE
) -> FloatArray:
    """(M + 1,) weights and, last, the intercept, by Newton's method; no ridge on the intercept."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    penalty = np.append(np.full(inputs.shape[1], ridge), 0.0)
    found = np.zeros(design.shape[1])
    for _ in range(50):
        probability = expit(design @ found)
        gradient = design.T @ (weight * (stress - probability)) - penalty * found
        spread = weight * probability * (1.0 - probability)
        curvature = design.T @ (design * spread[:, None]) + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return found
