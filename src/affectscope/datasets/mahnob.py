"""MAHNOB-HCI, emotion elicitation: 27 people, 20 film clips, ECG, GSR and face video.

Soleymani, Lichtenauer, Pun, Pantic, "A multimodal database for affect recognition and implicit
tagging", IEEE Trans. Affective Computing 3 (2012).

Layout, one folder per session::

    Sessions/10/session.xml                       see ``mahnob_session``
    Sessions/10/Part_1_S_Trial5_emotion.bdf       256 Hz: 32 EEG, EXG1-3 (ECG), GSR1, Status ...
    Sessions/10/P1-Rec1-..._C1 trigger_..._Section_10.avi   face, colour, from the front

How a session becomes a ``Recording``; the trial's id is the clip's file name without its ending:
1. The channel Status has two pulses, where the stimulus begins and ends; where it has not, the
   published margins of 30 s before and after it are assumed, and told (W_ASSUMED). What was
   recorded before and after the stimulus is kept as context.
2. ECG electrodes stand alone in the file, so a lead is the difference of two. It is chosen once per
   person by how much of it ``analyse_ecg`` can read.
3. The GSR's unit is the header's if it is one of conductance or resistance and gives a plausible
   level. Otherwise quantity and unit are chosen by a test on the data and told (W_ASSUMED), or
   there is no EDA where the test does not decide (``amigos_signals.choose_eda``).
4. feltVlnc and feltArsl are 1-9. feltEmo is one keyword: 0 neutral, 1 anger, 2 disgust, 3 fear,
   4 joy, 5 sadness, 6 surprise; 11 amusement and 12 anxiety are none of the seven, and leave joy
   and fear unrated, to which they are near.
5. The face video begins with the stimulus, or with the recording 30 s before it [unconfirmed]: its
   length tells which. A video of another length is left out. Its sound gives a finer alignment,
   which is not used.
6. The EEG is the 32 channels before EXG1, under the file's names, as stored: against the
   amplifier's own reference, with its offsets. Where there are not 32 voltages at 256 Hz, the trial
   has none, and that is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affectscope.datasets.amigos_signals import choose_eda
from affectscope.datasets.corpus import Corpus, SubjectTrials
from affectscope.datasets.corpus_files import matching_files, not_there, only_file
from affectscope.datasets.corpus_trials import PersonTrials, rating, steady_labels
from affectscope.datasets.corpus_twin import any_twin
from affectscope.datasets.mahnob_eeg import SAMPLING_RATE, read_eeg
from affectscope.datasets.mahnob_session import MahnobSession, read_session
from affectscope.errors import AffectScopeError, InputError
from affectscope.io.biosignals import signal_kind
from affectscope.io.channels import ChannelData, SignalSource
from affectscope.io.edf import read_edf
from affectscope.io.files import shown
from affectscope.io.video import inspect_video
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.preprocessing.eda import PLAUSIBLE
from affectscope.preprocessing.units import to_microsiemens
from affectscope.records import EMOTIONS, Eeg, FloatArray, Notice, Signal, VideoTrack

NAME = "mahnob"
SESSION_PATTERN = r"[^/]+/session\.xml"
MARGIN = 30.0
"""Seconds recorded before and after the stimulus."""

EMOTION_CODES = {0: "neutral", 1: "anger", 2: "disgust", 3: "fear", 4: "joy", 5: "sadness",
                 6: "surprise"}  # fmt: skip
_NEAR = {11: "joy", 12: "fear"}
_SCALE = (1.0, 9.0)
_LEADS = (("EXG3", "EXG1"), ("EXG2", "EXG1"), ("EXG3", "EXG2"))
_CLEARLY_BETTER = 0.02  # share of readable time
_JUDGED = 3  # trials
_JUDGED_SECONDS = 60.0
_TRIGGER_BITS, _LARGEST_CODE = 0xFFFF, 1 << 24
_LENGTH_TOLERANCE = 2.0  # s


@dataclass(frozen=True, eq=False)
class _Trial:
    """A session's signals: electrodes by name (samples,), GSR in the header's unit, EEG, its span.

    ``onset`` and ``duration``: of the stimulus, seconds from the recording's start.
    """

    session: MahnobSession
    rate: float
    electrodes: dict[str, FloatArray]
    unit: str
    gsr: ChannelData | None
    eeg: Eeg | None
    onset: float
    duration: float
    notices: tuple[Notice, ...]


def open_mahnob(folder: Path) -> Corpus:
    """MAHNOB-HCI in a folder: its sessions may lie anywhere below it.

    A session.xml that cannot be read is told in everybody's notices: whose it is, is not known.

    Raises:
        InputError: E_CORPUS where no session of the emotion elicitation experiment is there.
    """
    sessions: dict[str, list[MahnobSession]] = {}
    unread: list[Notice] = []
    for path, _ in matching_files(folder, SESSION_PATTERN):
        try:
            session = read_session(path)
        except AffectScopeError as error:
            unread.append(Notice("W_CORPUS", f"A session is left out. {error.sentence}"))
            continue
        if session is not None:
            sessions.setdefault(_subject(session.subject_id), []).append(session)
    if not sessions:
        raise not_there(folder, "MAHNOB-HCI", "<number>/session.xml with feltVlnc and feltArsl")
    simulated = any_twin(
        session.folder / "session.xml" for found in sessions.values() for session in found
    )

    def read_subject(subject_id: str) -> SubjectTrials:
        person = PersonTrials(subject_id, simulated, notices=list(unread))
        return _read_subject(person, sessions[subject_id])

    def subject_files(subject_id: str) -> tuple[Path, ...]:
        return tuple(
            path
            for session in sessions[subject_id]
            for path in (session.folder / "session.xml", *_bdfs(session), *_videos(session))
        )

    return Corpus(NAME, folder, simulated, tuple(sorted(sessions)), read_subject, subject_files)


def _subject(stated: str) -> str:
    return f"P{int(stated):02d}" if stated.isascii() and stated.isdigit() else stated


def _bdfs(session: MahnobSession) -> list[Path]:
    return [path for path, _ in matching_files(session.folder, r"part_.*_emotion\.bdf")]


def _videos(session: MahnobSession) -> list[Path]:
    """The front camera's video, or every one where none says that it is."""
    found = [path for path, _ in matching_files(session.folder, r"p[0-9]+-rec[0-9]+-.*\.avi")]
    return [path for path in found if "_C1 trigger" in path.name] or found


