"""Two lists of event times on two clocks -> which belong together, and how the clocks differ.

The same events (flashes, claps, presses of a button) were noted by two recorders, each with events
of its own and with misses. The clocks are taken to follow a line, axis = offset + rate x time.

Where the literature is silent, and what we do:
1. Every pair of an event and a marker votes for its offset; drifts up to 200 ppm are tried in steps
   that move no vote by more than half of the tolerance. Quartz clocks keep within 100 ppm.
2. The offset with the most votes holds where chance gives as many only once in a hundred lists
   (Poisson, Bonferroni over the pairs and the drifts), and where no other offset has more than
   three fifths of its votes: flashes at equal intervals fit at every one of them.
3. One event on each side, and nothing else, is taken as the same event: nothing contradicts it.
4. A drift that is not known to 50 ppm (95 %) is called unknown; the rate then counts as 1.
5. The clock may step once. A step is told from 50 ms on, where both sides have two matched events
   and it is four times as large as its standard error.
6. Of more than 200 events the first and the last hundred count.

Legend: E events, M markers, P matched pairs, D drifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affectscope.records import BoolArray, FloatArray

TOLERANCE = 0.1
"""Seconds by which a matched event may lie beside its marker."""
LEAST_STEP = 0.05
"""Seconds: a smaller step of a clock is not told."""
_MOST_DRIFT = 200.0  # ppm
_DRIFT_KNOWN = 50.0  # ppm, half of the 95 % interval
_MOST_EVENTS = 200
_CHANCE = 0.01
_RIVAL = 0.6
_STEP_ERRORS = 4.0
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class ClockStep:
    """A step of the event's clock: ``size`` seconds (later minus earlier offset), in between the
    matched events at ``after`` and ``before`` (event clock)."""

    after: float
    before: float
    size: float


@dataclass(frozen=True, eq=False)
class EventFit:
    """axis time = offset + (1 + drift_used) x event time.

    Attributes:
        offset: seconds, at event time 0.
        rate: seconds of the axis per second of the events' clock; 1.0 where it is not known.
        drift: ppm that the events' clock runs fast against the axis; None where not known.
        drift_uncertainty: ppm, half of its 95 % interval; None where two events do not give it.
        residual: ms, root mean square.
        uncertainty: s, half of the 95 % interval of the offset in the middle of the events.
        pairs: (P, 2) indices of an event and its marker, in time order.
        step: a step of the clock; offset, rate and residual are then those of the longer side.
    """

    offset: float
    rate: float
    drift: float | None
    drift_uncertainty: float | None
    residual: float
    uncertainty: float
    pairs: NDArray[np.int64]
    step: ClockStep | None

    def at(self, times: FloatArray) -> FloatArray:
        """Times of the events' clock on the axis."""
        return self.offset + self.rate * times


def match_events(events: FloatArray, markers: FloatArray, *, precision: float) -> EventFit | str:
    """How the clock of (E,) events lies on the clock of (M,) markers; both in seconds, any order.

    ``precision``: standard deviation in seconds, > 0, with which one event is known against its
    marker, at least. A text says why the two cannot be matched.
    """
    assert precision > 0, precision
    events, markers = (_listed(times) for times in (events, markers))
    if not len(events) or not len(markers):
        return f"{len(events)} events against {len(markers)} markers"
    tolerance = max(TOLERANCE, 4 * precision)
    if len(events) == len(markers) == 1:
        return _fitted(events, markers, np.zeros((1, 2), dtype=np.int64), precision)
    line = _voted(events, markers, tolerance)
    if isinstance(line, str):
        return line
    pairs = _paired(events, markers, line, tolerance)
    rest = _other_side(events, markers, pairs, tolerance)
    if rest is not None:
        return _with_step(events, markers, (pairs, rest), precision)
    split = _split(events, markers, pairs, precision)
    if split is not None:
        return _with_step(events, markers, (pairs[:split], pairs[split:]), precision)
    return _fitted(events, markers, pairs, precision)


