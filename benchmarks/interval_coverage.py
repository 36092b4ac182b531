"""How often the 95 % intervals of ``mean_over_time`` hold the true mean of a dependent course.

    .venv/bin/python benchmarks/interval_coverage.py

First-order autoregressive courses with one value per second, 400 of each kind.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from affectscope.evaluation.statistics import mean_over_time
from affectscope.records import FloatArray

COURSES = 400
START_UP = 500


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


def main() -> None:
    lengths = (300, 900)
    print("| correlation of neighbours (1 s) | " + " | ".join(f"{n} s" for n in lengths) + " |")
    print("|---|" + "---|" * len(lengths))
    for memory in (0.5, 0.9, 0.95):
        shares = [f"{100 * covered(memory, length):.0f} %" for length in lengths]
        print(f"| {memory} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
