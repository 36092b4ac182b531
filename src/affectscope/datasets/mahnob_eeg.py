"""The EEG in a MAHNOB-HCI session's BDF file.

Legend: S samples, C = 32 channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import SignalSource
from affectscope.io.edf import inspect_edf, read_edf
from affectscope.io.files import shown
from affectscope.preprocessing.units import to_millivolts
from affectscope.records import Eeg, Signal

SAMPLING_RATE = 256.0
EEG_CHANNELS = 32


def read_eeg(path: Path, *, onset: float, samples: int) -> Eeg:
    """The channels before EXG1, which has this many samples.

    Raises:
        InputError: E_CORPUS where they are not 32 alike; any code of ``read_edf``; E_UNIT.
    """
    names = [channel.name for channel in inspect_edf(path).channels]
    if [name.casefold() for name in names].index("exg1") != EEG_CHANNELS:
        raise InputError("E_CORPUS", f"{shown(path)} has not 32 channels before EXG1.")
    values = np.empty((samples, EEG_CHANNELS), order="F")
    for number in range(EEG_CHANNELS):
        data = read_edf(path, SignalSource(number + 1))
        if (len(data.values), data.sampling_rate) != (samples, SAMPLING_RATE):
            raise InputError("E_CORPUS", f"The EEG of {shown(path)} has not 256 Hz throughout.")
        stored = Signal(data.values, SAMPLING_RATE, data.unit or "none", 0.0)
        values[:, number] = 1000.0 * to_millivolts(stored).values
    return Eeg(values, tuple(names[:EEG_CHANNELS]), SAMPLING_RATE, -onset)
