"""One trial, prepared: how its entry in the cache is named, made and opened.

Legend: N rows of a trial, S samples of a signal, C crop size, T = 10 targets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.corpus import Exclusion
from affectscope.datasets.trial_body import write_body
from affectscope.datasets.window_dataset import (
    HIGHEST_RATE,
    StreamSettings,
    WindowStream,
    grid_length,
)
from affectscope.errors import ModelError, SessionError
from affectscope.io.model_files import FACE_MODEL
from affectscope.io.sealed_folder import write_sealed
from affectscope.preprocessing.eeg import eeg_power
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing
from affectscope.records import (
    MODALITIES,
    BoolArray,
    Eeg,
    ExcludedSpan,
    FloatArray,
    JsonObject,
    Modality,
    Notice,
    PersonChoice,
    Recording,
    Signal,
)

FACE_SHARE = 0.9
"""A trial keeps its face where it is seen in at least this share of the rows (METHOD.md 5)."""

_FORMAT = 3
"""Raised whenever the same input would be prepared differently; old entries are then not found."""

_NAMES = {"face": "face", "ecg": "ECG", "eda": "EDA"}


@dataclass(frozen=True)
class PreparedSettings:
    """How a corpus is prepared.

    Attributes:
        preprocessing: as the network's checkpoint will carry it.
        rate: rows per second of the labelled span, at most ``HIGHEST_RATE``. A video needs as many
            frames: a row whose nearest frame is more than half a step away has no face.
        faces: False leaves the videos unread.
        person: whom to follow in a video; not by a photo, which only a session has.
        excluded: spans that a session's user left out; nothing is learnt from them.

    Raises:
        SessionError: E_CONFIG for a rate, or E_PERSON for a rule, that is not allowed.
    """

    preprocessing: Preprocessing
    rate: float
    faces: bool
    person: PersonChoice = field(default_factory=PersonChoice)
    excluded: tuple[ExcludedSpan, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.rate <= HIGHEST_RATE:
            raise SessionError(
                "E_CONFIG",
                f"A corpus cannot be prepared at {self.rate} rows per second.",
                f"Choose more than 0 and at most {HIGHEST_RATE:g}.",
            )
        if self.person.rule == "photo":
            raise SessionError(
                "E_PERSON",
                "Nothing is learnt from a session whose person is found by a photo.",
                'State the person by boxes, person = "box": affectscope people SESSION --out DIR'
                " writes the lines for session.toml.",
            )


@dataclass(frozen=True, eq=False)
class PreparedTrial:
    """What training and evaluation need of one trial.

    Attributes:
        times: (N,) seconds on the trial's axis, from the labelled start on, 1 / rate apart.
        duration: seconds that are labelled.
        targets: (N, T) float32, NaN where not rated.
        signals: whole, with the context before the labelled span; a signal that is not usable in
            any row is absent.
        faces: (N, 3, C, C) uint8 in a file, zeros where no face was seen; None without a face.
        face_present: (N,) all False where ``faces`` is None.
        key: names the trial's content and settings, 64 hex digits.
    """

    subject_id: str
    trial_id: str
    times: FloatArray
    duration: float
    targets: NDArray[np.float32]
    signals: dict[Modality, NetworkSignal]
    faces: NDArray[np.uint8] | None
    face_present: BoolArray
    key: str


@dataclass(frozen=True, eq=False)
class TrialTask:
    """A trial to prepare into ``folder``; its recording has labels over some time."""

    recording: Recording
    settings: PreparedSettings
    folder: Path

    @property
    def span(self) -> tuple[float, float]:
        """The labelled span, seconds."""
        labels = self.recording.labels
        assert labels is not None
        return float(labels.times[0]), float(labels.times[-1])

    @property
    def rows(self) -> int:
        return grid_length(*self.span, self.settings.rate)


def trial_key(recording: Recording, settings: PreparedSettings, video_sha256: str | None) -> str:
    """sha256 over the settings and the content of everything that the entry is made from."""
    video, labels = recording.video, recording.labels
    assert labels is not None
    content = {
        "format": _FORMAT,
        "settings": asdict(settings),
        "subject": recording.subject_id,
        "trial": recording.trial_id,
        "simulated": recording.simulated,
        "video": None
        if video is None
        else [video_sha256, video.clock_offset, video.clock_rate, video.frame_rate],
        "face_model": [model.sha256 for model in FACE_MODEL] if video is not None else None,
        "ecg": _signal_identity(recording.ecg),
        "eda": _signal_identity(recording.eda),
        "eeg": _eeg_identity(recording.eeg),
        "labels": [_digest(labels.times), _digest(labels.values)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _signal_identity(signal: Signal | None) -> list[Any] | None:
    if signal is None:
        return None
    return [_digest(signal.values), signal.sampling_rate, signal.unit, signal.start_time]


def _eeg_identity(eeg: Eeg | None) -> list[Any] | None:
    if eeg is None:
        return None
    return [_digest(eeg.values), eeg.channels, eeg.sampling_rate, eeg.start_time]


def _digest(values: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()


def make_trial(
    task: TrialTask,
    face_model: tuple[bytes, bytes] | None,
    on_time: Callable[[float], None] = lambda _time: None,
) -> None:
    """Write the trial's entry. ``face_model`` None where there is no video.

    Raises:
        OutputError: E_OUTPUT.
        ModelError: the face model cannot be used.
    """

    def given() -> tuple[bytes, bytes]:
        assert face_model is not None
        return face_model

    def fill(folder: Path) -> JsonObject:
        stream = WindowStream(
            recording=task.recording,
            body=analyse_body(task.recording, task.settings.excluded),
            preprocessing=task.settings.preprocessing,
            face_model=given,
            settings=StreamSettings(
                rate=task.settings.rate,
                person=task.settings.person,
                span=task.span,
                excluded=task.settings.excluded,
            ),
            on_time=on_time,
        )
        return _fill(folder, task, stream)

    write_sealed(task.folder, fill)


def _fill(folder: Path, task: TrialTask, stream: WindowStream) -> JsonObject:
    """Write a trial's files; returns what is told of it in the manifest."""
    recording, labels = task.recording, task.recording.labels
    assert labels is not None
    times, quality = np.zeros(task.rows), np.zeros(task.rows, dtype=np.float32)
    present = np.zeros((task.rows, len(MODALITIES)), dtype=np.bool_)
    row = 0
    with (folder / "faces.npy").open("wb") as faces:
        _write_faces_header(faces, task)
        for batch in stream:
            here = slice(row, row + len(batch.keys))
            times[here], quality[here] = batch.times, batch.face_quality
            present[here] = batch.present_matrix
            if recording.video is not None:
                faces.write(np.asarray(batch.inputs["face"]).tobytes())
            row = here.stop
    assert row == task.rows
    notices = (*stream.body.notices, *stream.notices)
    _refuse_without_model(notices)
    if recording.video is None:
        (folder / "faces.npy").unlink()
    start, end = task.span
    np.save(folder / "times.npy", times)
    np.save(folder / "targets.npy", labels.at(times).astype(np.float32))
    np.save(folder / "face_present.npy", present[:, 0])
    np.save(folder / "face_quality.npy", quality)
    signals = stream.signals()
    for name, signal in signals.items():
        np.save(folder / f"{name}.npy", signal.values)
        np.save(folder / f"{name}_valid.npy", signal.valid)
    eeg = None if recording.eeg is None else eeg_power(recording.eeg)
    write_body(folder, stream.body, eeg)
    return {
        "subject_id": recording.subject_id,
        "trial_id": recording.trial_id,
        "duration": end - start,
        "signals": {
            name: {"sampling_rate": signal.sampling_rate, "start_time": signal.start_time}
            for name, signal in signals.items()
        },
        "recorded": list(recording.tracks),
        "usable": dict(zip(MODALITIES, present.mean(axis=0).tolist(), strict=True)),
        "notices": [asdict(notice) for notice in notices],
    }


