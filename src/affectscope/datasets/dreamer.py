"""DREAMER: 23 people, 18 film clips, ECG of two leads at 256 Hz, EEG; no EDA and no video.

Katsigiannis & Ramzan, "DREAMER: a database for emotion recognition through EEG and ECG signals from
wireless low-cost off-the-shelf devices", IEEE J. Biomed. Health Inform. 22 (2018).

Layout: one file ``DREAMER.mat`` (MATLAB v5) with the struct ``DREAMER``; its cell ``Data`` has one
struct per person: ``ECG.stimuli`` and ``ECG.baseline``, a cell per clip of (samples, 2 leads),
``EEG.stimuli`` and ``EEG.baseline`` likewise of (samples, 14 channels) at 128 Hz, and the columns
``ScoreValence``, ``ScoreArousal``, ``ScoreDominance`` with 1-5 per clip.

How a trial becomes a ``Recording``:
1. The baseline (61 s, a neutral clip) was recorded before the stimulus and stands apart. Whether
   the two join without a gap is nowhere said [unconfirmed], so only the stimulus is read, from 0 s.
2. The lead is chosen once per person by how much of it ``analyse_ecg`` can read; lead 1 unless lead
   2 is clearly better.
3. The file does not state the ECG's unit; the one is taken in which a heartbeat has a usual size.
4. The whole file is read once, when the corpus is opened; of it the stimuli's ECG and EEG and the
   ratings are kept. The EEG is kept as float32, exact to 0.0005 uV, which takes about 0.6 GB for
   all people.
5. An EEG that is not as long as its ECG, to the second, is left out, and told.

Liking and emotions as in the other corpora were not rated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import decimate

from affectscope.datasets.amigos_signals import choose_ecg
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.corpus_files import matching_files, not_there, only_file
from affectscope.datasets.corpus_trials import PersonTrials, rating, steady_labels
from affectscope.datasets.corpus_twin import any_twin
from affectscope.errors import InputError
from affectscope.io.files import shown
from affectscope.io.mat import read_mat
from affectscope.records import Eeg, FloatArray, Signal

NAME = "dreamer"
SAMPLING_RATE = 256.0
EEG_RATE = 128.0
EEG_CHANNELS = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8",
                "AF4")  # fmt: skip
CLIPS = 18
FILE_PATTERN = r"DREAMER\.mat"
SCORES = {"valence": "ScoreValence", "arousal": "ScoreArousal"}

_SCALE = (1.0, 5.0)
_IMPOSSIBLE = 1e12  # in whatever unit: no electrode gives it
_SAME_LENGTH = 1.0  # s
_LEADS = {"right": 0, "left": 1}  # of ``choose_ecg``, which keeps the first unless in doubt


@dataclass(frozen=True, eq=False)
class _Person:
    """Per clip: ECG (samples, 2) and EEG (samples, 14) or None; ratings, NaN where not rated."""

    ecg: tuple[FloatArray | None, ...]
    eeg: tuple[NDArray[np.float32] | None, ...]
    scores: dict[str, FloatArray]


def open_dreamer(folder: Path) -> Corpus:
    """DREAMER in a folder: DREAMER.mat may lie anywhere below it. It is read here, once.

    Raises:
        InputError: E_CORPUS where it is not there, or is no such file; any code of ``read_mat``.
    """
    paths = [path for path, _ in matching_files(folder, FILE_PATTERN)]
    if not paths:
        raise not_there(folder, "DREAMER", "DREAMER.mat")
    path = only_file("DREAMER", paths)
    people = _read_people(path)
    simulated = any_twin(paths)
    return Corpus(
        NAME,
        folder,
        simulated,
        tuple(people),
        lambda subject_id: _trials(people[subject_id], PersonTrials(subject_id, simulated)),
        lambda _: (path,),
    )


def _read_people(path: Path) -> dict[str, _Person]:
    content = read_mat(path, ["DREAMER"])["DREAMER"]
    if not isinstance(content, dict):
        raise _unfit(path, "DREAMER is no struct")
    stated = np.ravel(np.asarray(content.get("ECG_SamplingRate", SAMPLING_RATE)))
    if stated.dtype.kind not in "iuf" or not np.array_equal(stated, [SAMPLING_RATE]):
        raise _unfit(path, f"its ECG_SamplingRate is not {SAMPLING_RATE:g}")
    people = _cells(content.get("Data"))
    if not people:
        raise _unfit(path, "Data is no cell of people")
    return {f"S{number:02d}": _person(entry) for number, entry in enumerate(people, 1)}


def _person(entry: object) -> _Person:
    """What of a person's struct is needed; empty where it is not as known."""
    fields = entry if isinstance(entry, dict) else {}
    ecg, eeg = (
        [_channels(cell, count) for cell in _stimuli(fields.get(name))]
        for name, count in (("ECG", len(_LEADS)), ("EEG", len(EEG_CHANNELS)))
    )
    eeg += [None] * (len(ecg) - len(eeg))
    scores = {name: _numbers(fields.get(field)) for name, field in SCORES.items()}
    kept = tuple(None if values is None else values.astype(np.float32) for values in eeg)
    return _Person(tuple(ecg), kept, scores)


