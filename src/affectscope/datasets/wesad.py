"""WESAD: 15 people under five conditions, ECG and EDA at 700 Hz from the chest; no video.

Schmidt, Reiss, Duerichen, Marberger, Van Laerhoven, "Introducing WESAD, a multimodal dataset for
wearable stress and affect detection", ICMI 2018.

Layout, one folder per person (S2 ... S17 without S12)::

    S2/S2.pkl         pickle of Python 2: "subject", "signal" ("chest" and "wrist", each a dict of
                      arrays), "label" (n,) at 700 Hz: 1 baseline, 2 stress, 3 amusement,
                      4 meditation; 0 and 5 to 7 are not used
    S2/S2_quest.csv   see ``wesad_questionnaire``

How a condition becomes a ``Recording``:
1. A trial is one run of a label; its id is the condition's name. Meditation comes twice, and its
   first run is "meditation-1". A label in more runs than conditions: the longest are taken.
2. Chest ECG (mV) and EDA (uS), with up to 5 s before and after the run as context. Zero on the axis
   is where the run begins.
3. Valence and arousal are rated once per condition, 1-9. Nothing else is rated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.corpus_files import matching_files, not_there, only_file
from affectscope.datasets.corpus_trials import PersonTrials, rating, steady_labels
from affectscope.datasets.corpus_twin import any_twin
from affectscope.datasets.wesad_questionnaire import read_questionnaire
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.array_pickle import read_array_pickle
from affectscope.io.files import shown
from affectscope.records import Modality, Signal

NAME = "wesad"
SAMPLING_RATE = 700.0
FILE_PATTERN = r"S([1-9][0-9]?)/S\1\.pkl"
CONDITION_RUNS: dict[int, tuple[str, ...]] = {
    1: ("baseline",),
    2: ("stress",),
    3: ("amusement",),
    4: ("meditation-1", "meditation-2"),
}
"""A label's conditions, in the order in which its runs come."""
CONTEXT = 5.0
"""Seconds kept before and after a run."""

_SCALE = (1.0, 9.0)
_SIGNALS: dict[Modality, tuple[str, str]] = {"ecg": ("ECG", "mV"), "eda": ("EDA", "uS")}
_SHORTEST_RUN = 10.0  # s


def open_wesad(folder: Path) -> Corpus:
    """WESAD in a folder: its folders may lie anywhere below it.

    Raises:
        InputError: E_CORPUS where no S2/S2.pkl is there.
    """
    people: dict[int, list[Path]] = {}
    for path, match in matching_files(folder, FILE_PATTERN):
        people.setdefault(int(match[1]), []).append(path)
    if not people:
        raise not_there(folder, "WESAD", "S2/S2.pkl to S17/S17.pkl")
    paths = {f"S{number}": found for number, found in sorted(people.items())}
    simulated = any_twin(path for found in paths.values() for path in found)

    def read_subject(subject_id: str) -> SubjectTrials:
        path = only_file(subject_id, paths[subject_id])
        return _read_subject(path, PersonTrials(subject_id, simulated))

    def subject_files(subject_id: str) -> tuple[Path, ...]:
        found = paths[subject_id]
        answers = [_questionnaire(path) for path in found]
        return (*found, *(path for path in answers if path.is_file()))

    return Corpus(NAME, folder, simulated, tuple(paths), read_subject, subject_files)


def _questionnaire(path: Path) -> Path:
    return path.with_name(f"{path.stem}_quest.csv")


def _read_subject(path: Path, person: PersonTrials) -> SubjectTrials:
    content = read_array_pickle(path)
    fields = content if isinstance(content, dict) else {}
    labels = _column(fields.get("label"))
    signal = fields.get("signal")
    chest = signal.get("chest") if isinstance(signal, dict) else None
    if labels is None or not isinstance(chest, dict):
        raise InputError(
            "E_CORPUS",
            f'{shown(path)} is no file of WESAD: it lacks "label" or the signals of the chest.',
            "Use the file as it was published.",
        )
    if fields.get("subject") != person.subject_id:
        person.note("W_CORPUS", f"{shown(path)} names another person than its folder.")
    person.exclude("", "W_MODALITY_ABSENT", "WESAD has no face video.", modality="face")
    felt = _felt(path, person)
    channels = {name: _channel(person, chest, name, len(labels)) for name in _SIGNALS}
    for condition, first, stop in _runs(person, labels):
        person.add(
            condition,
            steady_labels((stop - first) / SAMPLING_RATE, felt.get(condition, {})),
            signals={
                name: _piece(values, first, stop, _SIGNALS[name][1])
                for name, values in channels.items()
            },
        )
    return person.done()


def _felt(path: Path, person: PersonTrials) -> dict[str, dict[str, float]]:
    """Condition -> valence and arousal; empty where the questionnaire cannot be used."""
    try:
        rated = read_questionnaire(_questionnaire(path))
    except AffectScopeError as error:
        person.exclude_error("", error)
        return {}
    return {
        condition: {"valence": rating(valence, *_SCALE), "arousal": rating(arousal, *_SCALE)}
        for condition, (valence, arousal) in rated.items()
    }


def _column(value: object) -> NDArray[Any] | None:
    """(n,) of an array (n,) or (n, 1) of real numbers."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or not value.size:
        return None
    if value.ndim == 1 or (value.ndim == 2 and value.shape[1] == 1):
        return value.reshape(-1)
    return None


def _channel(
    person: PersonTrials, chest: Mapping[Any, object], name: Modality, samples: int
) -> NDArray[Any] | None:
    key = _SIGNALS[name][0]
    values = _column(chest.get(key))
    if values is None or len(values) != samples:
        sentence = f"The chest's {key} is missing or not as long as the labels."
        person.exclude("", "W_MODALITY_ABSENT", sentence, modality=name)
        return None
    return values


def _runs(person: PersonTrials, labels: NDArray[Any]) -> list[tuple[str, int, int]]:
    """Condition, first sample and sample after the last, in order of time."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = np.concatenate([[0], edges, [len(labels)]])
    shortest = _SHORTEST_RUN * SAMPLING_RATE
    found: list[tuple[str, int, int]] = []
    for label, conditions in CONDITION_RUNS.items():
        long_enough = (labels[bounds[:-1]] == label) & (np.diff(bounds) >= shortest)
        places = np.flatnonzero(long_enough)
        runs = [(int(bounds[place]), int(bounds[place + 1])) for place in places]
        if len(runs) != len(conditions):
            sentence = f"Label {label} has {len(runs)} runs of {_SHORTEST_RUN:g} s or more; known "
            person.note("W_CORPUS", f"{sentence}are {len(conditions)}. The longest are taken.")
        if len(runs) < len(conditions) and len(conditions) > 1:
            # Which of the two meditations is missing cannot be told.
            for condition in conditions:
                sentence = f"Which run is {condition} cannot be told."
                person.exclude(condition, "E_CORPUS", sentence)
            continue
        longest = sorted(runs, key=lambda run: run[0] - run[1])[: len(conditions)]
        found += [
            (condition, *run) for condition, run in zip(conditions, sorted(longest), strict=False)
        ]
    return sorted(found, key=lambda run: run[1])


def _piece(values: NDArray[Any] | None, first: int, stop: int, unit: str) -> Signal | None:
    if values is None:
        return None
    context = round(CONTEXT * SAMPLING_RATE)
    begin, end = max(0, first - context), min(len(values), stop + context)
    piece = np.array(values[begin:end], dtype=np.float64)
    piece[~np.isfinite(piece)] = np.nan
    return Signal(piece, SAMPLING_RATE, unit, (begin - first) / SAMPLING_RATE)