def _write_faces_header(stream: BinaryIO, task: TrialTask) -> None:
    """Of a .npy file whose pictures follow one by one, so that they need not fit into memory."""
    size = task.settings.preprocessing.crop_size
    header = {"descr": "|u1", "fortran_order": False, "shape": (task.rows, 3, size, size)}
    np.lib.format.write_array_header_1_0(stream, header)


def _refuse_without_model(notices: tuple[Notice, ...]) -> None:
    """A missing program is no property of the recording, and must not be kept as one."""
    for notice in notices:
        if notice.code in ("E_EXTRA", "E_MODEL_MISSING", "E_MODEL_CHECKSUM"):
            raise ModelError(notice.code, notice.sentence)


@dataclass(frozen=True, eq=False)
class LoadedTrial:
    """An entry opened: the trial, or None where nothing of it is usable; and what to tell."""

    trial: PreparedTrial | None
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]


def load_trial(folder: Path, facts: JsonObject) -> LoadedTrial:
    """Open an entry whose files were checked; ``facts`` as its manifest has them."""
    who: tuple[str, str] = (facts["subject_id"], facts["trial_id"])
    notices = [Notice(**stored) for stored in facts["notices"]]
    lost = {name: _why_lost(facts, name, notices) for name in facts["recorded"]}
    exclusions = [
        Exclusion(*who, notice.code, notice.sentence, notice.modality)
        for notice in lost.values()
        if notice is not None
    ]
    kept: list[Modality] = [name for name, notice in lost.items() if notice is None]
    told = tuple(about(notice, *who) for notice in notices if notice not in lost.values())
    if not kept:
        sentence = "None of face, ECG and EDA holds usable data."
        exclusions.append(Exclusion(*who, "E_NO_USABLE_MODALITY", sentence))
        return LoadedTrial(None, tuple(exclusions), told)
    present: BoolArray = np.load(folder / "face_present.npy")
    trial = PreparedTrial(
        *who,
        times=np.load(folder / "times.npy"),
        duration=float(facts["duration"]),
        targets=np.load(folder / "targets.npy"),
        signals={name: _load_signal(folder, facts, name) for name in kept if name != "face"},
        faces=np.load(folder / "faces.npy", mmap_mode="r") if "face" in kept else None,
        face_present=present if "face" in kept else np.zeros_like(present),
        key=folder.name,
    )
    return LoadedTrial(trial, tuple(exclusions), told)


