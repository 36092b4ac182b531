"""A small twin of CASE: its csv files in their layout, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. Videos are short and of one length; channels
other than ECG and EDA are zero. The joystick follows the course of affect that moves the signals.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from affectscope.datasets.case import SAMPLING_RATE
from affectscope.datasets.corpus_twin import TwinPerson, start_twin
from affectscope.datasets.synthetic import random_course
from affectscope.io.files import write_with
from affectscope.records import FloatArray

_BETWEEN = 6  # s of blue screen, and of the start and the end
_START, _BLUE, _END = 10, 11, 12
_EVERY = 50  # samples of the signals for one of the joystick
_EMPTY = ("rsp", "skt", "emg_zygo", "emg_coru", "emg_trap")


def write_case_twin(
    folder: Path, *, people: int = 2, videos: int = 2, duration: int = 15, seed: int = 0
) -> Path:
    """Write data/interpolated/ into an empty folder; returns it.

    Args:
        videos: 1 to 8; each person sees them in an order of their own.
        duration: whole seconds of every video; the corpus' have 101 to 197 s.

    Raises:
        OutputError: E_OUTPUT.
    """
    settings = {"people": people, "videos": videos, "duration": duration, "seed": seed}
    start_twin(folder, "case", settings)
    data = folder / "data" / "interpolated"
    for number in range(1, people + 1):
        order = np.random.default_rng([seed % 2**63, number]).permutation(videos) + 1
        shown = np.concatenate(
            [
                np.full(_BETWEEN, _START),
                *(np.repeat([video, _BLUE], [duration, _BETWEEN]) for video in order),
                np.full(_BETWEEN, _END),
            ]
        ).repeat(round(SAMPLING_RATE))
        samples = len(shown)
        time = np.arange(samples, dtype=np.float64)
        course = random_course(samples / SAMPLING_RATE, seed * 1000 + number)
        ecg, eda = TwinPerson(number, seed).signals(course, SAMPLING_RATE)
        body = {"daqtime": time, "ecg": ecg[:samples], "bvp": np.full(samples, 35.0),
                "gsr": eda[:samples]}  # fmt: skip
        body |= {name: np.zeros(samples) for name in _EMPTY} | {"video": shown.astype(np.float64)}
        _write(data / "physiological" / f"sub_{number}.csv", body)
        at = time[::_EVERY]
        felt = {
            name: np.round(5.0 + 4.5 * np.interp(at / SAMPLING_RATE, course.times, values), 3)
            for name, values in (("valence", course.valence), ("arousal", course.arousal))
        }
        felt = {"jstime": at, **felt, "video": shown[::_EVERY].astype(np.float64)}
        _write(data / "annotations" / f"sub_{number}.csv", felt)
    return folder


def _write(path: Path, columns: dict[str, FloatArray]) -> None:
    import pyarrow
    from pyarrow import csv

    whole = ("daqtime", "jstime", "video")
    table = pyarrow.table(
        {
            name: values.astype(np.int64) if name in whole else np.round(values, 4)
            for name, values in columns.items()
        }
    )

    def write(stream: BinaryIO) -> None:
        csv.write_csv(table, stream, csv.WriteOptions(quoting_style="none"))

    write_with(path, write)
