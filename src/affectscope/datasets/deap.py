"""DEAP: 32 people, 40 music videos of one minute, peripheral signals and, for 22, face video.

Koelstra et al., "DEAP: a database for emotion analysis using physiological signals", IEEE Trans.
Affective Computing 3 (2012). Read are the preprocessed files for Python.

Layout:
    s01.dat ... s32.dat          pickle of Python 2: "data" (40 trials, 40 channels, 8064 samples at
                                 128 Hz), "labels" (40, 4): valence, arousal, dominance, liking, 1-9
    s01/s01_trial01.avi ...      face videos of s01 to s22
    participant_ratings.csv      Participant_id, Trial, Experiment_id, Start_time, Valence, ...

How a trial becomes a ``Recording``:
1. The first 3 s precede the stimulus: the GSR starts at -3 s; the stimulus, and its face video
   [unconfirmed], at 0 s.
2. The files' trials are in order of the stimulus (Experiment_id), which is the trial's id here. The
   videos are numbered in the order of presentation [unconfirmed]: without participant_ratings.csv,
   which holds both numbers, no video is used.
3. There is no ECG, only a blood volume pulse (channel 38 from 0), which is not used.
4. The GSR (channel 36) is a resistance in Ohm, says the corpus' readme. Values of zero or less are
   missing samples. Where the median is no resistance of skin, the trial has no EDA: it may be that
   the level was taken away in preprocessing [unconfirmed], and then no conductance can be known.
5. Emotions were not rated.
6. The EEG is as published: cleaned of eye movements, 4-45 Hz, average reference [unconfirmed].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.amigos_signals import slope_skewness
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.corpus_files import matching_files, not_there, only_file
from affectscope.datasets.corpus_trials import PersonTrials, rating, steady_labels
from affectscope.datasets.corpus_twin import any_twin
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.array_pickle import read_array_pickle
from affectscope.io.csv_layout import table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.files import shown
from affectscope.preprocessing.eda import PLAUSIBLE
from affectscope.records import Eeg, FloatArray, Signal, VideoTrack

NAME = "deap"
TRIALS, CHANNELS, SAMPLES = 40, 40, 8064
SAMPLING_RATE = 128.0
BASELINE_SAMPLES = 384
EEG_CHANNELS = ("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7",
                "PO3", "O1", "Oz", "Pz", "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4",
                "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2")  # fmt: skip
"""Channels 0 to 31, in the order that TorchEEG's list for this corpus has too."""
GSR, BVP = 36, 38
FILE_PATTERN = r"s0*([1-9][0-9]?)\.dat"
LABELS = ("valence", "arousal", "dominance", "liking")

_SCALE = (1.0, 9.0)
_BASELINE = BASELINE_SAMPLES / SAMPLING_RATE
_VIDEO_PATTERN = r"s0*([1-9][0-9]?)_trial0*([1-9][0-9]?)\.avi"
_RATINGS_PATTERN = r"participant_ratings\.csv"
_RATING_COLUMNS = ("participant_id", "trial", "experiment_id", "valence")
_AGREEMENT = 0.011  # of a rating; both files round it
_CLEAR_SKEWNESS = 0.5


@dataclass(frozen=True)
class _Files:
    persons: dict[str, list[Path]]
    videos: dict[tuple[str, int], list[Path]]
    ratings: tuple[Path, ...]
    simulated: bool


