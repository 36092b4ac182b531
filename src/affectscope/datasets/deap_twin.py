"""A small twin of DEAP: its files in their layout, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. It has as many trials as asked for; the EEG is a
repeated pattern that holds nothing; channels other than EEG, GSR and the pulse are zero; there are
no videos.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectscope.datasets.corpus_twin import TwinPerson, start_twin, write_bytes
from affectscope.datasets.deap import (
    BASELINE_SAMPLES,
    BVP,
    CHANNELS,
    EEG_CHANNELS,
    GSR,
    SAMPLES,
    SAMPLING_RATE,
)
from affectscope.datasets.python2_pickle import python2_pickle
from affectscope.datasets.twin_eeg import repeated_pattern
from affectscope.io.files import write_text

_OHM_MICROSIEMENS = 1e6


def write_deap_twin(folder: Path, *, people: int = 2, trials: int = 2, seed: int = 0) -> Path:
    """Write s01.dat ... and participant_ratings.csv into an empty folder; returns it.

    Raises:
        OutputError: E_OUTPUT.
    """
    start_twin(folder, "deap", {"people": people, "trials": trials, "seed": seed})
    rows = [
        "Participant_id,Trial,Experiment_id,Start_time,Valence,Arousal,Dominance,Liking,Familiarity"
    ]
    for number in range(1, people + 1):
        person = TwinPerson(number, seed)
        data = np.zeros((trials, CHANNELS, SAMPLES))
        brain = len(EEG_CHANNELS)
        pattern = repeated_pattern(round(SAMPLING_RATE), brain)
        data[:, :brain] = np.resize(pattern, (SAMPLES, brain)).T
        labels = np.empty((trials, 4))
        order = np.random.default_rng([seed % 2**63, number]).permutation(trials) + 1
        for trial in range(trials):
            valence, arousal = person.affect(trial)
            course = person.course(trial, SAMPLES / SAMPLING_RATE)
            ecg, eda = person.signals(course, SAMPLING_RATE)
            data[trial, GSR] = _OHM_MICROSIEMENS / eda[:SAMPLES]
            data[trial, BVP] = 1000.0 * np.convolve(ecg, np.hanning(40), "same")[:SAMPLES]
            rated = np.array([valence, arousal, 0.0, 0.5 * valence])
            labels[trial] = np.round(5.0 + 4.0 * rated, 2)
            start = 1_000_000 * (BASELINE_SAMPLES // 128 + 90 * int(order[trial]))
            cells = [number, order[trial], trial + 1, start, *labels[trial], 3]
            rows.append(",".join(map(str, cells)))
        path = folder / "data_preprocessed_python" / f"s{number:02d}.dat"
        write_bytes(path, python2_pickle({"labels": labels, "data": data}))
    table = "\n".join((*rows, ""))
    write_text(folder / "metadata" / "participant_ratings.csv", table)
    return folder
