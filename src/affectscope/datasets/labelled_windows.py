"""Labelled recordings as one indexed set of training samples.

Faces lie in a file and are mapped, not loaded; signals are kept whole, and their overlapping
windows are cut when a batch asks for them.

Legend: N samples of a recording, M rows of a batch, W window samples, C crop size, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.window_dataset import StreamSettings, WindowStream, analyse_body
from affectscope.errors import SessionError
from affectscope.io.session import Session
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.records import TARGETS, BoolArray, FloatArray, Modality

Inputs = dict[Modality, NDArray[np.uint8] | NDArray[np.float32]]
Present = dict[Modality, BoolArray]


@dataclass(frozen=True, eq=False)
class LabelledRecording:
    """One recording's samples: times (N,), targets (N, T) float32 with NaN where not rated.

    ``faces`` (N, 3, C, C) uint8 or None; ``face_present`` (N,).
    """

    subject_id: str
    trial_id: str
    times: FloatArray
    targets: NDArray[np.float32]
    signals: dict[Modality, NetworkSignal]
    faces: NDArray[np.uint8] | None
    face_present: BoolArray


def collect_recording(
    session: Session,
    folder: Path,
    *,
    preprocessing: Preprocessing,
    rate: float,
    face_model: Callable[[], tuple[bytes, bytes]],
) -> LabelledRecording:
    """Walk through a labelled session and keep what training needs; faces go into ``folder``.

    Raises:
        SessionError: E_SESSION where the session holds no labels, or its video could not be read:
            a network must not learn from less than was asked for without anybody's notice.
    """
    recording = session.recording
    if recording.labels is None:
        raise SessionError(
            "E_SESSION",
            f"Session {recording.trial_id} of {recording.subject_id} has no labels to learn from.",
            "Name a table of the known affect under [labels] in session.toml.",
        )
    stream = WindowStream(
        recording=recording,
        body=analyse_body(recording),
        preprocessing=preprocessing,
        face_model=face_model,
        settings=StreamSettings(rate=rate, person=session.person),
    )
    times: list[FloatArray] = []
    face_present: list[BoolArray] = []
    path = folder / f"{len(list(folder.glob('*.faces'))):05d}.faces"
    with path.open("wb") as faces:
        for batch in stream:
            times.append(batch.times)
            face_present.append(batch.present_matrix[:, 0])
            if "face" in batch.inputs:
                faces.write(batch.inputs["face"].tobytes())
    lost = [notice for notice in stream.notices if notice.code.startswith("E_")]
    if lost:
        raise SessionError(
            "E_SESSION",
            f"Session {recording.trial_id} of {recording.subject_id} cannot be learnt from: "
            f"{lost[0].sentence}",
            "Mend it, or take its folder away.",
        )
    all_times = np.concatenate(times)
    size = preprocessing.crop_size
    return LabelledRecording(
        subject_id=recording.subject_id,
        trial_id=recording.trial_id,
        times=all_times,
        targets=recording.labels.at(all_times).astype(np.float32),
        signals=stream.signals(),
        faces=None
        if recording.video is None
        else np.memmap(path, np.uint8, mode="r", shape=(len(all_times), 3, size, size)),
        face_present=np.concatenate(face_present),
    )


class LabelledWindows:
    """Samples of several recordings behind one index, in recording and time order."""

    def __init__(self, recordings: Sequence[LabelledRecording], preprocessing: Preprocessing):
        self.recordings = tuple(recordings)
        self.preprocessing = preprocessing
        counts = [len(recording.times) for recording in recordings]
        self._recording = np.repeat(np.arange(len(counts)), counts)
        self._row = np.concatenate([np.arange(count) for count in counts])

    def __len__(self) -> int:
        return len(self._row)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in the set, once, in order."""
        return tuple(dict.fromkeys(recording.subject_id for recording in self.recordings))

    def batch(self, indices: NDArray[np.int64]) -> tuple[Inputs, Present, NDArray[np.float32]]:
        """Inputs, presence and targets (M, T) of M samples, in the order of ``indices``."""
        preprocessing, count = self.preprocessing, len(indices)
        size = preprocessing.crop_size
        inputs: Inputs = {
            "face": np.zeros((count, 3, size, size), dtype=np.uint8),
            "ecg": np.zeros((count, 1, preprocessing.window_samples), dtype=np.float32),
            "eda": np.zeros((count, 1, preprocessing.window_samples), dtype=np.float32),
        }
        present: Present = {name: np.zeros(count, dtype=np.bool_) for name in inputs}
        targets = np.zeros((count, len(TARGETS)), dtype=np.float32)
        owners, rows = self._recording[indices], self._row[indices]
        for owner in np.unique(owners):
            recording, here = self.recordings[owner], np.flatnonzero(owners == owner)
            targets[here] = recording.targets[rows[here]]
            if recording.faces is not None:
                inputs["face"][here] = recording.faces[rows[here]]
                present["face"][here] = recording.face_present[rows[here]]
            for name, signal in recording.signals.items():
                centres = recording.times[rows[here]]
                inputs[name][here], present[name][here] = cut_windows(
                    signal, centres, preprocessing
                )
        return inputs, present, targets
