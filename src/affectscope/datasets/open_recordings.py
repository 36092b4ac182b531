"""ECG and EDA of people, published by others under open licences: what there is, how it is read.

All sources lie in one folder, each in a folder of its own:

===============  ===========================================================================
mitbih           NAME.npz: ``ecg_mv``, ``sampling_rate`` (360 Hz); MIT-BIH Arrhythmia Database
heartpy          NAME.csv: one column, mV; European ST-T (250 Hz), MIT-BIH noise stress (360 Hz)
neurokit         NAME.csv: a column per channel, mV and uS
plux             NAME.h5, NAME.txt: OpenSignals
biosppy          NAME.txt: converter counts of 12 bits
stress_predict   S01/EDA.csv ...: a wristband's export, 4 Hz, uS; see ``datasets.stress_predict``
===============  ===========================================================================

Where the sources are silent, and what we do:
1. mitbih and stress_predict say who is who. Record 118, to which heartpy's files add noise, is the
   same person as MIT-BIH's 118 and is called so. Of the others a recording's name stands for its
   person, and all of one stem count as one: that two of them are different people is not known.
2. biosppy's counts are taken for those of a biosignalsplux hub, whose transfer function
   ``io.opensignals_channels`` has. Networks see a signal scaled to [0, 1], whatever its gain.
3. plux' ECG at 10 Hz is left out: no beat can be seen at that rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from affectscope.errors import InputError
from affectscope.io.biosignals import RAW, SignalSource, read_signal
from affectscope.io.files import check_file, sha256
from affectscope.io.opensignals_channels import TRANSFER_FUNCTIONS
from affectscope.records import Recording, Signal

SignalName = Literal["ecg", "eda"]

COUNTS = 2.0**12
"""Steps of biosppy's converter."""


@dataclass(frozen=True)
class OpenSource:
    """Who published recordings, and under which licence."""

    name: str
    citation: str
    licence: str


@dataclass(frozen=True)
class OpenRecording:
    """One signal in one file.

    Attributes:
        source: a key of ``OPEN_SOURCES``, and the first part of ``path``.
        person: as the leak check knows them, "mitbih/100".
        path: of the file, below the folder that holds all sources.
        channel: what of the file, and what the file does not state.
    """

    source: str
    person: str
    path: str
    modality: SignalName
    channel: SignalSource

    @property
    def name(self) -> str:
        """The file without its ending, as tables show it."""
        return self.path.rsplit(".", 1)[0]

    def read(self, data: Path) -> Recording:
        """The signal as a recording of its person that holds nothing else.

        Raises:
            InputError: E_FILE_MISSING, and any code of a file that cannot be read.
        """
        check_file(data / self.path)
        signal = read_signal(data / self.path, self.channel)[0]
        if signal.unit == RAW:
            signal = _converted(signal, self.modality)
        found = Recording(self.person, self.name, simulated=False)
        return replace(found, ecg=signal) if self.modality == "ecg" else replace(found, eda=signal)

    def sha256(self, data: Path) -> str:
        """Of the file.

        Raises:
            InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE.
        """
        check_file(data / self.path)
        return sha256(data / self.path)


def _converted(signal: Signal, modality: SignalName) -> Signal:
    unit, transfer = TRANSFER_FUNCTIONS["hub", modality.upper()]
    return replace(signal, values=transfer(signal.values / COUNTS), unit=unit)


OPEN_SOURCES: Mapping[str, OpenSource] = {
    source.name: source
    for source in (
        OpenSource(
            "mitbih",
            "MIT-BIH Arrhythmia Database (PhysioNet); Moody and Mark, IEEE Engineering in Medicine "
            "and Biology Magazine 20(3), 2001",
            "ODC-BY 1.0",
        ),
        OpenSource(
            "heartpy",
            "paulvangentcom/heartrate_analysis_python ef48d23; records of the European ST-T "
            "Database and the MIT-BIH Noise Stress Test Database (PhysioNet)",
            "MIT; the records ODC-BY 1.0",
        ),
        OpenSource("neurokit", "NeuroKit's data (fork mixue-t/NeuroKit f2bb345)", "MIT"),
        OpenSource("plux", "pluxbiosignals/biosignalsnotebooks 0de354d", "MIT"),
        OpenSource("biosppy", "PIA-Group/BioSPPy 7755022", "BSD-3-Clause"),
        OpenSource(
            "stress_predict",
            "italha-d/Stress-Predict-Dataset f49d2ea; Iqbal et al., Sensors 22:8135, 2022",
            "MIT",
        ),
    )
}


