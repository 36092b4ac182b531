"""Changes found in 1,000 simulated sessions, without a change and with a planted one.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/session_change.py [--sessions 1000]

A session is two phases of one course. Sessions take turns through every kind of course, length of
phase and rate of rows of ``interval_coverage`` (72 combinations), so each has the same share. The
planted change is added to the second phase, in standard deviations of the course.

Per planted change: for how many percent of the sessions there is an interval; how many percent of
those intervals hold the truth (the change of the mean, Hedges g_av, NAP where its truth is known);
for how many percent of all sessions the interval leaves out 0 ("found"; without a change these are
false alarms); the mean estimate; and, beside it, how often a t-test over all rows calls the same
sessions changed (p < 0.05), as if rows were independent. It never enters a report.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import ttest_ind

from affectscope.evaluation.effect_sizes import hedges_g_av, nonoverlap
from affectscope.evaluation.statistics import difference, mean_over_time
from affectscope.records import FloatArray
from interval_coverage import KINDS, RATES, SECONDS, holds

RESULT = Path(__file__).resolve().parent / "results" / "session_change.json"
PLANTED = (0.0, 0.25, 0.5, 1.0, 2.0)
COMBINATIONS = tuple(itertools.product(KINDS, SECONDS, RATES))


@dataclass(frozen=True)
class Session:
    """What one session showed; a ``..._holds`` is None where there is no interval."""

    seconds: int
    estimate: float
    holds: bool | None
    found: bool
    g_holds: bool | None
    nap_holds: bool | None
    t_test: bool


@dataclass(frozen=True)
class Row:
    """One planted change: shares of sessions (0 to 1), and the mean estimate."""

    planted: float
    sessions: int
    with_interval: float
    interval_holds: float
    g_holds: float
    nap_holds: float | None
    found: float
    found_by_seconds: dict[int, float]
    mean_estimate: float
    t_test: float


def session(number: int, planted: float) -> Session:
    kind, seconds, rate = COMBINATIONS[number % len(COMBINATIONS)]
    random = np.random.default_rng([number, int(100 * planted)])
    before, after = (KINDS[kind](seconds, rate, random) for _ in range(2))
    after = after + planted
    means = [mean_over_time(part, 1 / rate) for part in (before, after)]
    if means[0] is None or means[1] is None:
        raise AssertionError("every simulated phase holds something")
    change = difference(means[0], means[1])
    held = holds(change, planted)
    return Session(
        seconds=seconds,
        estimate=change.mean,
        holds=held,
        found=held is not None and not holds(change, 0.0),
        g_holds=holds(hedges_g_av(before, after, 1 / rate), planted),
        nap_holds=holds(nonoverlap(before, after, 1 / rate), 0.5),
        t_test=_t_test(before, after),
    )


def _t_test(before: FloatArray, after: FloatArray) -> bool:
    return bool(ttest_ind(before, after, nan_policy="omit").pvalue < 0.05)


def row(planted: float, sessions: int) -> Row:
    done = [session(number, planted) for number in range(sessions)]
    lengths = {n: [one.found for one in done if one.seconds == n] for n in SECONDS}
    return Row(
        planted=planted,
        sessions=sessions,
        with_interval=float(np.mean([one.holds is not None for one in done])),
        interval_holds=_share([one.holds for one in done]),
        g_holds=_share([one.g_holds for one in done]),
        # A shift's NAP depends on the shape of the course; without a shift it is one half.
        nap_holds=_share([one.nap_holds for one in done]) if planted == 0 else None,
        found=float(np.mean([one.found for one in done])),
        found_by_seconds={n: float(np.mean(found)) for n, found in lengths.items()},
        mean_estimate=float(np.mean([one.estimate for one in done])),
        t_test=float(np.mean([one.t_test for one in done])),
    )


def _share(held: list[bool | None]) -> float:
    return float(np.mean([each for each in held if each is not None]))


def print_row(found: Row) -> None:
    nap = "" if found.nap_holds is None else f"{100 * found.nap_holds:.1f}"
    cells = [
        f"{found.planted}",
        f"{100 * found.with_interval:.0f}",
        f"{100 * found.interval_holds:.1f}",
        f"{100 * found.g_holds:.1f}",
        nap,
        f"{100 * found.found:.1f}",
        " / ".join(f"{100 * share:.0f}" for share in found.found_by_seconds.values()),
        f"{found.mean_estimate:+.2f}",
        f"{100 * found.t_test:.0f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Changes found in simulated sessions.")
    parser.add_argument("--sessions", type=int, default=1000, help="for each planted change")
    sessions = parser.parse_args().sessions
    print(
        "| planted change (sd) | with interval % | interval holds it % | g_av holds it %"
        " | NAP holds 0.5 % | found % | found at 120 / 300 / 900 s % | mean estimate"
        " | t-test over rows says changed % |\n|" + "---|" * 9
    )
    rows = []
    for planted in PLANTED:
        rows.append(row(planted, sessions))
        print_row(rows[-1])
    RESULT.write_text(json.dumps({"rows": [asdict(each) for each in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