def _listed(times: FloatArray) -> FloatArray:
    """Finite times in order, of many the first and the last ones."""
    found = np.sort(times[np.isfinite(times)])
    if len(found) <= _MOST_EVENTS:
        return found
    return np.concatenate([found[: _MOST_EVENTS // 2], found[-_MOST_EVENTS // 2 :]])


def _voted(events: FloatArray, markers: FloatArray, tolerance: float) -> tuple[float, float] | str:
    """(offset at event time 0, drift as a share) with the most votes, or why there is none."""
    middle = (events[0] + events[-1]) / 2
    reach = (events[-1] - events[0]) / 2
    furthest = _MOST_DRIFT * 1e-6 * reach
    steps = math.ceil(furthest / tolerance) if furthest > tolerance / 2 else 0
    drifts = np.linspace(-1, 1, 2 * steps + 1) * _MOST_DRIFT * 1e-6 if steps else np.zeros(1)
    plain = markers[None, :] - events[:, None]
    most, offset, drift, narrow = 0, 0.0, 0.0, math.inf
    for tried in sorted(drifts.tolist(), key=abs):
        offsets = np.sort((plain - tried * (events - middle)[:, None]).ravel())
        votes = _votes(offsets, tolerance)
        first = int(votes.argmax())
        voters = offsets[first : first + votes[first]]
        if (votes[first], -np.ptp(voters)) > (most, -narrow):
            most, narrow = int(votes[first]), float(np.ptp(voters))
            offset, drift = float(voters.mean()), tried
    share = 2 * tolerance / float(np.ptp(plain) + 2 * tolerance)
    if not _beyond_chance(most, plain.size, share, len(drifts)):
        return f"no offset fits more than {most} of {len(events)} events, which chance explains"
    line = (offset - drift * middle, drift)
    rival = _rival_votes(events, markers, line, tolerance)
    if rival > _RIVAL * most:
        return f"two offsets fit nearly as many events ({most} and {rival})"
    return line


def _rival_votes(
    events: FloatArray, markers: FloatArray, line: tuple[float, float], tolerance: float
) -> int:
    """The votes that another offset gets from the span in which the line fits. Events beside that
    span may follow another offset: the clock stepped in between."""
    matched = events[_paired(events, markers, line, tolerance)[:, 0]]
    inside = events[(events >= matched[0]) & (events <= matched[-1])]
    left = (markers[None, :] - line[0] - (1 + line[1]) * inside[:, None]).ravel()
    votes = _votes(np.sort(left[np.abs(left) > 3 * tolerance]), tolerance)
    return int(votes.max(initial=0))


def _votes(offsets: FloatArray, tolerance: float) -> NDArray[np.int64]:
    """For each of the sorted offsets how many lie within two tolerances from it on."""
    ends = np.searchsorted(offsets, offsets + 2 * tolerance, side="right")
    return (ends - np.arange(len(offsets))).astype(np.int64)


def _beyond_chance(votes: int, pairs: int, share: float, drifts: int) -> bool:
    """Whether chance gathers so many of the pairs' offsets in one place in under 1 of 100 lists."""
    from scipy.stats import poisson

    others = float(poisson.sf(votes - 2, pairs * share))  # beside the pair that marks the place
    return votes >= 2 and others * pairs * drifts < _CHANCE


def _paired(
    events: FloatArray, markers: FloatArray, line: tuple[float, float], tolerance: float
) -> NDArray[np.int64]:
    """(P, 2) events and markers that are each other's nearest within the tolerance."""
    offset, drift = line
    apart = np.abs(offset + (1 + drift) * events[:, None] - markers[None, :])
    nearest = apart.argmin(axis=1)
    index = np.arange(len(events))
    mutual = (apart.argmin(axis=0)[nearest] == index) & (apart[index, nearest] <= tolerance)
    return np.asarray(np.column_stack([index, nearest])[mutual], dtype=np.int64)


def _other_side(
    events: FloatArray, markers: FloatArray, pairs: NDArray[np.int64], tolerance: float
) -> NDArray[np.int64] | None:
    """Pairs wholly before or wholly after the matched ones that agree on another offset."""
    for before in (True, False):
        edge = pairs[0] if before else pairs[-1]
        some = slice(0, edge[0]) if before else slice(edge[0] + 1, None)
        others = slice(0, edge[1]) if before else slice(edge[1] + 1, None)
        if len(events[some]) < 2 or len(markers[others]) < 2:
            continue
        line = _voted(events[some], markers[others], tolerance)
        if isinstance(line, str):
            continue
        found = _paired(events[some], markers[others], line, tolerance)
        start = np.array([some.start, others.start])
        return np.asarray(found + start)
    return None


def _split(
    events: FloatArray, markers: FloatArray, pairs: NDArray[np.int64], precision: float
) -> int | None:
    """Where the matched pairs fall apart into two offsets with one drift, or None."""
    times = events[pairs[:, 0]]
    differences = markers[pairs[:, 1]] - times
    found: tuple[float, int] | None = None
    for place in range(2, len(pairs) - 1):
        later = (np.arange(len(pairs)) >= place).astype(np.float64)
        design = np.column_stack([np.ones_like(times), times - times.mean(), later])
        values = np.linalg.lstsq(design, differences, rcond=None)[0]
        left = differences - design @ values
        noise = max(_noise(left, 3), precision)
        error = noise * math.sqrt(float(np.linalg.pinv(design.T @ design)[2, 2]))
        clear = abs(values[2]) >= max(LEAST_STEP, _STEP_ERRORS * error)
        squares = float(np.sum(left**2))
        if clear and (found is None or squares < found[0]):
            found = (squares, place)
    return None if found is None else found[1]


def _with_step(
    events: FloatArray,
    markers: FloatArray,
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    precision: float,
) -> EventFit:
    """One drift and two offsets; the offset that is told is that of the side with more pairs."""
    earlier, later = sorted(sides, key=lambda pairs: int(pairs[0, 0]))
    pairs = np.concatenate([earlier, later])
    after, before = float(events[earlier[-1, 0]]), float(events[later[0, 0]])
    is_later = np.arange(len(pairs)) >= len(earlier)
    own = is_later if len(later) > len(earlier) else ~is_later
    fit = _fitted(events, markers, pairs, precision, groups=(own, ~own))
    left = (markers[pairs[:, 1]] - fit.at(events[pairs[:, 0]]))[~own]
    size = float(left.mean()) * (1.0 if own[0] else -1.0)
    return replace(fit, step=ClockStep(after, before, size))


def _fitted(
    events: FloatArray,
    markers: FloatArray,
    pairs: NDArray[np.int64],
    precision: float,
    groups: tuple[BoolArray, ...] = (),
) -> EventFit:
    """Least squares through the pairs: an offset for each group, the first one's is told, and one
    drift for all; without a known drift the mean offsets."""
    times, targets = events[pairs[:, 0]], markers[pairs[:, 1]]
    groups = groups or (np.ones(len(times), dtype=np.bool_),)
    differences = targets - times
    within = _without_means(times, groups)
    spread = float(np.sum(within**2))
    slope = float(np.sum(within * differences)) / spread if spread > 0 else 0.0
    left = _without_means(differences, groups) - slope * within
    noise = max(_noise(left, len(groups) + 1), precision)
    error = noise / math.sqrt(spread) if spread > 0 else math.inf
    known = _NORMAL_95 * error <= _DRIFT_KNOWN * 1e-6
    if not known:
        slope, left = 0.0, _without_means(differences, groups)
        noise = max(_noise(left, len(groups)), precision)
    told = groups[0]
    return EventFit(
        offset=float(differences[told].mean() - slope * times[told].mean()),
        rate=1.0 + slope,
        drift=-slope / (1 + slope) * 1e6 if known else None,
        drift_uncertainty=_NORMAL_95 * error * 1e6 if error < math.inf else None,
        residual=1000 * float(np.sqrt(np.mean(left**2))),
        uncertainty=_NORMAL_95 * noise / math.sqrt(int(told.sum())),
        pairs=pairs,
        step=None,
    )


def _without_means(values: FloatArray, groups: tuple[BoolArray, ...]) -> FloatArray:
    """(P,) each value less the mean of its group."""
    left = values.copy()
    for group in groups:
        left[group] -= left[group].mean()
    return left


def _noise(left: FloatArray, parameters: int) -> float:
    freedom = len(left) - parameters
    return math.sqrt(float(np.sum(left**2)) / freedom) if freedom > 0 else 0.0