def _read_subject(person: PersonTrials, sessions: Sequence[MahnobSession]) -> SubjectTrials:
    seen = Counter(session.clip for session in sessions)
    trials = []
    for session in sessions:
        if seen[session.clip] > 1:
            sentence = f"Clip {session.clip} was seen {seen[session.clip]} times; none was taken."
            person.exclude(session.clip, "E_CORPUS", sentence)
            continue
        trial = _read_trial(person, session)
        if trial is not None:
            trials.append(trial)
    lead = _choose_lead(person, trials)
    unit = _choose_gsr_unit(person, trials)
    for trial in trials:
        session = trial.session
        person.add(
            session.clip,
            steady_labels(trial.duration, _ratings(person, session)),
            signals={"ecg": _ecg(person, trial, lead), "eda": _eda(person, trial, unit)},
            video=_video(person, trial),
            notices=trial.notices,
            eeg=trial.eeg,
        )
    return person.done()


def _read_trial(person: PersonTrials, session: MahnobSession) -> _Trial | None:
    bdfs = _bdfs(session)
    if not bdfs:
        sentence = f"The session of clip {session.clip} has no recording Part_..._emotion.bdf."
        person.exclude(session.clip, "W_MODALITY_ABSENT", sentence)
        return None
    try:
        path = only_file(session.clip, bdfs)
        if signal_kind(path) != "bdf":
            raise InputError("E_TYPE_MISMATCH", f"{shown(path)} is no BDF recording.")
        electrodes = {name: read_edf(path, SignalSource(name)) for name in ("EXG1", "EXG2", "EXG3")}
    except AffectScopeError as error:
        person.exclude_error(session.clip, error)
        return None
    first = electrodes["EXG1"]
    rate, count = first.sampling_rate or 0.0, len(first.values)
    if rate != SAMPLING_RATE or any(
        (len(data.values), data.unit) != (count, first.unit) for data in electrodes.values()
    ):
        sentence = (
            f"The electrodes of clip {session.clip} differ in length or unit, or have not 256 Hz."
        )
        person.exclude(session.clip, "E_CORPUS", sentence)
        return None
    gsr = None
    try:
        gsr = read_edf(path, SignalSource("GSR1"))
    except AffectScopeError as error:
        person.exclude_error(session.clip, error, modality="eda")
    span, notices = _stimulus(path, session, count / rate)
    if span is None:
        sentence = f"The recording of clip {session.clip} has only {count / rate:.1f} s."
        person.exclude(session.clip, "E_CORPUS", sentence)
        return None
    eeg = None
    try:
        eeg = read_eeg(path, onset=span[0], samples=count)
    except InputError as error:
        sentence = f"Clip {session.clip} is read without its EEG. {error.sentence}"
        notices.append(Notice("W_CORPUS", sentence))
    return _Trial(
        session,
        rate,
        {name: data.values for name, data in electrodes.items()},
        first.unit or "",
        gsr,
        eeg,
        *span,
        (*first.notices, *notices),
    )


