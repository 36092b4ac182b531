"""How often the program's 95 % intervals hold the truth.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/interval_coverage.py [--sessions 1000]

1. ``mean_over_time`` and ``difference``: sessions of two phases without change, 1,000 of each kind
   (``KINDS`` of course, ``SECONDS`` of a phase, ``RATES`` of rows). Printed for each kind: how
   many percent of the intervals of a phase's mean, and of those of the change, hold 0, and, in
   brackets where it rounds to less than 100, for how many percent of the sessions there is an
   interval of the change. Then ``correlation_over_time`` likewise, on pairs of courses that share
   half of what moves them.
2. ``cluster_bootstrap``: balanced accuracy of a system that calls each trial right with a chance
   of its person's own, 16 trials per person, 400 studies of each size; beside it the plain
   percentiles of the same draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy.signal import lfilter

from affectscope.evaluation.cluster_bootstrap import draw_people, interval, resampled
from affectscope.evaluation.metrics import Items, person_sums
from affectscope.evaluation.statistics import (
    Estimate,
    correlation_over_time,
    difference,
    mean_over_time,
)
from affectscope.records import FloatArray

COURSES = 400
TRIALS = 16
START_UP = 500
"""Seconds after which a course has forgotten how it began."""
NOISE = 0.3
"""White noise on every row of a course with more than one row per second."""
SECONDS = (120, 300, 900)
RATES = (1, 5, 25)
MEMORIES = (0.5, 0.8, 0.9, 0.95, 0.98)

Course = Callable[[int, int, np.random.Generator], FloatArray]
"""(seconds, rows per second, random numbers) -> (seconds * rows,), mean 0 and variance about 1."""


def wandering(memory: float, seconds: int, rate: int, random: np.random.Generator) -> FloatArray:
    """A first-order process whose values a second apart correlate with ``memory``."""
    kept = memory ** (1 / rate)
    noise = random.normal(size=(seconds + START_UP) * rate) * np.sqrt(1 - kept**2)
    return lfilter([1], [1, -kept], noise)[START_UP * rate :] + _noise(seconds, rate, random)


def smooth(memory: float, seconds: int, rate: int, random: np.random.Generator) -> FloatArray:
    """A second-order process without corners: ``wandering``, followed with the same delay."""
    kept = memory ** (1 / rate)
    noise = random.normal(size=(seconds + START_UP) * rate)
    values = lfilter([1], [1, -2 * kept, kept**2], noise)[START_UP * rate :]
    variance = (1 + kept**2) / (1 - kept**2) ** 3
    return values / np.sqrt(variance) + _noise(seconds, rate, random)


def spells(duration: float, seconds: int, rate: int, random: np.random.Generator) -> FloatArray:
    """Two states that last ``duration`` s on average."""
    switched = random.random(seconds * rate) < 1 / (duration * rate)
    state = (random.integers(0, 2) + np.cumsum(switched)) % 2
    return 2.0 * state - 1 + NOISE * random.normal(size=len(state))


def gapped(course: Course, seconds: int, rate: int, random: np.random.Generator) -> FloatArray:
    """A fifth of the course masked, in three stretches that may touch."""
    values = course(seconds, rate, random)
    left = len(values) // 5
    starts = np.sort(random.integers(0, len(values) - left, 3))
    for number, start in enumerate(starts):
        values[start + number * left // 3 : start + (number + 1) * left // 3] = np.nan
    return values


def _noise(seconds: int, rate: int, random: np.random.Generator) -> FloatArray:
    return (NOISE if rate > 1 else 0.0) * random.normal(size=seconds * rate)


KINDS: Mapping[str, Course] = {
    **{f"wandering, {memory} after 1 s": partial(wandering, memory) for memory in MEMORIES},
    "smooth, double root 0.8 per s": partial(smooth, 0.8),
    "spells of 20 s on average": partial(spells, 20.0),
    "wandering, 0.9 after 1 s, a fifth masked": partial(gapped, partial(wandering, 0.9)),
}


def holds(estimate: Estimate | None, truth: float) -> bool | None:
    """Whether the interval holds ``truth``; None where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.low <= truth <= estimate.high


def covered(course: Course, seconds: int, rate: int, sessions: int) -> str:
    """Percent of the intervals of the mean and of the change that hold 0, as a table's cell."""
    of_mean: list[bool | None] = []
    of_change: list[bool | None] = []
    for seed in range(sessions):
        random = np.random.default_rng([seed, seconds, rate])
        parts = [mean_over_time(course(seconds, rate, random), 1 / rate, seed=n) for n in (0, 1)]
        if parts[0] is None or parts[1] is None:
            raise AssertionError("every simulated phase holds something")
        of_mean += [holds(part, 0.0) for part in parts]
        of_change.append(holds(difference(parts[0], parts[1]), 0.0))
    return f"{_percent(of_mean)} / {_percent(of_change)}{_known(of_change)}"


def covered_correlation(course: Course, seconds: int, sessions: int) -> str:
    """Percent of the intervals of a true correlation of sqrt(0.5) that hold it."""
    found = []
    for seed in range(sessions):
        random = np.random.default_rng([seed, seconds])
        truth, other = course(seconds, 1, random), course(seconds, 1, random)
        found.append(holds(correlation_over_time(truth + other, truth, 1.0), np.sqrt(0.5)))
    return f"{_percent(found)}{_known(found)}"


def _percent(held: list[bool | None]) -> str:
    known = [each for each in held if each is not None]
    return f"{100 * sum(known) / len(known):.1f}" if known else "–"


def _known(held: list[bool | None]) -> str:
    share = sum(each is not None for each in held) / len(held)
    return "" if share > 0.995 else f" ({100 * share:.0f})"


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


def print_courses(sessions: int) -> None:
    for rate in RATES:
        print(f"\n| course, {rate} rows/s | " + " | ".join(f"{n} s" for n in SECONDS) + " |")
        print("|---|" + "---|" * len(SECONDS))
        for name, course in KINDS.items():
            cells = [covered(course, seconds, rate, sessions) for seconds in SECONDS]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print("\n| correlation of courses | " + " | ".join(f"{n} s" for n in SECONDS) + " |")
    print("|---|" + "---|" * len(SECONDS))
    for memory in MEMORIES:
        course = partial(wandering, memory)
        cells = [covered_correlation(course, seconds, sessions) for seconds in SECONDS]
        print(f"| wandering, {memory} after 1 s | " + " | ".join(cells) + " |", flush=True)


def print_people() -> None:
    print("\n| people | true balanced accuracy | interval | plain percentiles |\n|---|---|---|---|")
    for people in (8, 14, 40):
        for chance in (0.5, 0.7):
            ours, plain = covered_over_people(people, chance)
            print(f"| {people} | {chance} | {100 * ours:.0f} % | {100 * plain:.0f} % |")


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the 95 % intervals hold the truth.")
    parser.add_argument("--sessions", type=int, default=1000, help="of each kind")
    print_courses(parser.parse_args().sessions)
    print_people()


if __name__ == "__main__":
    main()
