"""A twin of AMIGOS on disk: its exact layout and its known defects, of simulated people.

THIS IS NO HUMAN DATA AND NO EVIDENCE ABOUT PEOPLE. The folder says so in TWIN.toml, which is
written first. What people feel and show: ``amigos_twin_affect``; signals and faces: ``synthetic``.

What differs from the corpus: videos have 640 x 360 pixels; the EEG is a repeated pattern that holds
nothing, unless asked for one that follows affect (``twin_eeg``); the GSR's quantity is a setting,
since it is not known of the corpus.

The folder holds TWIN.toml, Data_Preprocessed/ and Face_Videos/; where asked for, personality.csv as
well: traits that have nothing to do with anything else of the person.

Legend: T samples of a trial.
"""

from __future__ import annotations

import dataclasses
import io
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.amigos_layout import (
    BASELINE,
    CHANNELS,
    ECG_LEFT,
    ECG_RIGHT,
    EEG,
    EEG_CHANNELS,
    GSR,
    LONG_CLIPS,
    NO_LONG_RATINGS,
    NO_LONG_VIDEOS,
    ODD_VIDEOS,
    SAMPLING_RATE,
    SHORT_CLIPS,
    subject_name,
)
from affectscope.datasets.amigos_twin_affect import (
    TwinAffect,
    TwinTrial,
    draw_trial,
    generator_for,
    trial_duration,
)
from affectscope.datasets.amigos_twin_sensors import add_known_nan, gsr, left_noise
from affectscope.datasets.corpus import TWIN
from affectscope.datasets.personality import PERSONALITY_FILE, personality_table
from affectscope.datasets.synthetic import SyntheticPerson, synthetic_person
from affectscope.datasets.synthetic_face import face_course, frames, write_video
from affectscope.datasets.synthetic_signals import ecg_values, eda_values
from affectscope.datasets.twin_eeg import affect_eeg, repeated_pattern
from affectscope.errors import OutputError, SessionError
from affectscope.io.files import prepare_folder, shown, write_text, write_with
from affectscope.records import FloatArray

Progress = Callable[[int, int], None]
"""Called with the files written so far and those to be written in all."""

_ODD_LENGTHS = {"P11": 0.6, "P13": 1.4, "P39": 0.6}  # shares of the stimulus' length
_MAT_TEXT = b"MATLAB 5.0 MAT-file, simulated people, no human data".ljust(116)


@dataclass(frozen=True)
class TwinSettings:
    """What a twin holds.

    Attributes:
        participants: how many, P01 on, 1 to 40; ``numbers`` says which instead.
        numbers: the participants' numbers, 1 to 40; empty: 1 to ``participants``.
        seed: any whole number; the same settings give the same files.
        frame_rate: frames per second of the face videos, 1 to 60; the corpus has 25.
        clip_scale: every stimulus' length times this, 0.1 to 1; ranks are kept.
        long_videos: whether the four long clips are there; else nobody has data of them.
        face_clips: the clips that get a face video; None: all.
        effect: how strongly affect shows in face and body, 0 to 1.
        permuted: each person's ratings are dealt anew among the short clips, and among the long.
        gsr: what the GSR channel holds: a resistance in Ohm or a conductance in uS.
        noise: factor on all that is one person's or one moment's, 0 to 1 (``amigos_twin_affect``).
            With an effect of 1 and no noise, what is rated is what face and body show.
        designed: how far from 0 clips are meant to bring valence and arousal, 0 to 0.8.
        eeg: what the EEG carries: nothing, or affect by the rule of ``twin_eeg``.
        personality: whether personality.csv is there.

    Raises:
        SessionError: E_CONFIG for a value that is not allowed.
    """

    participants: int = 8
    numbers: tuple[int, ...] = ()
    seed: int = 0
    frame_rate: float = 25.0
    clip_scale: float = 1.0
    long_videos: bool = True
    face_clips: tuple[str, ...] | None = None
    effect: float = 0.5
    permuted: bool = False
    gsr: Literal["resistance", "conductance"] = "resistance"
    noise: float = 1.0
    designed: float = 0.3
    eeg: Literal["nothing", "affect"] = "nothing"
    personality: bool = False

    def __post_init__(self) -> None:
        _check("participants", self.participants, 1, 40)
        _check("frame_rate", self.frame_rate, 1.0, 60.0)
        _check("clip_scale", self.clip_scale, 0.1, 1.0)
        _check("effect", self.effect, 0.0, 1.0)
        _check("noise", self.noise, 0.0, 1.0)
        _check("designed", self.designed, 0.0, 0.8)
        for number in self.numbers:
            _check("a participant's number", number, 1, 40)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids in order."""
        numbers = self.numbers or range(1, self.participants + 1)
        return tuple(subject_name(number) for number in sorted(set(numbers)))

    @property
    def rules(self) -> TwinAffect:
        """How strongly affect shows."""
        return TwinAffect(self.effect, self.noise, self.designed)

    def clips_of(self, subject_id: str) -> tuple[str, ...]:
        """The clips of which a person has data."""
        has_long = self.long_videos and subject_id not in NO_LONG_VIDEOS
        return (*SHORT_CLIPS, *LONG_CLIPS) if has_long else SHORT_CLIPS


def write_amigos_twin(
    folder: Path,
    settings: TwinSettings,
    *,
    progress: Progress | None = None,
    workers: int = 1,
) -> Path:
    """Write a twin; returns the folder. A writer that was stopped goes on where it stood.

    ``workers``: processes that write files. One already keeps two cores busy (drawing and encoding
    run side by side): on two cores a second one gained 13 % at 25 frames per second.

    Raises:
        OutputError: E_OUTPUT where the folder cannot be written, or holds anything but the same
            twin.
    """
    _claim(folder, settings)
    if settings.personality:
        write_text(folder / PERSONALITY_FILE, personality_table(_traits(settings)))
    tasks = [
        (subject, clip) for subject in settings.subjects for clip in _files_of(settings, subject)
    ]
    missing = [task for task in tasks if not _path(folder, *task).is_file()]
    done = len(tasks) - len(missing)
    for _ in _written(folder, settings, missing, workers=workers):
        done += 1
        if progress is not None:
            progress(done, len(tasks))
    return folder


def _written(
    folder: Path, settings: TwinSettings, tasks: list[tuple[str, str]], *, workers: int
) -> Iterator[None]:
    """Yields once per file."""
    if workers <= 1:
        for subject_id, clip in tasks:
            _write(folder, settings, subject_id=subject_id, clip=clip)
            yield
        return
    # Torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        futures = [
            pool.submit(_write, folder, settings, subject_id=subject_id, clip=clip)
            for subject_id, clip in tasks
        ]
        for future in as_completed(futures):
            future.result()
            yield


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _files_of(settings: TwinSettings, subject_id: str) -> Iterator[str]:
    """The clips of a person's videos, then "" for the .mat file, so that it comes last."""
    for clip in settings.clips_of(subject_id):
        if settings.face_clips is None or clip in settings.face_clips:
            yield clip
    yield ""