def _stimulus(
    path: Path, session: MahnobSession, recorded: float
) -> tuple[tuple[float, float] | None, list[Notice]]:
    """Onset and duration of the stimulus in the recording, s; None where it does not fit in."""
    begins = _pulses(path)
    if len(begins) == 2:
        span = begins[0], begins[1] - begins[0]
        notices = []
    else:
        span = MARGIN, recorded - 2 * MARGIN
        sentence = (
            f"Clip {session.clip}: Status has {len(begins)} pulses and not two; the stimulus is "
            f"taken to begin {MARGIN:g} s after the recording and to end {MARGIN:g} s before its "
            "end."
        )
        notices = [Notice("W_ASSUMED", sentence)]
    if span[1] <= 0:
        return None, []
    if abs(span[1] - session.duration) > _LENGTH_TOLERANCE:
        sentence = (
            f"Clip {session.clip} lasts {session.duration:g} s, says session.xml, and "
            f"{span[1]:.1f} s in the recording."
        )
        notices.append(Notice("W_CORPUS", sentence))
    return span, notices


def _pulses(path: Path) -> list[float]:
    """Seconds at which Status leaves its resting value; none without such a channel."""
    try:
        status = read_edf(path, SignalSource("Status"))
    except AffectScopeError:
        return []
    if not (np.abs(status.values) <= _LARGEST_CODE).all():
        return []
    codes = status.values.astype(np.int64) & _TRIGGER_BITS
    values, counts = np.unique(codes, return_counts=True)
    active = codes != values[counts.argmax()]
    starts = np.flatnonzero(active[1:] & ~active[:-1]) + 1
    return [float(start) / (status.sampling_rate or 1.0) for start in starts]


def _choose_lead(person: PersonTrials, trials: Sequence[_Trial]) -> tuple[str, str]:
    """The pair of electrodes of which most can be read; the first of equal ones."""
    if not trials:
        return _LEADS[0]
    places = np.unique(np.linspace(0, len(trials) - 1, _JUDGED).round().astype(int))
    judged = [trials[place] for place in places]
    shares = [np.mean([_readable(_lead(trial, pair)) for trial in judged]) for pair in _LEADS]
    best = 0
    for index, share in enumerate(shares):
        if share > shares[best] + _CLEARLY_BETTER:
            best = index
    told = ", ".join(
        f"{100 * share:.0f} % of {a} - {b}" for (a, b), share in zip(_LEADS, shares, strict=True)
    )
    one, other = _LEADS[best]
    sentence = f"The ECG lead {one} - {other} was taken: {told} can be read of what was judged."
    person.note("W_ASSUMED", sentence, "ecg")
    return _LEADS[best]


def _lead(trial: _Trial, pair: tuple[str, str]) -> Signal | None:
    values = trial.electrodes[pair[0]] - trial.electrodes[pair[1]]
    if not trial.unit:
        return None
    return Signal(values, trial.rate, trial.unit, -trial.onset)


def _readable(signal: Signal | None) -> float:
    """Valid share of the minute after the stimulus' onset; none without three heartbeats."""
    if signal is None:
        return 0.0
    first = round(max(0.0, -signal.start_time) * signal.sampling_rate)
    piece = signal.values[first : first + round(_JUDGED_SECONDS * signal.sampling_rate)]
    try:
        analysis = analyse_ecg(replace(signal, values=piece))
    except InputError:
        return 0.0
    return float(analysis.valid.mean()) if len(analysis.peak_times) >= 3 else 0.0


