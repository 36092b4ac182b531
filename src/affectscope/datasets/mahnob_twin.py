"""A small twin of MAHNOB-HCI: session.xml and BDF files in their layout, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. All stimuli have one length; the EEG is a
repeated pattern that holds nothing; channels other than EEG, ECG, GSR and Status are zero; there
are no videos.

Legend: C channels, R records of one second, P = 256 samples of a record.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.corpus_twin import TwinPerson, start_twin, write_bytes
from affectscope.datasets.mahnob import MARGIN
from affectscope.datasets.twin_eeg import repeated_pattern
from affectscope.io.files import write_text

RATE = 256
_EEG = ("Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3", "CP1", "CP5", "P7", "P3", "Pz", "PO3",
        "O1", "Oz", "O2", "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8", "FC6", "FC2", "F4", "F8",
        "AF4", "Fp2", "Fz", "Cz")  # fmt: skip
_LABELS = (
    *_EEG,
    *(f"EXG{n}" for n in range(1, 9)),
    "GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Temp", "Status",
)  # fmt: skip
_REST, _PULSE = 0x10000, 0x10010  # Status at rest and while the stimulus begins or ends
_PULSE_SAMPLES = 5
_DIGITAL = (-8388608, 8388607)
_MICROVOLTS = (-262144, 262143)
_NANOSIEMENS_PER_STEP = 0.0125
_CODES = (4, 5, 0, 11, 12, 1, 2, 3, 6)


def write_mahnob_twin(
    folder: Path, *, people: int = 2, clips: int = 2, duration: int = 20, seed: int = 0
) -> Path:
    """Write Sessions/<number>/ with session.xml and a BDF file into an empty folder; returns it.

    Args:
        duration: whole seconds of every stimulus; the corpus' clips have 35 to 117 s.

    Raises:
        OutputError: E_OUTPUT.
    """
    settings = {"people": people, "clips": clips, "duration": duration, "seed": seed}
    start_twin(folder, "mahnob", settings)
    for number in range(1, people + 1):
        person = TwinPerson(number, seed)
        for clip in range(clips):
            place = folder / "Sessions" / str(130 * (number - 1) + 2 * clip + 2)
            write_text(place / "session.xml", _xml(person, clip, duration, place.name))
            name = f"Part_{number}_S_Trial{clip + 1}_emotion.bdf"
            write_bytes(place / name, _bdf(_channels(person, clip, duration)))
    return folder


def _xml(person: TwinPerson, clip: int, duration: int, session: str) -> str:
    valence, arousal = (round(5 + 4 * value) for value in person.affect(clip))
    emotion = _CODES[clip % len(_CODES)]
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<session sessionId="{session}" experimentType="emotion elicitation" isStim="1"'
        f' feltEmo="{emotion}" feltArsl="{arousal}" feltCtrl="5" feltPred="5"'
        f' feltVlnc="{valence}" cutNr="{clip + 1}" cutLenSec="{duration}.000000"'
        f' vidRate="60.98" mediaFile="{clip + 50}.avi">\n'
        f'  <subject id="{person.number}" name="" gender="" comments="simulated"/>\n'
        f'  <track type="Physiological" filename="Part_{person.number}_S_Trial{clip + 1}'
        '_emotion.bdf"/>\n'
        "</session>\n"
    )


def _channels(person: TwinPerson, clip: int, duration: int) -> NDArray[np.int32]:
    """(C, samples) as stored: margins around the stimulus have the same affect."""
    seconds = duration + 2 * round(MARGIN)
    samples = seconds * RATE
    ecg, eda = person.signals(person.course(clip, float(seconds)), float(RATE))
    stored = np.zeros((len(_LABELS), samples), dtype=np.int32)
    drift = 500.0 * np.sin(np.arange(samples) / 300.0)  # common to all electrodes, uV
    step = (_MICROVOLTS[1] - _MICROVOLTS[0]) / (_DIGITAL[1] - _DIGITAL[0])
    for name, share in (("EXG1", -0.3), ("EXG2", 0.1), ("EXG3", 0.7)):
        microvolts = drift + share * 1000.0 * ecg[:samples]
        stored[_LABELS.index(name)] = np.rint(microvolts / step)
    brain = np.resize(repeated_pattern(RATE, len(_EEG)), (samples, len(_EEG)))
    stored[: len(_EEG)] = np.rint(brain.T / step)
    stored[_LABELS.index("GSR1")] = np.rint(1000.0 * eda[:samples] / _NANOSIEMENS_PER_STEP)
    status = stored[_LABELS.index("Status")]
    status[:] = _REST
    for at in (round(MARGIN), round(MARGIN) + duration):
        status[at * RATE : at * RATE + _PULSE_SAMPLES] = _PULSE
    return stored


def _bdf(stored: NDArray[np.int32]) -> bytes:
    """A BDF file of records of one second (biosemi.com)."""
    channels, samples = stored.shape
    records = samples // RATE
    header = b"\xffBIOSEMI" + b"".join(
        text.ljust(width).encode()
        for text, width in (
            ("simulated", 80), ("no human data", 80), ("01.01.09", 8), ("00.00.00", 8),
            (str(256 * (channels + 1)), 8), ("24BIT", 44), (str(records), 8), ("1", 8),
            (str(channels), 4),
        )
    )  # fmt: skip
    fields = [_fields(name) for name in _LABELS]
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    for column, width in enumerate(widths):
        header += b"".join(field[column].ljust(width).encode() for field in fields)
    by_record = stored.reshape(channels, records, RATE).transpose(1, 0, 2)
    parts = np.ascontiguousarray(by_record, dtype="<i4").view(np.uint8)
    return header + parts.reshape(-1, 4)[:, :3].tobytes()


def _fields(name: str) -> tuple[str, ...]:
    """One channel's header: label ... digital maximum, prefiltering, samples, reserved."""
    unit, low, high = "uV", *map(str, _MICROVOLTS)
    if name.startswith("GSR"):
        unit = "nS"
        low, high = (str(round(_NANOSIEMENS_PER_STEP * limit)) for limit in _DIGITAL)
    elif name == "Status":
        unit, low, high = "Boolean", *map(str, _DIGITAL)
    digital = tuple(map(str, _DIGITAL))
    return (name, "simulated", unit, low, high, *digital, "", str(RATE), "")
