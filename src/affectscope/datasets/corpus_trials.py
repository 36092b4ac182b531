"""One person's trials while a corpus reader gathers them.

Legend: T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affectscope.datasets.corpus import Exclusion, SubjectTrials, scaled_rating
from affectscope.errors import AffectScopeError
from affectscope.io.video import inspect_video
from affectscope.records import (
    TARGETS,
    Eeg,
    Labels,
    Modality,
    Notice,
    Recording,
    Signal,
    VideoTrack,
)

VIDEO_TOLERANCE = 1.0
"""Seconds by which a face video may differ from its stimulus without a notice."""


def rating(value: float, lowest: float, highest: float) -> float:
    """A rating in [-1, 1]; NaN where it lies outside its scale or is no number."""
    return scaled_rating(value, lowest, highest) if lowest <= value <= highest else float("nan")


def steady_labels(duration: float, ratings: Mapping[str, float]) -> Labels:
    """One rating per target for a whole trial of ``duration`` s; targets not named are NaN."""
    targets = np.array([ratings.get(name, np.nan) for name in TARGETS], dtype=np.float64)
    return Labels(np.array([0.0, duration]), np.stack([targets, targets]))


@dataclass
class PersonTrials:
    """What was read of one person so far, what was left out, and what must be known."""

    subject_id: str
    simulated: bool
    recordings: list[Recording] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def exclude(
        self, trial_id: str, code: str, sentence: str, *, modality: Modality | None = None
    ) -> None:
        self.exclusions.append(Exclusion(self.subject_id, trial_id, code, sentence, modality))

    def exclude_error(
        self, trial_id: str, error: AffectScopeError, *, modality: Modality | None = None
    ) -> None:
        self.exclude(trial_id, error.code, error.sentence, modality=modality)

    def note(self, code: str, sentence: str, modality: Modality | None = None) -> None:
        self.notices.append(Notice(code, sentence, modality))

    def add(
        self,
        trial_id: str,
        labels: Labels,
        *,
        signals: Mapping[Modality, Signal | None],
        video: VideoTrack | None = None,
        notices: Sequence[Notice] = (),
        eeg: Eeg | None = None,
    ) -> None:
        """A trial; left out where it was not rated, or nothing but an EEG was recorded."""
        ecg, eda = signals.get("ecg"), signals.get("eda")
        if np.isnan(labels.values).all():
            self.exclude(trial_id, "W_NO_LABELS", f"Trial {trial_id} was not rated.")
        elif ecg is None and eda is None and video is None:
            sentence = f"Trial {trial_id} has no ECG, EDA or face video that can be used."
            self.exclude(trial_id, "W_MODALITY_ABSENT", sentence)
        else:
            self.recordings.append(
                Recording(
                    subject_id=self.subject_id,
                    trial_id=trial_id,
                    simulated=self.simulated,
                    video=video,
                    ecg=ecg,
                    eda=eda,
                    labels=labels,
                    notices=tuple(notices),
                    eeg=eeg,
                )
            )

    def video(self, trial_id: str, path: Path, *, duration: float) -> VideoTrack | None:
        """A face video that begins with its stimulus; a notice where their lengths differ."""
        try:
            track = inspect_video(path)
        except AffectScopeError as error:
            self.exclude_error(trial_id, error, modality="face")
            return None
        if abs(track.duration - duration) > VIDEO_TOLERANCE:
            self.note(
                "W_VIDEO_LENGTH",
                f"The face video of trial {trial_id} lasts {track.duration:.1f} s and its "
                f"stimulus {duration:.1f} s.",
                "face",
            )
        return track

    def done(self) -> SubjectTrials:
        return SubjectTrials(
            self.subject_id,
            tuple(self.recordings),
            tuple(self.exclusions),
            tuple(self.notices),
        )