def _ecg(path: str, channel: SignalSource, person: str = "") -> OpenRecording:
    return OpenRecording(path.split("/")[0], person or path.split(".")[0], path, "ecg", channel)


def _eda(path: str, channel: SignalSource, person: str = "") -> OpenRecording:
    return OpenRecording(path.split("/")[0], person or path.split(".")[0], path, "eda", channel)


_MITBIH = ("100", "102", "104", "106", "114", "116", "121", "123")
_NOISE_STRESS = ("118e00", "118e06", "118e12", "118e24")
_STRESS_PREDICT = tuple(f"S{number:02}" for number in range(1, 26))
_EVENTS = "neurokit/bio_eventrelated_100hz.csv"

OPEN_RECORDINGS: tuple[OpenRecording, ...] = (
    *(_ecg(f"mitbih/{each}.npz", SignalSource("ecg_mv", unit="mV")) for each in _MITBIH),
    *(
        _ecg(f"heartpy/{each}.csv", SignalSource(1, 360.0, "mV"), "mitbih/118")
        for each in _NOISE_STRESS
    ),
    *(
        _ecg(f"heartpy/{each}.csv", SignalSource(1, 250.0, "mV"))
        for each in ("e0103", "e0110", "e0124")
    ),
    _ecg(_EVENTS, SignalSource("ECG", 100.0, "mV")),
    _ecg("neurokit/bio_resting_5min_100hz.csv", SignalSource("ECG", 100.0, "mV")),
    _ecg("neurokit/ecg_1000hz.csv", SignalSource(1, 1000.0, "mV")),
    _ecg("neurokit/ecg_3000hz.csv", SignalSource(1, 3000.0, "mV")),
    _ecg("plux/ecg_5_min.h5", SignalSource(1)),
    _ecg("plux/ecg_4000_Hz.h5", SignalSource(1)),
    _ecg("plux/ecg_sample.h5", SignalSource(1)),
    _ecg("plux/ecg_20_sec_1000_Hz.h5", SignalSource(1), "plux/ecg_20_sec"),
    _ecg("plux/ecg_20_sec_100_Hz.h5", SignalSource(1), "plux/ecg_20_sec"),
    _ecg("biosppy/ecg.txt", SignalSource(1, 1000.0, RAW)),
    *(
        _eda(f"stress_predict/{each}/EDA.csv", SignalSource(1), f"stress_predict/{each}")
        for each in _STRESS_PREDICT
    ),
    _eda(_EVENTS, SignalSource("EDA", 100.0, "uS")),
    _eda("plux/eda_hot_surface.h5", SignalSource(1)),
    _eda("plux/eda_slow_signal.h5", SignalSource(1)),
    _eda("biosppy/eda.txt", SignalSource(1, 1000.0, RAW)),
)
"""All of them, in a fixed order: what is made of them can be made again."""


def open_recordings(modality: SignalName) -> tuple[OpenRecording, ...]:
    """Those of one signal."""
    return tuple(each for each in OPEN_RECORDINGS if each.modality == modality)


def in_folder(data: Path) -> Path:
    """The folder itself.

    Raises:
        InputError: E_CORPUS where it holds none of the sources.
    """
    if not any((data / name).is_dir() for name in OPEN_SOURCES):
        raise InputError(
            "E_CORPUS",
            f"'{data.name}' holds none of {', '.join(OPEN_SOURCES)}.",
            "Give the folder that holds the open recordings, each source in a folder of its own.",
        )
    return data
