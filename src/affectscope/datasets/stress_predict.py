"""Stress-Predict: 25 people with a wristband (Empatica E4) for about 55 min each, stress and rest.

Iqbal, Simpkin, Roshan, Glynn, Killilea, Walsh, Molloy, Ganly, Ryman, Coen, Elahi, Wijns, Shahzad,
"Stress monitoring using wearable sensors: a pilot study and Stress-Predict dataset", Sensors
22:8135 (2022).

Layout::

    S01/EDA.csv ... S25/EDA.csv   row 1: start, Unix s; row 2: rate, Hz; then uS
    S01/IBI.csv ... S25/IBI.csv   row 1: start, Unix s; then seconds since, length of the interval
    S01/HR.csv  ... S25/HR.csv    row 1: start, Unix s; row 2: rate, Hz; then 1/min
    labels.csv                    subject (a number), start_unix_s, end_unix_s, stress (0 or 1)

How a folder becomes a ``WristPerson``:
1. Zero on a person's axis is the first sample of the EDA.
2. An interval of IBI.csv ends at the time that its row states. The device leaves out what it
   cannot tell, which is most of the time for some people; where a row's interval does not begin
   with the beat of the row before (within a hundredth of a second), beats may have been missed
   between.
3. Beats are timed by the wrist's pulse at 64 Hz: steps of 16 ms. RMSSD and pNN20 of it are coarse.
4. S01 has no labels, and so no phases.
5. The tasks come in one order for everybody. Elapsed time tells stress from rest: no model may see
   it, and every result stands beside it.
6. HR.csv is the device's own heart rate, once per second, a mean of the 10 s before: it is there
   nearly throughout, where IBI.csv leaves most beats out.

Legend: B beats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from affectscope.datasets.corpus_files import not_there
from affectscope.errors import InputError
from affectscope.io.channels import SignalSource
from affectscope.io.empatica import read_empatica, read_intervals
from affectscope.io.files import check_file, shown
from affectscope.preprocessing.rr_intervals import RrIntervals, intervals_between
from affectscope.records import BoolArray, FloatArray, Signal

JOINED = 0.01
"""Seconds by which an interval may begin beside the beat before it, for both to be neighbours."""
LATEST_START = 60.0
"""Seconds by which the two files of a person may begin apart."""
AVERAGED = 10.0
"""Seconds over which the device averages its heart rate."""

_Read = TypeVar("_Read")

_LABELS = "labels.csv"
_HEADER = "subject,start_unix_s,end_unix_s,stress"
_PERSON = re.compile(r"S([0-9]{1,4})")
_REMEDY = "Use the files as they were published."


@dataclass(frozen=True)
class StressPhase:
    """A labelled part of a recording, start < end, seconds on the person's axis."""

    start: float
    end: float
    stress: bool


@dataclass(frozen=True, eq=False)
class WristPerson:
    """One person's recording.

    Attributes:
        eda: uS; begins at 0.
        intervals: between heartbeats, by the wrist's pulse.
        phases: labelled, in order of time, apart; empty where the person has none.
    """

    subject_id: str
    eda: Signal
    intervals: RrIntervals
    phases: tuple[StressPhase, ...]

    def stress_at(self, times: FloatArray) -> FloatArray:
        """(N,) 1 under stress, 0 at rest, NaN where nothing was labelled."""
        labels = np.full(len(times), np.nan)
        for phase in self.phases:
            labels[(times >= phase.start) & (times < phase.end)] = phase.stress
        return labels


def stress_predict_people(folder: Path) -> tuple[str, ...]:
    """The ids of the people in a folder, "S01" ..., in order.

    Raises:
        InputError: E_CORPUS where there is nobody.
    """
    people = [
        path.parent.name
        for path in folder.glob("S*/EDA.csv")
        if _PERSON.fullmatch(path.parent.name)
    ]
    if not people:
        raise not_there(folder, "Stress-Predict", "S01/EDA.csv")
    return tuple(sorted(people))


def read_stress_predict(folder: Path, subject_id: str) -> WristPerson:
    """One person's EDA, RR intervals and labels.

    Args:
        subject_id: one of ``stress_predict_people``.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_CORPUS where a file does not
            hold what it should.
    """
    matched = _PERSON.fullmatch(subject_id)
    if matched is None:
        raise InputError(
            "E_CORPUS",
            f"{subject_id!a} is no person of Stress-Predict.",
            "Name one as its folder is called: S01, S02, ...",
        )
    eda, begins = _eda(folder / subject_id / "EDA.csv")
    intervals = _intervals(folder / subject_id / "IBI.csv", begins)
    return WristPerson(subject_id, eda, intervals, _phases(folder, int(matched[1]), begins))


