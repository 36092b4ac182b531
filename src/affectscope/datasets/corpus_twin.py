"""What the small twins of corpora share: the mark that they bear, and simulated people in them.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. A twin's folder says so in TWIN.toml.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.datasets.corpus import TWIN
from affectscope.datasets.synthetic import (
    AffectCourse,
    SyntheticPerson,
    SyntheticSettings,
    synthetic_person,
    synthetic_recording,
)
from affectscope.errors import OutputError
from affectscope.io.files import prepare_folder, shown, write_text, write_with
from affectscope.records import FloatArray

_COURSE_STEP = 0.1  # s


def any_twin(paths: Iterable[Path]) -> bool:
    """Whether a file lies in a twin, however far below or above the folder that was named."""
    folders = {parent for path in paths for parent in path.absolute().parents}
    return any((folder / TWIN).is_file() for folder in folders)


def start_twin(folder: Path, generator: str, settings: Mapping[str, int | float | str]) -> None:
    """Make the folder and mark it, before anything else is written into it.

    Raises:
        OutputError: E_OUTPUT where the folder cannot be written, or holds something already: a mark
            must never lie over recordings of people.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            "E_OUTPUT",
            f"{shown(folder)} is not empty, and a twin needs a folder of its own.",
            "Name a new folder for the twin.",
        )
    prepare_folder(folder)
    lines = ["simulated = true", f"generator = {json.dumps(generator)}", "", "[settings]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    write_text(folder / TWIN, "\n".join((*lines, "")))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of the twin, whole or not at all."""
    write_with(path, lambda stream: stream.write(content))


@dataclass(frozen=True)
class TwinPerson:
    """A simulated person of a twin: the number counts from 1."""

    number: int
    seed: int

    @property
    def synthetic(self) -> SyntheticPerson:
        return synthetic_person(f"simulated-{self.number}", self.seed * 1000 + self.number)

    def affect(self, trial: int) -> tuple[float, float]:
        """Valence and arousal in [-0.9, 0.9] that the person has throughout a trial."""
        generator = np.random.default_rng([self.seed % 2**63, self.number, trial])
        valence, arousal = generator.uniform(-0.9, 0.9, 2)
        return float(valence), float(arousal)

    def course(self, trial: int, duration: float) -> AffectCourse:
        """That affect as a course of ``duration`` s."""
        times = np.arange(0.0, duration + _COURSE_STEP, _COURSE_STEP)
        valence, arousal = (np.full(len(times), value) for value in self.affect(trial))
        return AffectCourse(times, valence, arousal, seed=self.seed * 1000 + trial)

    def signals(self, course: AffectCourse, sampling_rate: float) -> tuple[FloatArray, FloatArray]:
        """ECG in mV and EDA in uS over a course."""
        settings = SyntheticSettings(sampling_rate=sampling_rate)
        recording = synthetic_recording(self.synthetic, course, settings=settings)
        assert recording.ecg is not None
        assert recording.eda is not None
        return recording.ecg.values, recording.eda.values
