"""AMIGOS: 40 people, 16 short and 4 long videos, ECG, GSR and face video, self-assessed.

The corpus is licensed to each researcher; this reads the researcher's own copy of the preprocessed
files. Layout and constants: ``amigos_layout``; what the files do not say: ``amigos_signals``.

How a trial becomes a ``Recording``:
1. Cells are known by ``VideoIDs``, never by their place.
2. The first 640 samples precede the stimulus: signals start at -5 s, the stimulus and its face
   video at 0 s [?]. The labels have two rows, at 0 s and at the stimulus' end.
3. Valence, arousal and liking are the self-assessment, 1-9 as [-1, 1]; the emotions are 0 or 1
   (happiness is joy). The file's order is arousal first; that of the external annotation is valence
   first.
4. A missing sample in the chosen ECG lead, or in the GSR after its first 20 samples, takes that
   modality out of that trial, never the person. What was found is compared with the list of known
   defects, and differences are told.
5. A face video more than 1 s longer or shorter than its stimulus is kept and flagged. The videos of
   the long clips seek badly: ``io.video.FrameReader`` decodes every video from its start. That a
   face is seen in at least ``FACE_SHARE`` of the frames can only be judged once faces are sought.
6. The EEG goes along with a trial that has something else; its missing samples stay NaN, so that
   only those spans are lost.
7. Whether the long videos were seen alone or in a group of four is not in these files, see
   ``read_long_settings``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.datasets.amigos_layout import (
    BASELINE,
    CLIP_GROUPS,
    EEG_CHANNELS,
    FACE_SHARE,
    KNOWN_NAN,
    LONG_CLIPS,
    NO_LONG_RATINGS,
    NO_LONG_VIDEOS,
    NOISY_GSR_SAMPLES,
    ODD_VIDEOS,
    QUADRANTS,
    SAMPLING_RATE,
    SEGMENTS,
    SHORT_CLIPS,
    AmigosFiles,
    AmigosTrial,
    find_files,
    listed,
    read_long_settings,
    read_trials,
    segment_times,
)
from affectscope.datasets.amigos_signals import (
    EcgChoice,
    EdaChoice,
    choose_ecg,
    choose_eda,
    guarded_gsr,
)
from affectscope.datasets.corpus import Corpus, Exclusion, SubjectTrials, scaled_rating
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.files import shown
from affectscope.io.video import inspect_video
from affectscope.records import (
    TARGETS,
    Eeg,
    FloatArray,
    Labels,
    Modality,
    Notice,
    Recording,
    Signal,
    VideoTrack,
)

__all__ = [
    "CLIP_GROUPS",
    "FACE_SHARE",
    "KNOWN_NAN",
    "LONG_CLIPS",
    "QUADRANTS",
    "SEGMENTS",
    "SHORT_CLIPS",
    "ExternalAnnotation",
    "Ratings",
    "open_amigos",
    "read_external",
    "read_long_settings",
    "read_ratings",
]

NAME = "amigos"
VIDEO_TOLERANCE = 1.0
"""Seconds by which a face video may differ from its stimulus."""

_SCALE = (1.0, 9.0)
_SELF_ASSESSMENT = ("arousal", "valence", "dominance", "liking", "familiarity", "neutral",
                    "disgust", "joy", "surprise", "anger", "fear", "sadness")  # fmt: skip
_RATED = ("valence", "arousal", "liking")


@dataclass(frozen=True, eq=False)
class ExternalAnnotation:
    """What outside raters saw in a trial.

    Attributes:
        times: (n, 2) start and end of each segment of 20 s, seconds of the stimulus [?].
        valence, arousal: (n,) about -1 to 1.
    """

    times: FloatArray
    valence: FloatArray
    arousal: FloatArray


@dataclass(frozen=True, eq=False)
class Ratings:
    """One trial's ratings alone: self-assessed targets (10,), NaN where not rated, and external."""

    trial_id: str
    targets: FloatArray
    external: ExternalAnnotation | None


