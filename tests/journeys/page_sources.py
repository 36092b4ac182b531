"""Recordings to upload: real ones where they are on the machine, else a simulated person's."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from affectscope.errors import ModelError
from affectscope.io.model_files import face_model

VIDEO, SIGNALS = "canary-face.mp4", "canary-body.csv"


@dataclass(frozen=True)
class Sources:
    """Files to upload: a video with a face, and a table with the columns ECG and EDA.

    Attributes:
        simulated: whether a program made them.
        length: of the signals, in s; rate: Hz, which the table does not state.
        is_read: whether there is a model that finds the face.
    """

    folder: Path
    simulated: bool
    length: float
    rate: float
    is_read: bool


def real_sources(folder: Path, shared: Path) -> Sources:
    """A man's face (Pexels), and another person's ECG and EDA (NeuroKit), under canary names."""
    shutil.copyfile(shared / "faces" / "WolfgangLanger_Pexels.mp4", folder / VIDEO)
    shutil.copyfile(shared / "neurokit" / "bio_eventrelated_100hz.csv", folder / SIGNALS)
    try:
        face_model()
    except ModelError:
        return Sources(folder, False, 150.0, 100.0, False)
    return Sources(folder, False, 150.0, 100.0, True)


def simulated_sources(folder: Path) -> Sources:
    """The same, of a simulated person, where no real recordings are."""
    from affectscope.datasets.synthetic import (
        SyntheticSettings,
        synthetic_person,
        therapy_course,
        write_session,
    )

    settings = SyntheticSettings(sampling_rate=100.0, frame_rate=5.0)
    person, course = synthetic_person("simulated-01", 1), therapy_course(150.0, 1)
    made = write_session(folder / "made", person, course, settings=settings)
    (made / "face.mp4").rename(folder / VIDEO)
    lines = (made / "signals.csv").read_text().splitlines()
    columns = [",".join(line.split(",")[1:3]) for line in lines[1:]]
    (folder / SIGNALS).write_text("\n".join(["ECG,EDA", *columns]) + "\n")
    return Sources(folder, True, 150.0, 100.0, False)