def open_deap(folder: Path) -> Corpus:
    """DEAP in a folder: its files may lie anywhere below it.

    Raises:
        InputError: E_CORPUS where no s01.dat is there.
    """
    persons: dict[int, list[Path]] = {}
    for path, match in matching_files(folder, FILE_PATTERN):
        persons.setdefault(int(match[1]), []).append(path)
    if not persons:
        raise not_there(folder, "DEAP", "s01.dat to s32.dat")
    videos: dict[tuple[str, int], list[Path]] = {}
    for path, match in matching_files(folder, _VIDEO_PATTERN):
        videos.setdefault((_subject(int(match[1])), int(match[2])), []).append(path)
    files = _Files(
        {_subject(number): paths for number, paths in sorted(persons.items())},
        videos,
        tuple(path for path, _ in matching_files(folder, _RATINGS_PATTERN)),
        any_twin(path for paths in persons.values() for path in paths),
    )

    def subject_files(subject_id: str) -> tuple[Path, ...]:
        shown_to = [path for (s, _), paths in sorted(videos.items()) if s == subject_id
                    for path in paths]  # fmt: skip
        return (*files.persons[subject_id], *shown_to, *(files.ratings if shown_to else ()))

    return Corpus(
        NAME,
        folder,
        files.simulated,
        tuple(files.persons),
        lambda subject_id: _read_subject(files, subject_id),
        subject_files,
    )


def _subject(number: int) -> str:
    return f"s{number:02d}"


def _read_subject(files: _Files, subject_id: str) -> SubjectTrials:
    path = only_file(subject_id, files.persons[subject_id])
    data, labels = _arrays(path)
    person = PersonTrials(subject_id, files.simulated)
    if data.shape[::2] != (TRIALS, SAMPLES):
        sentence = f"{data.shape[0]} trials of {data.shape[2]} samples; known are {TRIALS} of "
        person.note("W_CORPUS", f"{shown(path)} holds {sentence}{SAMPLES}.")
    sentence = "DEAP has no ECG, only a blood volume pulse at the finger, which is not used."
    person.exclude("", "W_MODALITY_ABSENT", sentence, modality="ecg")
    presented = _presented(files, person, labels)
    duration = data.shape[2] / SAMPLING_RATE - _BASELINE
    signals = []
    for index in range(len(data)):
        trial_id = str(index + 1)
        eda = _eda(person, trial_id, data[index, GSR])
        if eda is not None:
            signals.append(eda.values)
        stated = dict(zip(LABELS, map(float, labels[index]), strict=True))
        ratings = {name: rating(stated[name], *_SCALE) for name in LABELS}
        person.add(
            trial_id,
            steady_labels(duration, ratings),
            signals={"eda": eda},
            video=_video(files, person, presented.get(trial_id), trial_id, duration),
            eeg=_eeg(data[index]),
        )
    skewness = slope_skewness(signals, SAMPLING_RATE)
    if skewness > _CLEAR_SKEWNESS:
        person.note(
            "W_CORPUS",
            "The GSR is read as a resistance in Ohm, as the corpus says; the slope of its logarithm"
            f" (skewness {skewness:+.2f}) is rather that of a conductance. Check it.",
            "eda",
        )
    return person.done()


def _arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """data (n, 40, samples) and labels (n, 4). Raises InputError E_CORPUS for anything else."""
    content = read_array_pickle(path)
    fields = content if isinstance(content, dict) else {}
    data, labels = (_numbers(fields.get(name)) for name in ("data", "labels"))
    if (
        data.ndim == 3
        and data.shape[1] == CHANNELS
        and data.shape[2] > BASELINE_SAMPLES
        and labels.shape == (len(data), len(LABELS))
    ):
        return data, labels
    raise InputError(
        "E_CORPUS",
        f"{shown(path)} is no preprocessed file of DEAP: it lacks data (trials, 40, samples) or"
        " labels (trials, 4).",
        "Use data_preprocessed_python as it was published.",
    )


def _numbers(value: object) -> NDArray[Any]:
    """An array of real numbers, or nothing for whatever else stands there."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return value
    return np.empty(0)


def _eeg(trial: NDArray[Any]) -> Eeg:
    """Of a trial's (40, samples)."""
    values = trial[: len(EEG_CHANNELS)].T.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return Eeg(values, EEG_CHANNELS, SAMPLING_RATE, -_BASELINE)


