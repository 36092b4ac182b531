"""CASE: 30 people, 8 videos, ECG and EDA at 1000 Hz, and how it felt all the while, by joystick.

Sharma, Castellini, van den Broek, Albu-Schaeffer, Schwenker, "A dataset of continuous affect
annotations and physiological signals for emotion analysis", Scientific Data 6:196 (2019).

Layout (the interpolated variant)::

    data/interpolated/physiological/sub_1.csv   daqtime (ms), ecg (mV), bvp, gsr (uS), ..., video
    data/interpolated/annotations/sub_1.csv     jstime (ms), valence, arousal (0.5-9.5), video

How a video becomes a ``Recording``:
1. Videos 1 to 8 are trials; 10 (start), 11 (blue screen) and 12 (end) are skipped.
2. Both files have one clock. Zero on a trial's axis is the first annotation of its video; up to 5 s
   before and after the video are kept of the signals as context.
3. Valence and arousal have a row every 50 ms. The rest was not rated.
4. There is no face video.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.corpus_files import matching_files, not_there, only_file
from affectscope.datasets.corpus_trials import PersonTrials
from affectscope.datasets.corpus_twin import any_twin
from affectscope.errors import InputError
from affectscope.io.csv_layout import table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.files import check_file, shown
from affectscope.records import TARGETS, FloatArray, Labels, Modality, Signal

NAME = "case"
SAMPLING_RATE = 1000.0
FILE_PATTERN = r"interpolated/physiological/sub_0*([1-9][0-9]?)\.csv"
VIDEOS = range(1, 9)
CONTEXT = 5.0
"""Seconds kept before and after a video."""

_ANNOTATIONS = r"interpolated/annotations/sub_0*([1-9][0-9]?)\.csv"
_SCALE = (0.5, 9.5)
_TOLERANCE = 1e-6  # of a rating: interpolation may leave the scale by rounding
_CLOCK_TOLERANCE = 2.0  # ms by which a sample may lie beside its place
_JOIN = 1.0  # s between the signals' and the annotations' start of a video
_SIGNALS: dict[Modality, tuple[str, str]] = {"ecg": ("ecg", "mV"), "eda": ("gsr", "uS")}


@dataclass(frozen=True, eq=False)
class _Table:
    """Columns by name, each (rows,), and ``time`` in seconds."""

    time: FloatArray
    columns: dict[str, FloatArray]


def open_case(folder: Path) -> Corpus:
    """CASE in a folder: ``interpolated`` may lie anywhere below it.

    Raises:
        InputError: E_CORPUS where no interpolated/physiological/sub_1.csv is there.
    """
    signals = _by_person(folder, FILE_PATTERN)
    if not signals:
        raise not_there(folder, "CASE", "interpolated/physiological/sub_1.csv")
    annotations = _by_person(folder, _ANNOTATIONS)
    simulated = any_twin(path for found in signals.values() for path in found)

    def read_subject(subject_id: str) -> SubjectTrials:
        return _read_subject(
            PersonTrials(subject_id, simulated),
            only_file(subject_id, signals[subject_id]),
            only_file(f"{subject_id}'s annotation", annotations.get(subject_id) or missing(folder)),
        )

    def subject_files(subject_id: str) -> tuple[Path, ...]:
        return (*signals[subject_id], *annotations.get(subject_id, ()))

    def missing(where: Path) -> list[Path]:
        raise not_there(where, "CASE", "interpolated/annotations/sub_<number>.csv of this person")

    return Corpus(NAME, folder, simulated, tuple(signals), read_subject, subject_files)


def _by_person(folder: Path, pattern: str) -> dict[str, list[Path]]:
    found: dict[int, list[Path]] = {}
    for path, match in matching_files(folder, pattern):
        found.setdefault(int(match[1]), []).append(path)
    return {f"sub_{number}": paths for number, paths in sorted(found.items())}


def _read_subject(person: PersonTrials, signals: Path, annotations: Path) -> SubjectTrials:
    body = _table(person, signals, "daqtime", ("ecg", "gsr", "video"))
    felt = _table(person, annotations, "jstime", ("valence", "arousal", "video"))
    person.exclude("", "W_MODALITY_ABSENT", "CASE has no face video.", modality="face")
    expected = body.time[0] + np.arange(len(body.time)) / SAMPLING_RATE
    beside = np.abs(body.time - expected).max()
    if not beside * 1000.0 <= _CLOCK_TOLERANCE:  # NaN counts as beside
        raise InputError(
            "E_CORPUS",
            f"{shown(signals)} is not sampled every millisecond: a sample lies {beside:.3f} s "
            "beside its place.",
            "Use the interpolated files as they were published.",
        )
    for video in VIDEOS:
        rated = _span(person, felt.columns["video"], video)
        if rated is None:
            person.exclude(str(video), "W_NO_LABELS", f"Video {video} has no annotation.")
            continue
        labels = _labels(person, video, felt, rated)
        start, end = felt.time[rated[0]], felt.time[rated[1] - 1]
        shown_at = np.flatnonzero(body.columns["video"] == video)
        if not len(shown_at) or abs(body.time[shown_at[0]] - start) > _JOIN:
            sentence = f"Video {video} begins at another time in the signals than in the annotation"
            person.exclude(str(video), "E_CORPUS", f"{sentence}s.")
            continue
        first = int(np.searchsorted(body.time, start - CONTEXT))
        stop = int(np.searchsorted(body.time, end + CONTEXT, side="right"))
        pieces = {
            name: Signal(
                body.columns[column][first:stop].copy(),
                SAMPLING_RATE,
                unit,
                float(body.time[first] - start),
            )
            for name, (column, unit) in _SIGNALS.items()
        }
        person.add(str(video), labels, signals=pieces)
    return person.done()


def _span(person: PersonTrials, videos: FloatArray, video: int) -> tuple[int, int] | None:
    """First row and row after the last of a video's longest run."""
    held = np.concatenate([[False], videos == video, [False]])
    edges = np.flatnonzero(np.diff(held)).reshape(-1, 2)
    if not len(edges):
        return None
    if len(edges) > 1:
        person.note("W_CORPUS", f"Video {video} comes in {len(edges)} pieces; the longest is used.")
    first, stop = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    return int(first), int(stop)


