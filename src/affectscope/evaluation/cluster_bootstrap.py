"""Intervals over people: whole participants are drawn, since a person's trials resemble each other.

Every draw takes P participants with replacement and, inside it, S of a model's S seeds with
replacement: the value of a draw is the mean over the drawn seeds of the metric on the drawn
participants. All models share the draws of participants and of seeds, so their differences are
paired. A model with one seed has no seed spread.

Legend: R draws, P people, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affectscope.evaluation.metrics import PersonSums, overall, values
from affectscope.records import FloatArray

DRAWS = 10_000
LEAST_DEFINED = 0.5
"""Share of draws in which a metric must be defined for an interval."""


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each person is taken: (R, P). ``seed`` also seeds the draws of seeds."""

    people: FloatArray
    seed: int

    def of_seeds(self, count: int) -> FloatArray:
        """(R, S) share of each of ``count`` seeds in each draw; rows sum to 1."""
        if count == 1:
            return np.ones((len(self.people), 1))
        random = np.random.default_rng([self.seed, count])
        taken = random.multinomial(count, np.full(count, 1 / count), size=len(self.people))
        return taken / count


def draw_people(people: int, *, draws: int = DRAWS, seed: int = 0) -> Draws:
    """Draws of ``people`` participants with replacement."""
    random = np.random.default_rng([seed])
    taken = random.multinomial(people, np.full(people, 1 / people), size=draws)
    return Draws(taken.astype(np.float64), seed)


def estimates(runs: Sequence[PersonSums], metrics: Sequence[str]) -> dict[str, float]:
    """Each metric over everybody, the mean over a model's seeds; NaN where one is undefined."""
    found = [overall(sums, metrics) for sums in runs]
    return {name: float(np.mean([run[name] for run in found])) for name in metrics}


def rated_people(runs: Sequence[PersonSums]) -> int:
    """Participants whose ratings enter a model's numbers."""
    return int((runs[0].weight > 0).sum())


def resampled(
    runs: Sequence[PersonSums], draws: Draws, metrics: Sequence[str]
) -> dict[str, FloatArray]:
    """(R,) of each metric for one model and target, ``runs`` holding one entry for each seed."""
    share = draws.of_seeds(len(runs))
    total = {name: np.zeros(len(draws.people)) for name in metrics}
    for number, sums in enumerate(runs):
        taken = share[:, number]
        for name, found in values(sums, draws.people, metrics).items():
            # A seed that was not drawn must not spread its NaN.
            total[name] += np.where(taken > 0, taken * found, 0.0)
    return total


def interval(drawn: FloatArray, people: int) -> tuple[float, float]:
    """95 % interval of (R,) draws over ``people`` participants: an expanded percentile interval.

    Draws from P people vary by sqrt((P - 1) / P) too little, and P - 1 degrees of freedom ask for
    Student's t instead of the normal distribution. So percentiles further out are taken: those at
    Phi(-+ t(0.975, P - 1) sqrt(P / (P - 1))): for 8 people the 0.6th and the 99.4th, for 40 the
    2.0th and the 98.0th.

    Source: T. C. Hesterberg, What teachers should know about the bootstrap, The American
    Statistician 69(4), 2015 ("expanded percentile interval").

    Returns:
        NaN where too few draws are defined or fewer than two people were drawn from.
    """
    defined = drawn[np.isfinite(drawn)]
    if people < 2 or len(defined) == 0 or len(defined) < LEAST_DEFINED * len(drawn):
        return float("nan"), float("nan")
    tail = tail_probability(people)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def tail_probability(people: int) -> float:
    """Share of draws beyond each end of a 95 % interval over ``people`` >= 2 participants."""
    from scipy.stats import norm, t

    return float(norm.cdf(-t.ppf(0.975, people - 1) * math.sqrt(people / (people - 1))))