def read_wrist_heart_rate(folder: Path, subject_id: str) -> Signal:
    """One person's heart rate by the device, 1/min, once per second, on the axis of the EDA.

    Each value stands in the middle of the 10 s that it is the mean of.

    Raises:
        InputError: as ``read_stress_predict``.
    """
    begins = _eda(folder / subject_id / "EDA.csv")[1]
    path = folder / subject_id / "HR.csv"
    data = _exported(path, lambda: read_empatica(path, SignalSource(1)))
    if data.sampling_rate != 1.0 or data.unix_start is None:
        raise _malformed(path, "a heart rate once per second")
    if not abs(data.unix_start - begins) <= LATEST_START:
        raise _malformed(path, "the start that EDA.csv states")
    start = data.unix_start - begins - AVERAGED / 2
    return Signal(data.values, data.sampling_rate, "1/min", start)


def _eda(path: Path) -> tuple[Signal, float]:
    """The signal, beginning at 0, and its start in Unix seconds."""
    data = _exported(path, lambda: read_empatica(path, SignalSource(1)))
    if data.notices or not np.isfinite(data.values).all():
        raise _malformed(path, "whole rows of numbers at the device's rate")
    assert data.sampling_rate is not None, path
    assert data.unix_start is not None, path
    return Signal(data.values, data.sampling_rate, "uS", 0.0), data.unix_start


def _intervals(path: Path, begins: float) -> RrIntervals:
    """Between the beats of IBI.csv, on the axis whose zero is ``begins``, Unix seconds."""
    found = _exported(path, lambda: read_intervals(path))
    if not abs(found.unix_start - begins) <= LATEST_START:
        raise _malformed(path, "the start that EDA.csv states")
    ends = found.unix_start - begins + found.ends
    return intervals_between(*beats_of(ends, found.durations))


def _exported(path: Path, read: Callable[[], _Read]) -> _Read:
    """What the device's reader gives; a file that it refuses is not the corpus's."""
    check_file(path)
    try:
        return read()
    except InputError as error:
        raise InputError("E_CORPUS", error.sentence, _REMEDY) from error


def beats_of(ends: FloatArray, durations: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Intervals in order of their ends -> (B,) beats, and (B - 1,) whether two are neighbours.

    An interval that does not begin with the end of the one before begins with a beat of its own. Of
    two that overlap, the later one begins nowhere: its end follows the beat before after a gap.
    """
    begins, before = ends - durations, np.concatenate([[-np.inf], ends[:-1]])
    joined = np.abs(begins - before) <= JOINED
    apart = begins - before > JOINED
    beats = np.concatenate([begins[apart], ends])
    known = np.concatenate([np.zeros(apart.sum(), dtype=bool), joined | apart])
    order = np.argsort(beats, kind="stable")
    return beats[order], known[order][1:]


def _phases(folder: Path, number: int, begins: float) -> tuple[StressPhase, ...]:
    path = folder / _LABELS
    rows = _labels(path)
    own = rows[rows[:, 0] == number]
    own = own[np.argsort(own[:, 1], kind="stable")]
    stress, edges = own[:, 3], own[:, 1:3]
    if not ((edges[:, 0] < edges[:, 1]).all() and (edges[1:, 0] >= edges[:-1, 1]).all()):
        raise _malformed(path, "intervals that end after they begin and do not overlap")
    if not np.isin(stress, (0, 1)).all():
        raise _malformed(path, "0 or 1 as its label of stress")
    return tuple(
        StressPhase(float(start - begins), float(end - begins), bool(label))
        for (start, end), label in zip(edges, stress, strict=True)
    )


def _label(line: str) -> tuple[float, ...]:
    subject, start, end, stress = line.split(",")
    return float(subject), float(start), float(end), float(stress)


def _labels(path: Path) -> FloatArray:
    """(rows, 4) of labels.csv. Raises InputError E_FILE_..., E_CORPUS."""
    check_file(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "E_FILE_UNREADABLE", f"{shown(path)} cannot be read as text.", _REMEDY
        ) from error
    if not lines or lines[0].strip() != _HEADER:
        raise _malformed(path, f"a first row '{_HEADER}'")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append(_label(line))
        except ValueError as error:
            raise _malformed(path, f"numbers in row {number}") from error
    if not rows:
        raise _malformed(path, "a row")
    return np.array(rows, dtype=np.float64)


def _malformed(path: Path, wanted: str) -> InputError:
    return InputError("E_CORPUS", f"{shown(path)} does not hold {wanted}.", _REMEDY)