def _labels(person: PersonTrials, video: int, felt: _Table, rows: tuple[int, int]) -> Labels:
    """Valence and arousal of each row, NaN where out of range."""
    first, stop = rows
    low, high = _SCALE
    values = np.full((stop - first, len(TARGETS)), np.nan)
    for name in ("valence", "arousal"):
        stated = felt.columns[name][first:stop]
        inside = (stated >= low - _TOLERANCE) & (stated <= high + _TOLERANCE)
        scaled = np.clip(2.0 * (stated - low) / (high - low) - 1.0, -1.0, 1.0)
        values[:, TARGETS.index(name)] = np.where(inside, scaled, np.nan)
        if not inside.all():
            sentence = f"{int((~inside).sum())} ratings of {name} in video {video} are out of range"
            person.note("W_NO_LABELS", f"{sentence} and left out.")
    return Labels(felt.time[first:stop] - felt.time[first], values)


def _table(person: PersonTrials, path: Path, clock: str, names: tuple[str, ...]) -> _Table:
    """The named columns, with rows in order of time. Raises InputError E_CORPUS."""
    check_file(path)
    layout = table_layout(path, ".")
    held = [name.casefold() for name in layout.names]
    lacking = [name for name in (clock, *names) if held.count(name) != 1]
    if lacking:
        raise InputError(
            "E_CORPUS",
            f"{shown(path)} lacks the column {lacking[0]}, or has it twice.",
            "Use the file as it was published.",
        )
    places = [held.index(name) for name in (clock, *names)]
    milliseconds, *columns = read_columns(
        path, layout, columns=places, decimal=".", notices=person.notices
    )
    if len(milliseconds) < 2 or not (np.diff(milliseconds) > 0).all():
        raise InputError(
            "E_CORPUS",
            f"The times of {shown(path)} do not go forward.",
            "Use the file as it was published.",
        )
    return _Table(milliseconds / 1000.0, dict(zip(names, columns, strict=True)))