def _path(folder: Path, subject_id: str, clip: str) -> Path:
    """As the corpus names its files: numbers in videos have no leading zero."""
    if not clip:
        return folder / "Data_Preprocessed" / f"Data_Preprocessed_{subject_id}.mat"
    return folder / "Face_Videos" / f"P{int(subject_id[1:])}_{clip}_face.mov"


def _write(folder: Path, settings: TwinSettings, *, subject_id: str, clip: str) -> None:
    path = _path(folder, subject_id, clip)
    if clip:
        _write_face(path, settings, subject_id=subject_id, clip=clip)
    else:
        _write_mat(path, settings, subject_id)


def _claim(folder: Path, settings: TwinSettings) -> None:
    """Mark the folder as a twin before anything lies in it that could be taken for people's data.

    Raises:
        OutputError: E_OUTPUT.
    """
    stated = {"simulated": True, "generator": __name__} | dataclasses.asdict(settings)
    lines = [f"{key} = {json.dumps(value)}" for key, value in stated.items() if value is not None]
    text = "# Simulated people: no human data.\n" + "\n".join(lines) + "\n"
    marker = folder / TWIN
    if folder.is_dir() and any(folder.iterdir()):
        if marker.is_file() and marker.read_text(encoding="utf-8", errors="replace") == text:
            return
        raise OutputError(
            "E_OUTPUT",
            f"{shown(folder)} is not empty and holds no twin of these settings.",
            "Name a new folder for the twin.",
        )
    prepare_folder(folder)
    write_text(marker, text)


def _person(settings: TwinSettings, subject_id: str) -> SyntheticPerson:
    seed = int(generator_for(settings.seed, subject_id, "traits").integers(2**62))
    return synthetic_person(subject_id, seed)


def _trial(settings: TwinSettings, subject_id: str, clip: str) -> TwinTrial:
    return draw_trial(
        clip,
        trial_duration(clip, settings.clip_scale),
        subject_id=subject_id,
        seed=settings.seed,
        rules=settings.rules,
    )


def _traits(settings: TwinSettings) -> dict[str, FloatArray]:
    """Each person's five traits, 1 to 7."""
    traits: dict[str, FloatArray] = {}
    for subject in settings.subjects:
        drawn = generator_for(settings.seed, subject, "personality").normal(4.5, 1.0, 5)
        traits[subject] = np.round(np.clip(drawn, 1.0, 7.0), 2).astype(np.float64)
    return traits


