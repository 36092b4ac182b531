"""A small twin of DREAMER: DREAMER.mat in its layout, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. It has as many clips as asked for, all of one
length; the EEG is a repeated pattern that holds nothing.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.corpus_twin import TwinPerson, start_twin, write_bytes
from affectscope.datasets.dreamer import EEG_CHANNELS, EEG_RATE, SAMPLING_RATE
from affectscope.datasets.twin_eeg import repeated_pattern

_BASELINE = 61.0  # s
_MICROVOLTS = 1000.0


def write_dreamer_twin(
    folder: Path, *, people: int = 2, clips: int = 2, duration: float = 20.0, seed: int = 0
) -> Path:
    """Write DREAMER.mat into an empty folder; returns it.

    Args:
        duration: seconds of every stimulus; the corpus' clips have 65 to 393 s.

    Raises:
        OutputError: E_OUTPUT.
    """
    from scipy.io import savemat

    settings = {"people": people, "clips": clips, "duration": duration, "seed": seed}
    start_twin(folder, "dreamer", settings)
    data = _cells([_person(TwinPerson(n, seed), clips, duration) for n in range(1, people + 1)])
    content = {
        "Data": data.reshape(1, -1),
        "EEG_SamplingRate": EEG_RATE,
        "ECG_SamplingRate": SAMPLING_RATE,
        "noOfSubjects": float(people),
        "noOfVideoSequences": float(clips),
        "Disclaimer": "Simulated people, no human data.",
    }
    packed = io.BytesIO()
    savemat(packed, {"DREAMER": content}, do_compression=True)
    write_bytes(folder / "DREAMER.mat", packed.getvalue())
    return folder


def _person(person: TwinPerson, clips: int, duration: float) -> dict[str, Any]:
    stimuli, baselines = [], []
    for clip in range(clips):
        stimuli.append(_leads(person, clip, duration))
        baselines.append(_leads(person, clip + 100, _BASELINE))
    affect = np.array([person.affect(clip) for clip in range(clips)])
    scores = np.clip(np.rint(3.0 + 2.0 * affect), 1.0, 5.0)
    pattern = repeated_pattern(round(EEG_RATE), len(EEG_CHANNELS))
    baseline, stimulus = (
        _cells([np.resize(pattern, (round(seconds * EEG_RATE), len(EEG_CHANNELS)))] * clips)
        for seconds in (_BASELINE, duration)
    )
    return {
        "Age": "30",
        "Gender": "simulated",
        "EEG": {"baseline": baseline, "stimuli": stimulus},
        "ECG": {"baseline": _cells(baselines), "stimuli": _cells(stimuli)},
        "ScoreValence": scores[:, :1],
        "ScoreArousal": scores[:, 1:],
        "ScoreDominance": np.full((clips, 1), 3.0),
    }


def _leads(person: TwinPerson, clip: int, duration: float) -> NDArray[np.float64]:
    """(samples, 2) in uV: the second lead is smaller and noisier."""
    ecg, _ = person.signals(person.course(clip, duration), SAMPLING_RATE)
    ecg = _MICROVOLTS * ecg[: round(duration * SAMPLING_RATE)]
    noise = np.random.default_rng([person.number, clip]).normal(0.0, 900.0, len(ecg))
    return np.column_stack([ecg, 0.6 * ecg + noise])


def _cells(values: list[Any]) -> NDArray[np.object_]:
    """(n, 1) cell array."""
    cells = np.empty((len(values), 1), dtype=np.object_)
    for index, value in enumerate(values):
        cells[index, 0] = value
    return cells
