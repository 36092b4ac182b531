"""What a copy of AMIGOS holds, what is left out of it and why; and the points of Figure 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from affectscope.datasets.amigos import (
    LONG_CLIPS,
    QUADRANTS,
    SEGMENTS,
    SHORT_CLIPS,
    Ratings,
    read_long_settings,
    read_ratings,
)
from affectscope.datasets.amigos_layout import LongSetting, listed
from affectscope.datasets.corpus import Corpus, Exclusion, SubjectTrials
from affectscope.errors import AffectScopeError
from affectscope.records import MODALITIES, TARGETS, FloatArray, Modality, Notice

if TYPE_CHECKING:
    import pandas

_CALLED: dict[Modality, str] = {"face": "face", "ecg": "ECG", "eda": "EDA"}


@dataclass(frozen=True)
class SubjectSummary:
    """One person.

    Attributes:
        counts: (short, long) trials that hold each modality.
        complete_short: short trials with face, ECG and EDA.
        setting: how the long videos were seen, None where it is not known.
        exclusions, notices: of the person and of all the person's trials.
        segments_differ: clips whose number of external segments is not the published one.
    """

    subject_id: str
    trials: tuple[int, int]
    counts: dict[Modality, tuple[int, int]]
    complete_short: int
    complete_long: int
    setting: LongSetting | None
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    segments_differ: tuple[str, ...]


@dataclass(frozen=True)
class AmigosInspection:
    """The whole copy.

    Attributes:
        unreadable: subject -> the error that took the whole person out.
    """

    simulated: bool
    subjects: tuple[SubjectSummary, ...]
    unreadable: dict[str, AffectScopeError]

    @property
    def complete_short(self) -> int:
        """Short trials with face, ECG and EDA; 629 of 640 in the whole corpus."""
        return sum(subject.complete_short for subject in self.subjects)

    @property
    def expected_short(self) -> int:
        """16 for everybody, also for those who cannot be read."""
        return len(SHORT_CLIPS) * (len(self.subjects) + len(self.unreadable))


def inspect_amigos(corpus: Corpus) -> AmigosInspection:
    """Read everybody once and sum up; a person who cannot be read is noted, not fatal.

    Raises:
        InputError: E_CORPUS for a groups.csv that cannot be understood.
    """
    settings = read_long_settings(corpus.folder)
    subjects, unreadable = [], {}
    for subject_id in corpus.subjects:
        try:
            trials = corpus.read_subject(subject_id)
            ratings = read_ratings(corpus, subject_id)
        except AffectScopeError as error:
            unreadable[subject_id] = error
            continue
        subjects.append(_summary(trials, ratings, settings.get(subject_id)))
    return AmigosInspection(corpus.simulated, tuple(subjects), unreadable)


def _summary(
    trials: SubjectTrials, ratings: Iterable[Ratings], setting: LongSetting | None
) -> SubjectSummary:
    short = [r for r in trials.recordings if r.trial_id in SHORT_CLIPS]
    long = [r for r in trials.recordings if r.trial_id in LONG_CLIPS]
    counts: dict[Modality, tuple[int, int]] = {
        modality: (
            sum(modality in recording.tracks for recording in short),
            sum(modality in recording.tracks for recording in long),
        )
        for modality in MODALITIES
    }
    return SubjectSummary(
        trials.subject_id,
        (len(short), len(long)),
        counts,
        complete_short=sum(len(r.tracks) == len(MODALITIES) for r in short),
        complete_long=sum(len(r.tracks) == len(MODALITIES) for r in long),
        setting=setting,
        exclusions=trials.exclusions,
        notices=(*trials.notices, *(n for r in trials.recordings for n in r.notices)),
        segments_differ=tuple(
            rating.trial_id
            for rating in ratings
            if rating.external is not None
            and len(rating.external.times) != SEGMENTS[rating.trial_id]
        ),
    )


def inspection_lines(inspection: AmigosInspection) -> list[str]:
    """The inspection as lines of text: what is there, what is left out, choices, differences."""
    people = len(inspection.subjects)
    lines = [f"{people + len(inspection.unreadable)} participants"]
    if inspection.simulated:
        lines[0] += " - SIMULATED PEOPLE (a twin), no human data"
    lines += [
        f"{inspection.complete_short} of {inspection.expected_short} short trials have face, ECG "
        "and EDA (629 of 640 in the whole corpus).",
        "",
        "participant   short: trials face ECG EDA all   long: trials face ECG EDA all   long seen",
    ]
    lines += [_row(subject) for subject in inspection.subjects]
    sections = {
        "Cannot be read": [f"{who}: {error}" for who, error in inspection.unreadable.items()],
        "Left out": list(_left_out(inspection)),
        "Choices": list(_told(inspection, {"W_ASSUMED"})),
        "Face videos of another length": list(_told(inspection, {"W_VIDEO_LENGTH"})),
        "Other than known": [*_told(inspection, {"W_CORPUS"}), *_segment_lines(inspection)],
        "Also": list(_told(inspection, {"W_MISSING", "W_NO_LABELS"})),
    }
    for title, told in sections.items():
        lines += ["", f"{title}:", *(f"  {line}" for line in told or ["nothing"])]
    return lines


def _row(subject: SubjectSummary) -> str:
    def block(place: int, complete: int) -> str:
        face, ecg, eda = (subject.counts[modality][place] for modality in MODALITIES)
        return f"{subject.trials[place]:6d} {face:4d} {ecg:3d} {eda:3d} {complete:3d}"

    return (
        f"{subject.subject_id:11s}          {block(0, subject.complete_short)}"
        f"          {block(1, subject.complete_long)}   {subject.setting or 'not known'}"
    )


def _left_out(inspection: AmigosInspection) -> Iterator[str]:
    """One line per person, modality and reason, with the clips."""
    for subject in inspection.subjects:
        groups: dict[tuple[Modality | None, str, str], list[str]] = {}
        for exclusion in subject.exclusions:
            reason = exclusion.sentence.replace(f"clip {exclusion.trial_id}", "the clip")
            reason = reason.replace(f"Clip {exclusion.trial_id}", "The clip")
            if exclusion.code == "W_MISSING":
                reason = "Samples are missing."
            key = (exclusion.modality, exclusion.code, reason)
            groups.setdefault(key, []).append(exclusion.trial_id)
        for (modality, code, reason), clips in groups.items():
            what = _CALLED[modality] if modality else "whole trial"
            told = f"{what}, {len(clips)} clips ({listed(clips)}): {reason} [{code}]"
            yield f"{subject.subject_id} {told}"


def _told(inspection: AmigosInspection, codes: set[str]) -> Iterator[str]:
    for subject in inspection.subjects:
        for notice in subject.notices:
            if notice.code in codes:
                yield f"{subject.subject_id}: {notice.sentence}"


def _segment_lines(inspection: AmigosInspection) -> Iterator[str]:
    differ = Counter(clip for subject in inspection.subjects for clip in subject.segments_differ)
    if differ:
        told = listed([f"{clip} ({count} people)" for clip, count in sorted(differ.items())])
        yield f"The number of external segments is not the published one for the clips {told}."


def quadrant_points(corpus: Corpus) -> pandas.DataFrame:
    """The points of Figure 1, one row per person and self-assessed clip; unreadable people absent.

    Columns: subject, trial; valence, arousal (self-assessment in [-1, 1], NaN where not rated);
    designed ("HAHV", "LAHV", "LALV", "HALV"; "" for the long clips); external_valence and
    external_arousal (mean over the segments, NaN where there are none).
    """
    import pandas

    rows = []
    for subject_id in corpus.subjects:
        try:
            ratings = read_ratings(corpus, subject_id)
        except AffectScopeError:
            continue  # ``inspect_amigos`` tells why
        rows += [_point(subject_id, rating) for rating in ratings]
    columns = ["subject", "trial", "valence", "arousal", "designed", "external_valence",
               "external_arousal"]  # fmt: skip
    return pandas.DataFrame(rows, columns=columns)


def _point(subject_id: str, rating: Ratings) -> tuple[str, str, float, float, str, float, float]:
    external = rating.external
    return (
        subject_id,
        rating.trial_id,
        float(rating.targets[TARGETS.index("valence")]),
        float(rating.targets[TARGETS.index("arousal")]),
        QUADRANTS.get(rating.trial_id, ""),
        _mean(external.valence) if external is not None else np.nan,
        _mean(external.arousal) if external is not None else np.nan,
    )


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