def _ecg(person: PersonTrials, trial: _Trial, pair: tuple[str, str]) -> Signal | None:
    signal = _lead(trial, pair)
    if signal is None:
        sentence = f"The ECG of clip {trial.session.clip} has no unit in its file's header."
        person.exclude(trial.session.clip, "E_UNIT", sentence, modality="ecg")
    return signal


def _choose_gsr_unit(person: PersonTrials, trials: Sequence[_Trial]) -> str | None:
    """The unit of the person's GSR; None where nothing can tell it."""
    known = [trial for trial in trials if trial.gsr is not None]
    if not known:
        return None
    stated = {trial.gsr.unit or "" for trial in known if trial.gsr is not None}
    if len(stated) == 1 and _is_plausible(known, next(iter(stated))):
        return next(iter(stated))
    # Every second sample: the test was made for 128 Hz.
    samples = [np.where(t.gsr.values > 0, t.gsr.values, np.nan)[::2] for t in known if t.gsr]
    choice = choose_eda(samples)
    told = ", ".join(sorted(f"{unit!a}" for unit in stated))
    if choice is None or not choice.is_sure:
        sentence = f"The GSR's unit is stated as {told}, which does not fit, and no test can tell."
        person.exclude("", "E_UNIT", sentence, modality="eda")
        return None
    person.note(
        "W_ASSUMED",
        f"The GSR's unit is stated as {told}, which does not fit. {choice.notice().sentence}",
        "eda",
    )
    return choice.unit


def _is_plausible(trials: Sequence[_Trial], unit: str) -> bool:
    """Whether the GSR's median in this unit is one of skin."""
    values = np.concatenate([trial.gsr.values for trial in trials if trial.gsr is not None])
    try:
        converted = to_microsiemens(Signal(values, 1.0, unit, 0.0)) if unit else None
    except InputError:
        return False
    if converted is None or not (converted.values > 0).any():
        return False
    low, high = PLAUSIBLE
    return low <= float(np.nanmedian(converted.values)) <= high


def _eda(person: PersonTrials, trial: _Trial, unit: str | None) -> Signal | None:
    if trial.gsr is None or unit is None:
        return None
    return Signal(trial.gsr.values, trial.gsr.sampling_rate or trial.rate, unit, -trial.onset)


def _ratings(person: PersonTrials, session: MahnobSession) -> Mapping[str, float]:
    felt = {
        "valence": rating(session.valence, *_SCALE),
        "arousal": rating(session.arousal, *_SCALE),
    }
    code = session.emotion
    if code in EMOTION_CODES or code in _NEAR:
        felt |= {name: float(name == EMOTION_CODES.get(code, "")) for name in EMOTIONS}
        felt.pop(_NEAR.get(code, ""), None)
    elif code is not None:
        sentence = f"Clip {session.clip}: feltEmo is {code}, which is none of the keywords."
        person.note("W_CORPUS", sentence)
    return felt


def _video(person: PersonTrials, trial: _Trial) -> VideoTrack | None:
    clip, paths = trial.session.clip, _videos(trial.session)
    if len(paths) != 1:
        code = "E_CORPUS" if paths else "W_MODALITY_ABSENT"
        sentence = f"The session of clip {clip} has {len(paths)} videos of the face from the front."
        person.exclude(clip, code, sentence, modality="face")
        return None
    try:
        track = inspect_video(paths[0])
        if abs(track.duration - trial.duration) <= _LENGTH_TOLERANCE:
            return track
        if abs(track.duration - trial.duration - 2 * MARGIN) <= _LENGTH_TOLERANCE:
            return inspect_video(paths[0], clock_offset=-trial.onset)
    except AffectScopeError as error:
        person.exclude_error(clip, error, modality="face")
        return None
    sentence = (
        f"The face video of clip {clip} lasts {track.duration:.1f} s: neither the stimulus' "
        f"{trial.duration:.1f} s nor {2 * MARGIN:g} s more, so where it begins is not known."
    )
    person.exclude(clip, "W_VIDEO_LENGTH", sentence, modality="face")
    return None
