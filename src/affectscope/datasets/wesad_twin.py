"""A small twin of WESAD: S2/S2.pkl and S2_quest.csv in their layout, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. Conditions are short and of one length; of the
chest ECG and EDA hold something, everything else is zero.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.corpus_twin import TwinPerson, start_twin, write_bytes
from affectscope.datasets.python2_pickle import python2_pickle
from affectscope.datasets.wesad import SAMPLING_RATE
from affectscope.io.files import write_text

_RATE = round(SAMPLING_RATE)
_LABELS = {"Base": 1, "TSST": 2, "Medi 1": 4, "Fun": 3, "Medi 2": 4}
_ORDERS = (
    ("Base", "TSST", "Medi 1", "Fun", "Medi 2"),
    ("Base", "Fun", "Medi 1", "TSST", "Medi 2"),
)
_BETWEEN = 10  # s, label 0
_WRIST = {"ACC": (32, 3), "BVP": (64, 1), "EDA": (4, 1), "TEMP": (4, 1)}  # Hz, columns
_CHEST = {"ACC": 3, "EMG": 1, "Temp": 1, "Resp": 1}  # columns


def write_wesad_twin(folder: Path, *, people: int = 2, duration: int = 20, seed: int = 0) -> Path:
    """Write S2/, S3/ ... into an empty folder; returns it.

    Args:
        duration: whole seconds of every condition; the corpus' have 6 to 20 minutes.

    Raises:
        OutputError: E_OUTPUT.
    """
    start_twin(folder, "wesad", {"people": people, "duration": duration, "seed": seed})
    for number in range(1, people + 1):
        name = f"S{number + 1}"
        person, order = TwinPerson(number, seed), _ORDERS[number % len(_ORDERS)]
        write_bytes(folder / name / f"{name}.pkl", _pickle(name, person, order, duration))
        write_text(folder / name / f"{name}_quest.csv", _answers(name, person, order, duration))
    return folder


def _pickle(name: str, person: TwinPerson, order: tuple[str, ...], duration: int) -> bytes:
    ecg, eda, labels = [], [], []
    for place, condition in enumerate(order):
        seconds = duration + _BETWEEN
        both = person.signals(person.course(place, float(seconds)), SAMPLING_RATE)
        ecg.append(both[0][: seconds * _RATE])
        eda.append(both[1][: seconds * _RATE])
        marked = np.zeros(seconds * _RATE, dtype=np.int32)
        marked[_BETWEEN * _RATE :] = _LABELS[condition]
        labels.append(marked)
    label = np.concatenate(labels)
    seconds = len(label) // _RATE
    chest: dict[str, NDArray[np.float64]] = {
        key: np.zeros((len(label), columns)) for key, columns in _CHEST.items()
    }
    chest |= {"ECG": np.concatenate(ecg)[:, None], "EDA": np.concatenate(eda)[:, None]}
    wrist = {key: np.zeros((rate * seconds, columns)) for key, (rate, columns) in _WRIST.items()}
    return python2_pickle(
        {"signal": {"wrist": wrist, "chest": chest}, "label": label, "subject": name}
    )


def _answers(name: str, person: TwinPerson, order: tuple[str, ...], duration: int) -> str:
    starts = [_BETWEEN + place * (duration + _BETWEEN) for place in range(len(order))]
    lines = [
        f"# Subj;{name};;;;;;",
        ";".join(("# ORDER", *order, "bRead", "fRead")),
        ";".join(("# START", *map(_clock, starts), "0.0", "0.0")),
        ";".join(("# END", *(_clock(start + duration) for start in starts), "0.0", "0.0")),
        ";" * 7,
        *(["# PANAS;" + "1;" * 24] * len(order)),
        *(["# STAI;" + "1;" * 6] * len(order)),
    ]
    for place in range(len(order)):
        valence, arousal = (round(5 + 4 * value) for value in person.affect(place))
        lines.append(f"# DIM;{valence};{arousal};;;;;")
    return "\n".join((*lines, "# SSSQ;1;1;1;1;1;1", ""))


def _clock(seconds: int) -> str:
    """Minutes and seconds as the questionnaire writes them: 428 -> "7.08"."""
    return f"{seconds // 60}.{seconds % 60:02d}"