def open_amigos(folder: Path) -> Corpus:
    """AMIGOS in a folder: its files may lie anywhere below it.

    Needed: ``Data_Preprocessed_P<number>.mat``; face videos ``P<number>_<clip>_face.mov`` where
    there are any. Numbers may have leading zeros; upper and lower case are alike.

    Raises:
        InputError: E_CORPUS where no such .mat file is there.
    """
    files = find_files(folder)

    def read_subject(subject_id: str) -> SubjectTrials:
        return _read_subject(files, subject_id)

    def subject_files(subject_id: str) -> tuple[Path, ...]:
        videos = [
            path for (s, _), paths in files.videos.items() if s == subject_id for path in paths
        ]
        return (*files.mats[subject_id], *videos)

    return Corpus(NAME, folder, files.is_twin, tuple(files.mats), read_subject, subject_files)


def read_ratings(corpus: Corpus, subject_id: str) -> tuple[Ratings, ...]:
    """A person's ratings of every clip that has any, in the order of the file; signals are skipped.

    A trial's length is not read, so the last external segment is placed by the number of segments.

    Raises:
        AffectScopeError: the person's file cannot be read.
    """
    path = find_files(corpus.folder).mat(subject_id)
    return tuple(
        Ratings(trial.clip, _targets(trial.ratings), _external(trial))
        for trial in read_trials(path, signals=False)
        if trial.clip and (len(trial.ratings) or len(trial.external))
    )


def read_external(corpus: Corpus, subject_id: str) -> dict[str, ExternalAnnotation]:
    """Trial -> what outside raters saw; trials without it are absent.

    Raises:
        AffectScopeError: the person's file cannot be read.
    """
    path = find_files(corpus.folder).mat(subject_id)
    found = ((trial.clip, _external(trial)) for trial in read_trials(path) if trial.clip)
    return {clip: external for clip, external in found if external is not None}


def _external(trial: AmigosTrial) -> ExternalAnnotation | None:
    count = len(trial.external)
    if not count:
        return None
    duration = trial.duration or 20.0 * (count - 1) + 5.0
    _, valence, arousal = trial.external.T.copy()
    return ExternalAnnotation(segment_times(count, duration), valence, arousal)


def _targets(ratings: FloatArray) -> FloatArray:
    """(10,) in the order of ``TARGETS`` from the file's (12,); NaN for what is out of range."""
    if len(ratings) != len(_SELF_ASSESSMENT):
        return np.full(len(TARGETS), np.nan)
    stated = dict(zip(_SELF_ASSESSMENT, ratings.tolist(), strict=True))
    values = [
        scaled_rating(stated[name], *_SCALE) if name in _RATED else stated[name] for name in TARGETS
    ]
    lowest = np.array([-1.0 if name in _RATED else 0.0 for name in TARGETS])
    array = np.array(values)
    return np.where((array >= lowest) & (array <= 1.0), array, np.nan)


@dataclass(frozen=True, eq=False)
class _Reading:
    """One person's cells and what was chosen for all of them."""

    files: AmigosFiles
    subject_id: str
    trials: list[AmigosTrial]
    gsr: dict[str, FloatArray]
    ecg_choice: EcgChoice | None
    eda_choice: EdaChoice | None

    def without(
        self, clip: str, code: str, sentence: str, modality: Modality | None = None
    ) -> Exclusion:
        return Exclusion(self.subject_id, clip, code, sentence, modality)