def _stimuli(recorded: object) -> list[Any]:
    return _cells(recorded.get("stimuli")) if isinstance(recorded, dict) else []


def _channels(value: object, count: int) -> FloatArray | None:
    """(samples, count), a copy, so that the file's memory can go; None for anything else."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return None
    if value.ndim != 2 or value.shape[1] != count or not len(value):
        return None
    channels = np.array(value, dtype=np.float64)
    channels[~(np.abs(channels) < _IMPOSSIBLE)] = np.nan
    return channels


def _cells(value: object) -> list[Any]:
    """A cell array, or an array of structs, as a list in MATLAB's order."""
    if isinstance(value, np.ndarray) and value.dtype == np.object_:
        return list(value.reshape(-1, order="F"))
    return [value] if isinstance(value, dict) else []


def _numbers(value: object) -> FloatArray:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return np.ravel(value).astype(np.float64)
    return np.empty(0)


def _trials(read: _Person, person: PersonTrials) -> SubjectTrials:
    sentence = "DREAMER has no skin conductance."
    person.exclude("", "W_MODALITY_ABSENT", sentence, modality="eda")
    person.exclude("", "W_MODALITY_ABSENT", "DREAMER has no face video.", modality="face")
    if len(read.ecg) != CLIPS:
        person.note("W_CORPUS", f"The file has {len(read.ecg)} clips; known are {CLIPS}.")
    lead, unit = _choice(read, person)
    without_eeg: list[str] = []
    for index, ecg in enumerate(read.ecg):
        trial_id = str(index + 1)
        if ecg is None:
            sentence = f"Clip {trial_id} has no ECG of two leads."
            person.exclude(trial_id, "W_MODALITY_ABSENT", sentence)
            continue
        duration = len(ecg) / SAMPLING_RATE
        ratings = {
            name: rating(float(column[index]), *_SCALE) if index < len(column) else np.nan
            for name, column in read.scores.items()
        }
        missing = int((~np.isfinite(ecg[:, lead])).sum())
        if missing or not unit:
            sentence = f"The ECG of clip {trial_id} has {missing} of {len(ecg)} samples missing."
            person.exclude(trial_id, "W_MISSING", sentence, modality="ecg")
            continue
        signal = Signal(ecg[:, lead].copy(), SAMPLING_RATE, unit, 0.0)
        eeg = _eeg(read.eeg[index], duration)
        if eeg is None:
            without_eeg.append(trial_id)
        person.add(trial_id, steady_labels(duration, ratings), signals={"ecg": signal}, eeg=eeg)
    if without_eeg:
        clips = ", ".join(without_eeg)
        person.note("W_CORPUS", f"No EEG of 14 channels, as long as the ECG, of the clips {clips}.")
    return person.done()


def _eeg(values: NDArray[np.float32] | None, duration: float) -> Eeg | None:
    if values is None or abs(len(values) / EEG_RATE - duration) > _SAME_LENGTH:
        return None
    return Eeg(values.astype(np.float64), EEG_CHANNELS, EEG_RATE, 0.0)


def _choice(read: _Person, person: PersonTrials) -> tuple[int, str]:
    """The lead (from 0) and its unit, told as a notice; unit "" where nothing can be judged."""
    whole = [ecg for ecg in read.ecg if ecg is not None and np.isfinite(ecg).all()]
    halved: list[NDArray[np.float64]] = [
        decimate(ecg, 2, axis=0) for ecg in whole if len(ecg) > SAMPLING_RATE
    ]
    choice = choose_ecg([ecg[:, 0].copy() for ecg in halved], [ecg[:, 1].copy() for ecg in halved])
    if choice is None:
        return 0, ""
    lead = _LEADS[choice.lead]
    first, second = (f"{100 * share:.0f} %" for share in choice.readable)
    person.note(
        "W_ASSUMED",
        f"ECG lead {lead + 1} was taken: {first} of lead 1 and {second} of lead 2 can be read. Its "
        f"unit is not stated; by its amplitude it is taken for {choice.unit}.",
        "ecg",
    )
    return lead, choice.unit


def _unfit(path: Path, what: str) -> InputError:
    return InputError(
        "E_CORPUS",
        f"{shown(path)} is no file of DREAMER: {what}.",
        "Use the file as it was published.",
    )