def _load_signal(folder: Path, facts: JsonObject, name: Modality) -> NetworkSignal:
    stated = facts["signals"][name]
    return NetworkSignal(
        np.load(folder / f"{name}.npy"),
        np.load(folder / f"{name}_valid.npy"),
        stated["sampling_rate"],
        stated["start_time"],
    )


def _why_lost(facts: JsonObject, name: Modality, notices: list[Notice]) -> Notice | None:
    """Why the trial goes on without a modality; None where it is kept."""
    share = float(facts["usable"][name])
    if share >= FACE_SHARE or (name != "face" and share > 0):
        return None
    for notice in notices:
        if notice.modality == name and notice.code.startswith("E_"):
            return notice
    if name == "face":
        sentence = (
            f"The face is seen in {100 * share:.1f} % of the trial, less than "
            f"{100 * FACE_SHARE:.0f} %."
        )
        return Notice("E_FACE_SHARE", sentence, name)
    sentence = f"No window of the {_NAMES[name]} holds enough samples that can be read."
    return Notice("E_SIGNAL_UNUSABLE", sentence, name)


def about(notice: Notice, subject_id: str, trial_id: str = "") -> Notice:
    """A notice whose sentence says whom and which trial it is about."""
    who = f"{subject_id}, {trial_id}" if trial_id else subject_id
    return replace(notice, sentence=f"{who}: {notice.sentence}")