def _read_subject(files: AmigosFiles, subject_id: str) -> SubjectTrials:
    path = files.mat(subject_id)
    trials = read_trials(path)
    known = [trial for trial in trials if trial.clip]
    guarded = {trial.clip: guarded_gsr(trial.gsr) for trial in known}
    gsr = {clip: values for clip, (values, _) in guarded.items()}
    reading = _Reading(
        files,
        subject_id,
        known,
        gsr,
        choose_ecg([t.ecg_right for t in known], [t.ecg_left for t in known]),
        choose_eda(list(gsr.values())),
    )
    recordings, exclusions = [], []
    for trial in known:
        recording, left_out = _read_trial(reading, trial)
        exclusions += left_out
        if recording is not None:
            recordings.append(recording)
    if not recordings:
        raise InputError(
            "E_CORPUS",
            f"{shown(path)} holds no trial with both data and a self-assessment.",
            "Use the preprocessed files as they were published.",
        )
    impossible = sum(count for _, count in guarded.values())
    notices = [
        *(choice.notice() for choice in (reading.ecg_choice, reading.eda_choice) if choice),
        *_differences(subject_id, trials),
        *_impossible_gsr(impossible),
    ]
    return SubjectTrials(subject_id, tuple(recordings), tuple(exclusions), tuple(notices))


def _read_trial(reading: _Reading, trial: AmigosTrial) -> tuple[Recording | None, list[Exclusion]]:
    """The trial with what is usable of it, and what is not; None where nothing remains."""
    clip = trial.clip
    if not len(trial.gsr):
        sentence = f"Clip {clip} has no data (an array of the size {trial.shape})."
        return None, [reading.without(clip, "W_MODALITY_ABSENT", sentence)]
    targets = _targets(trial.ratings)
    if np.isnan(targets).all():
        sentence = f"Clip {clip} has no self-assessment."
        return None, [reading.without(clip, "W_NO_LABELS", sentence)]
    ecg, no_ecg = _ecg(reading, trial)
    eda, no_eda = _eda(reading, trial)
    video, no_video, notices = _video(reading, trial)
    exclusions = [*no_ecg, *no_eda, *no_video]
    if ecg is None and eda is None and video is None:
        return None, exclusions
    if np.isnan(targets).any():
        unrated = listed([name for name, value in zip(TARGETS, targets, strict=True)
                          if np.isnan(value)])  # fmt: skip
        sentence = f"Clip {clip}: {unrated} not rated, or out of range."
        notices.append(Notice("W_NO_LABELS", sentence))
    recording = Recording(
        subject_id=reading.subject_id,
        trial_id=clip,
        simulated=reading.files.is_twin,
        video=video,
        ecg=ecg,
        eda=eda,
        labels=Labels(np.array([0.0, trial.duration]), np.stack([targets, targets])),
        notices=tuple(notices),
        eeg=Eeg(trial.eeg, EEG_CHANNELS, SAMPLING_RATE, -BASELINE),
    )
    return recording, exclusions


def _ecg(reading: _Reading, trial: AmigosTrial) -> tuple[Signal | None, list[Exclusion]]:
    choice = reading.ecg_choice
    values = trial.ecg_left if choice and choice.lead == "left" else trial.ecg_right
    missing = int(np.isnan(values).sum())
    if missing or choice is None:
        sentence = f"The ECG of clip {trial.clip} has {missing} of {len(values)} samples missing."
        return None, [reading.without(trial.clip, "W_MISSING", sentence, "ecg")]
    return Signal(values, SAMPLING_RATE, choice.unit, -BASELINE), []


def _eda(reading: _Reading, trial: AmigosTrial) -> tuple[Signal | None, list[Exclusion]]:
    choice, values = reading.eda_choice, trial.gsr[NOISY_GSR_SAMPLES:]
    missing = int(np.isnan(values).sum())
    if missing or choice is None:
        sentence = f"The GSR of clip {trial.clip} has {missing} of {len(values)} samples missing."
        return None, [reading.without(trial.clip, "W_MISSING", sentence, "eda")]
    return Signal(reading.gsr[trial.clip], SAMPLING_RATE, choice.unit, -BASELINE), []


