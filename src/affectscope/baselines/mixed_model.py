"""Crossed random effects of person and clip on ratings: what can be known without any signal.

    y = mean + person + clip + rest,  person, clip and rest independent and normal

Variances by expectation-maximisation for restricted maximum likelihood, effects by Henderson's
mixed-model equations (Searle, Casella and McCulloch 1992, chapters 7 and 8).

Legend: N ratings, P people, C clips, Q = 1 + P + C effects, J trials to estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.records import FloatArray

IntArray = NDArray[np.int64]

ITERATIONS = 200
TOLERANCE = 1e-5
_FLOOR = 1e-8
"""Share of the ratings' variance that every component keeps, so that ratios stay finite."""


@dataclass(frozen=True)
class Variances:
    """Variance of people, of clips and of the rest."""

    person: float
    clip: float
    rest: float


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings: value, person (numbers below P), clip (numbers below C)."""

    value: FloatArray
    person: IntArray
    clip: IntArray
    people: int
    clips: int

    @property
    def effects(self) -> IntArray:
        """(N, 3) places of each rating's mean, person and clip among the Q effects."""
        first = np.zeros(len(self.value), dtype=np.int64)
        return np.column_stack([first, 1 + self.person, 1 + self.people + self.clip])


def fit_variances(ratings: Ratings) -> Variances:
    """Restricted-maximum-likelihood variances of N >= 1 finite ratings."""
    total = float(ratings.value.var())
    floor = max(total * _FLOOR, 1e-12)
    part = max(total / 3, floor)
    found = Variances(part, part, part)
    matrix, right = _equations(ratings)
    squares = float(ratings.value @ ratings.value)
    for _ in range(ITERATIONS):
        precision = matrix / found.rest + _precision(ratings, found)
        inverse: FloatArray = np.linalg.inv(precision).astype(np.float64)
        effects: FloatArray = inverse @ right / found.rest
        people, clips = slice(1, 1 + ratings.people), slice(1 + ratings.people, None)
        unexplained = squares - float(effects @ right)
        new = Variances(
            max(_spread(effects, inverse, people), floor),
            max(_spread(effects, inverse, clips), floor),
            max(unexplained / max(len(ratings.value) - 1, 1), floor),
        )
        change = np.abs(np.subtract(_tuple(new), _tuple(found))).max()
        found = new
        if change < TOLERANCE * max(total, 1e-12):
            break
    return found


def estimate_left_out(
    ratings: Ratings, variances: Variances, *, person: IntArray, clip: IntArray
) -> FloatArray:
    """(J,) expected ratings of J trials, each without that trial's own rating if it is known."""
    matrix, right = _equations(ratings)
    matrix = matrix / variances.rest + _precision(ratings, variances)
    right = right / variances.rest
    places = np.column_stack(
        [np.zeros(len(person), dtype=np.int64), 1 + person, 1 + ratings.people + clip]
    )
    own = {(p, c): v for p, c, v in zip(ratings.person.tolist(), ratings.clip.tolist(),
                                       ratings.value.tolist(), strict=True)}  # fmt: skip
    estimates = np.empty(len(person))
    for trial, at in enumerate(places):
        without, aim = matrix.copy(), right.copy()
        value = own.get((int(person[trial]), int(clip[trial])))
        if value is not None:
            without[np.ix_(at, at)] -= 1 / variances.rest
            aim[at] -= value / variances.rest
        estimates[trial] = np.linalg.solve(without, aim)[at].sum()
    return estimates


def _equations(ratings: Ratings) -> tuple[FloatArray, FloatArray]:
    """Design'design (Q, Q) and design'y (Q,)."""
    size = 1 + ratings.people + ratings.clips
    design = np.zeros((len(ratings.value), size))
    np.put_along_axis(design, ratings.effects, 1.0, axis=1)
    return design.T @ design, design.T @ ratings.value


def _precision(ratings: Ratings, variances: Variances) -> FloatArray:
    """(Q, Q) prior precision of the effects: none for the mean."""
    # A trace for the mean keeps the equations solvable when everything is left out.
    diagonal = np.full(1 + ratings.people + ratings.clips, 1e-9)
    diagonal[1 : 1 + ratings.people] = 1 / variances.person
    diagonal[1 + ratings.people :] = 1 / variances.clip
    return np.diag(diagonal)


def _spread(effects: FloatArray, inverse: FloatArray, place: slice) -> float:
    own = effects[place]
    return float((own @ own + np.trace(inverse[place, place])) / len(own))


def _tuple(variances: Variances) -> tuple[float, float, float]:
    return variances.person, variances.clip, variances.rest