def _write_face(path: Path, settings: TwinSettings, *, subject_id: str, clip: str) -> None:
    trial, person = _trial(settings, subject_id, clip), _person(settings, subject_id)
    duration = trial.duration
    if (subject_id, clip) in ODD_VIDEOS:
        duration *= _ODD_LENGTHS[subject_id]
    times = np.arange(max(1, round(duration * settings.frame_rate))) / settings.frame_rate
    shown_course = face_course(
        person.face,
        trial.face,
        duration=duration,
        generator=generator_for(settings.seed, subject_id, clip, "face"),
    )
    batches = frames(
        person.face,
        shown_course,
        times=times,
        visible=np.ones(len(times), dtype=np.bool_),
        generator=generator_for(settings.seed, subject_id, clip, "camera"),
    )
    write_video(path, batches, settings.frame_rate)


def _write_mat(path: Path, settings: TwinSettings, subject_id: str) -> None:
    from scipy.io import savemat

    order = generator_for(settings.seed, subject_id, "order")
    # Long clips stay behind the short ones, so that the known defects hit short clips as they do.
    clips = [*order.permutation(SHORT_CLIPS).tolist(), *order.permutation(LONG_CLIPS).tolist()]
    present = settings.clips_of(subject_id)
    trials = {clip: _trial(settings, subject_id, clip) for clip in present}
    rated_as = _dealt(settings, subject_id)
    columns: dict[str, NDArray[Any]] = {
        name: np.empty((1, len(clips)), dtype=object)
        for name in ("VideoIDs", "joined_data", "labels_selfassessment", "labels_ext_annotation")
    }
    for cell, clip in enumerate(clips):
        columns["VideoIDs"][0, cell] = clip
        data, ratings, external = np.zeros((0, 0)), np.zeros((1, 0)), np.zeros((0, 0))
        if clip in present:
            data = _joined_data(settings, subject_id, trials[clip])
            add_known_nan(data, subject_id, cell)
            external = trials[clip].external
            if not (clip in LONG_CLIPS and subject_id in NO_LONG_RATINGS):
                ratings = trials[rated_as[clip]].ratings[None]
        columns["joined_data"][0, cell] = data
        columns["labels_selfassessment"][0, cell] = ratings
        columns["labels_ext_annotation"][0, cell] = external
    packed = io.BytesIO()
    savemat(packed, columns, do_compression=True)
    content = _MAT_TEXT + packed.getvalue()[len(_MAT_TEXT) :]  # SciPy writes the date there
    write_with(path, lambda stream: stream.write(content))


def _dealt(settings: TwinSettings, subject_id: str) -> dict[str, str]:
    """Clip -> the clip whose ratings it gets: its own, or another's of its kind if permuted."""
    own = {clip: clip for clip in (*SHORT_CLIPS, *LONG_CLIPS)}
    if settings.permuted:
        order = generator_for(settings.seed, subject_id, "permuted")
        for clips in (SHORT_CLIPS, LONG_CLIPS):
            own.update(zip(clips, order.permutation(clips).tolist(), strict=True))
    return own


def _joined_data(settings: TwinSettings, subject_id: str, trial: TwinTrial) -> FloatArray:
    """(T, 17) EEG, ECG right and left, GSR, from 5 s before the stimulus to its end."""
    person = _person(settings, subject_id)
    duration = BASELINE + trial.duration
    ecg, eda = (
        values(
            person.body,
            trial.body,
            duration=duration,
            sampling_rate=SAMPLING_RATE,
            generator=generator_for(settings.seed, subject_id, trial.clip, stream),
        )
        for stream, values in (("ecg", ecg_values), ("eda", eda_values))
    )
    own = generator_for(settings.seed, subject_id, trial.clip, "sensors")
    data = np.empty((len(ecg), CHANNELS), order="F")
    data[:, EEG] = _eeg(settings, subject_id, trial, samples=len(ecg))
    data[:, ECG_RIGHT] = np.round(ecg, 4)
    data[:, ECG_LEFT] = np.round(0.8 * ecg + left_noise(len(ecg), own), 4)
    data[:, GSR] = gsr(eda, settings.gsr, own)
    return data


def _eeg(settings: TwinSettings, subject_id: str, trial: TwinTrial, *, samples: int) -> FloatArray:
    """(T, 14) uV."""
    if settings.eeg == "nothing":
        pattern = repeated_pattern(round(SAMPLING_RATE), len(EEG_CHANNELS))
        return np.resize(pattern, (samples, len(EEG_CHANNELS)))
    values = affect_eeg(
        trial.body,
        EEG_CHANNELS,
        samples=samples,
        sampling_rate=SAMPLING_RATE,
        generator=generator_for(settings.seed, subject_id, trial.clip, "eeg"),
    )
    return np.round(values, 1)


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise SessionError(
            "E_CONFIG",
            f"{name} = {value} is not allowed for a twin of AMIGOS.",
            f"It must lie between {lowest:g} and {highest:g}.",
        )