def _video(
    reading: _Reading, trial: AmigosTrial
) -> tuple[VideoTrack | None, list[Exclusion], list[Notice]]:
    key = (reading.subject_id, trial.clip)
    paths = reading.files.videos.get(key, ())
    if not paths:
        sentence = f"There is no face video of clip {trial.clip}."
        return None, [reading.without(trial.clip, "W_MODALITY_ABSENT", sentence, "face")], []
    if len(paths) > 1:
        sentence = f"There are {len(paths)} face videos of clip {trial.clip}; none was taken."
        return None, [reading.without(trial.clip, "E_CORPUS", sentence, "face")], []
    try:
        track = inspect_video(paths[0])
    except AffectScopeError as error:
        return None, [reading.without(trial.clip, error.code, error.sentence, "face")], []
    return track, [], _length_notices(key, track.duration, trial.duration)


def _length_notices(key: tuple[str, str], video: float, stimulus: float) -> list[Notice]:
    """A video of another length than its stimulus, told apart by whether that is known."""
    is_odd, is_known = abs(video - stimulus) > VIDEO_TOLERANCE, key in ODD_VIDEOS
    if is_odd:
        known = "This is known of it." if is_known else "This is not known of the corpus."
        sentence = (
            f"The face video of clip {key[1]} lasts {video:.1f} s and its stimulus "
            f"{stimulus:.1f} s. {known}"
        )
        return [Notice("W_VIDEO_LENGTH", sentence, "face")]
    if is_known:
        sentence = f"The face video of clip {key[1]} is known to have another length, and has not."
        return [Notice("W_CORPUS", sentence, "face")]
    return []


def _impossible_gsr(count: int) -> list[Notice]:
    if not count:
        return []
    sentence = f"{count} GSR samples are zero or less and count as missing."
    return [Notice("W_MISSING", sentence, "eda")]


def _differences(subject_id: str, trials: Sequence[AmigosTrial]) -> Iterator[Notice]:
    """Where the person's file differs from what is known of the corpus."""
    found = {
        "ecg": [
            t.cell for t in trials if np.isnan(t.ecg_right).any() or np.isnan(t.ecg_left).any()
        ],
        "eeg": [t.cell for t in trials if t.eeg_has_nan],
        "eda": [t.cell for t in trials if np.isnan(t.gsr).any()],
    }
    modalities: dict[str, Modality] = {"ecg": "ecg", "eda": "eda"}
    for name, cells in found.items():
        known = list(KNOWN_NAN[name].get(subject_id, ()))
        if cells != known:
            sentence = (
                f"{name.upper()} samples are missing in the cells {listed(cells) or 'none'} of the "
                f"file (from 0); known are {listed(known) or 'none'}."
            )
            yield Notice("W_CORPUS", sentence, modalities.get(name))
    unknown = [trial.cell for trial in trials if not trial.clip]
    if unknown:
        sentence = f"VideoIDs has no known clip in the cells {listed(unknown)}; they are left out."
        yield Notice("W_CORPUS", sentence)
    yield from _clip_differences(subject_id, trials)


def _clip_differences(subject_id: str, trials: Sequence[AmigosTrial]) -> Iterator[Notice]:
    clips = {trial.clip for trial in trials}
    absent = [clip for clip in (*SHORT_CLIPS, *LONG_CLIPS) if clip not in clips]
    if absent:
        yield Notice("W_CORPUS", f"The file has no cell for the clips {listed(absent)}.")
    has_long = any(len(t.gsr) for t in trials if t.clip in LONG_CLIPS)
    if has_long == (subject_id in NO_LONG_VIDEOS):
        told = "has data of" if has_long else "has no data of"
        yield Notice("W_CORPUS", f"{subject_id} {told} the long videos, other than is known.")
    rated = any(len(t.ratings) for t in trials if t.clip in LONG_CLIPS)
    if has_long and rated == (subject_id in NO_LONG_RATINGS):
        told = "has" if rated else "has no"
        yield Notice(
            "W_CORPUS", f"{subject_id} {told} ratings of the long videos, not as is known."
        )