def _eda(person: PersonTrials, trial_id: str, values: NDArray[Any]) -> Signal | None:
    """The trial's GSR as a resistance in Ohm, or why there is none."""
    ohm = values.astype(np.float64)
    ohm[~(np.isfinite(ohm) & (ohm > 0))] = np.nan
    share = float(np.isfinite(ohm).mean())
    middle = 1e6 / float(np.nanmedian(ohm)) if share else 0.0
    low, high = PLAUSIBLE
    if share < 0.5 or not low <= middle <= high:
        sentence = (
            f"The GSR of trial {trial_id} cannot be the resistance of skin in Ohm: "
            f"{100 * (1 - share):.0f} % of its values are not above zero, and the median of the "
            f"others would be {middle:.4g} uS. Without its level no conductance can be known."
        )
        person.exclude(trial_id, "E_EDA_IMPLAUSIBLE", sentence, modality="eda")
        return None
    return Signal(ohm, SAMPLING_RATE, "Ohm", -_BASELINE)


def _presented(files: _Files, person: PersonTrials, labels: NDArray[Any]) -> dict[str, int]:
    """Stimulus -> place in the order of presentation, by which videos are numbered."""
    if not any(subject_id == person.subject_id for subject_id, _ in files.videos):
        sentence = f"There are no face videos of {person.subject_id}."
        person.exclude("", "W_MODALITY_ABSENT", sentence, modality="face")
        return {}
    try:
        if not files.ratings:
            raise InputError(
                "E_CORPUS",
                "Face videos are numbered in the order of presentation, and participant_ratings.csv"
                ", which tells it, is not there; no video was used.",
            )
        table = _ratings(only_file("DEAP", files.ratings))
    except AffectScopeError as error:
        person.exclude_error("", error, modality="face")
        return {}
    mine = table[table[:, 0] == int(person.subject_id[1:])]
    found: dict[str, int] = {}
    for _, trial, experiment, valence in mine:
        index = int(experiment) - 1
        if not 0 <= index < len(labels):
            continue
        if abs(float(labels[index, 0]) - valence) > _AGREEMENT:
            sentence = f"participant_ratings.csv rates stimulus {index + 1} otherwise than the file"
            person.exclude(str(index + 1), "E_CORPUS", f"{sentence}'s labels.", modality="face")
            continue
        found[str(index + 1)] = int(trial)
    told = found.keys() | {exclusion.trial_id for exclusion in person.exclusions}
    for trial_id in map(str, range(1, len(labels) + 1)):
        if trial_id not in told:
            sentence = f"participant_ratings.csv does not tell when stimulus {trial_id} was shown."
            person.exclude(trial_id, "E_CORPUS", sentence, modality="face")
    return found


def _ratings(path: Path) -> FloatArray:
    """(rows, 4) participant, trial, experiment, valence; rows without numbers are left out."""
    layout = table_layout(path)
    names = [name.casefold() for name in layout.names]
    if not set(_RATING_COLUMNS) <= set(names):
        raise InputError(
            "E_CORPUS",
            f"{shown(path)} lacks one of the columns {', '.join(_RATING_COLUMNS)}.",
            "Use the corpus' own file.",
        )
    places = [names.index(name) for name in _RATING_COLUMNS]
    columns = read_columns(path, layout, columns=places, decimal=".", notices=[])
    table = np.column_stack(columns)
    return table[np.isfinite(table).all(axis=1)]


def _video(
    files: _Files, person: PersonTrials, place: int | None, trial_id: str, duration: float
) -> VideoTrack | None:
    if place is None:
        return None
    paths = files.videos.get((person.subject_id, place))
    if not paths:
        sentence = f"There is no face video of trial {trial_id} (presented as number {place})."
        person.exclude(trial_id, "W_MODALITY_ABSENT", sentence, modality="face")
        return None
    try:
        path = only_file(f"{person.subject_id}, trial {trial_id}", paths)
    except InputError as error:
        person.exclude_error(trial_id, error, modality="face")
        return None
    return person.video(trial_id, path, duration=duration)
