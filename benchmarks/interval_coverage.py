"""How often the program's 95 % intervals hold the truth.

    .venv/bin/python benchmarks/interval_coverage.py

1. ``mean_over_time``: first-order autoregressive courses with one value per second, 400 of each
   kind.
2. ``cluster_bootstrap``: balanced accuracy of a system that calls each trial right with a chance
   of its person's own, 16 trials per person, 400 studies of each size; beside it the plain
   percentiles of the same draws.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from affectscope.evaluation.cluster_bootstrap import draw_people, interval, resampled
from affectscope.evaluation.metrics import Items, person_sums
from affectscope.evaluation.statistics import mean_over_time
from affectscope.records import FloatArray

COURSES = 400
START_UP = 500
TRIALS = 16


def course(memory: float, seconds: int, seed: int) -> FloatArray:
    """(seconds,) with mean 0 and variance 1; neighbours correlate with ``memory``."""
    noise = np.random.default_rng(seed).normal(size=seconds + START_UP)
    values: FloatArray = lfilter([1], [1, -memory], noise * np.sqrt(1 - memory**2))[START_UP:]
    return values


def covered(memory: float, seconds: int) -> float:
    """Share of the courses whose interval holds 0."""
    held = 0
    for seed in range(COURSES):
        estimate = mean_over_time(course(memory, seconds, seed), 1.0, seed=seed)
        if estimate is None or estimate.low is None or estimate.high is None:
            raise AssertionError("a course of five minutes has an interval")
        held += estimate.low <= 0 <= estimate.high
    return held / COURSES


def study(people: int, chance: float, seed: int) -> FloatArray:
    """(R,) resampled balanced accuracies of one study."""
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), TRIALS)
    high = random.random(len(person)) < 0.5
    right = random.random(len(person)) < random.beta(8 * chance, 8 * (1 - chance), people)[person]
    truth = np.where(high, 0.5, -0.5)
    score = np.where(right, truth, -truth)
    items = Items(truth, score, high, score > 0, np.ones(len(person)), person, people)
    drawn = draw_people(people, draws=2000, seed=seed)
    return resampled([person_sums(items)], drawn, ["balanced_accuracy"])["balanced_accuracy"]


def covered_over_people(people: int, chance: float) -> tuple[float, float]:
    """Share of the studies whose interval holds ``chance``, and whose plain percentiles do."""
    expanded = plain = 0
    for seed in range(COURSES):
        drawn = study(people, chance, seed)
        low, high = interval(drawn, people)
        expanded += low <= chance <= high
        low, high = np.percentile(drawn, [2.5, 97.5])
        plain += low <= chance <= high
    return expanded / COURSES, plain / COURSES


def main() -> None:
    lengths = (300, 900)
    print("| correlation of neighbours (1 s) | " + " | ".join(f"{n} s" for n in lengths) + " |")
    print("|---|" + "---|" * len(lengths))
    for memory in (0.5, 0.9, 0.95):
        shares = [f"{100 * covered(memory, length):.0f} %" for length in lengths]
        print(f"| {memory} | " + " | ".join(shares) + " |")
    print()
    print("| people | true balanced accuracy | interval | plain percentiles |\n|---|---|---|---|")
    for people in (8, 14, 40):
        for chance in (0.5, 0.7):
            ours, plain = covered_over_people(people, chance)
            print(f"| {people} | {chance} | {100 * ours:.0f} % | {100 * plain:.0f} % |")


if __name__ == "__main__":
    main()
