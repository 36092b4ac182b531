"""What is kept of a session that is walked through once: small rows, no pictures.

Legend: N analysed times, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.datasets.window_dataset import WindowBatch
from affectscope.inference.predictor import Predictor, joined
from affectscope.inference.stress import StressCourse
from affectscope.io.session import Session
from affectscope.preprocessing.ecg import heart_rate_at
from affectscope.preprocessing.eda import tonic_at
from affectscope.preprocessing.excluded import excluded_at
from affectscope.records import (
    MODALITIES,
    TARGETS,
    BoolArray,
    FloatArray,
    Notice,
    PersonRule,
    Prediction,
    Recording,
)
from affectscope.therapy.stress import COLUMN, stress_at

_LONGEST_BLINK = 1.0
"""Seconds: shorter losses of the face are not told one by one."""

FACE_BOX = ("face_x", "face_y", "face_width", "face_height")
"""The timeline's columns of ``WindowBatch.face_boxes``."""

SAFE_STEP = 0.2 + 1e-6
"""Seconds between pictures up to which no crossing went unnoticed (docs/people.md)."""

_FOLLOWED: dict[PersonRule, str] = {
    "largest": "the largest face at the start",
    "left": "the face furthest to the left at the start",
    "right": "the face furthest to the right at the start",
    "box": "the face in the stated boxes",
    "photo": "the face on the reference photo, with which all faces were compared",
}


@dataclass
class Walk:
    """What is kept of every analysed time: small rows, no pictures."""

    batches: list[WindowBatch] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)

    def add(self, batch: WindowBatch, values: FloatArray | None) -> None:
        """Keep a batch without its inputs."""
        self.batches.append(batch.without_inputs())
        if values is None:
            values = np.full((len(batch.keys), len(TARGETS)), np.nan)
        self.values.append(values)

    @property
    def times(self) -> FloatArray:
        return np.concatenate([batch.times for batch in self.batches])

    @property
    def present(self) -> BoolArray:
        return np.concatenate([batch.present_matrix for batch in self.batches])

    def ended(self, recording: Recording) -> Recording:
        """The recording with its video's duration, where the container stated none."""
        video = recording.video
        if video is None or video.duration > 0 or not self.batches:
            return recording
        reached = float(self.times[-1]) - video.start_time + 1 / video.frame_rate
        return replace(recording, video=replace(video, duration=reached))

    def prediction(self, scorer: Predictor | None, session: Session) -> Prediction | None:
        if scorer is None:
            return None
        return joined(self.batches, self.values, scorer, session.recording)

    def timeline(self, body: BodyAnalysis, stress: StressCourse | None) -> pd.DataFrame:
        """A row per analysed time: targets, validity, face quality and box, heart rate, EDA level,
        stress likelihood.

        The box is the chosen person's face in shares of the upright picture; NaN where unseen.
        """
        times, present = self.times, self.present
        nothing = np.full(len(times), np.nan)
        values = np.concatenate(self.values)
        boxes = np.concatenate([batch.face_boxes for batch in self.batches])
        return pd.DataFrame(
            {
                "time": times,
                **{name: values[:, column] for column, name in enumerate(TARGETS)},
                **{f"{name}_valid": present[:, k] for k, name in enumerate(MODALITIES)},
                "face_quality": np.concatenate([batch.face_quality for batch in self.batches]),
                "heart_rate": nothing if body.ecg is None else heart_rate_at(body.ecg, times),
                "eda_tonic": nothing if body.eda is None else tonic_at(body.eda, times),
                **{name: boxes[:, column] for column, name in enumerate(FACE_BOX)},
                COLUMN: stress_at(stress, times),
            }
        )

    def face_notices(self, session: Session, told: Sequence[Notice]) -> list[Notice]:
        """No face at all, gaps of a second and more that ``told`` does not explain already, other
        people in the picture. What the user left out is none of these."""
        video = session.recording.video
        if video is None:
            return []
        times, present = self.times, self.present[:, 0]
        inside = (times >= video.start_time) & (times <= video.end_time)
        times, present = times[inside], present[inside]
        left_out = excluded_at(session.excluded, "face", times)
        seen = int(max(batch.faces_seen.max() for batch in self.batches))
        if left_out.any() and left_out.all():
            return []
        if not present.any():
            sentence = (
                "No face in the video is surely the person's and can be read, so it is not used."
                if seen
                else "No face was found in the video, so it is not used."
            )
            return [Notice("E_NO_FACE", sentence, "face", video.start_time, video.end_time)]
        notices = [
            Notice("W_FACE_GAPS", "The face was not visible or too poor to be read.", "face", *gap)
            for gap in _gaps(times, present | left_out)
            if not any(_within(gap, notice) for notice in told)
        ]
        if seen > 1:
            several = np.concatenate([batch.faces_seen for batch in self.batches]) > 1
            who = "One other person was" if seen == 2 else f"Up to {seen - 1} other people were"
            sentence = (
                f"{who} in the picture, for {100 * several.mean():.0f} % of the time; no face of"
                f" others was scored or stored. Followed: {_FOLLOWED[session.person.rule]}"
                " (person in session.toml). To see who that is: affectscope people SESSION --out"
                " DIR"
            )
            if len(times) > 1 and np.median(np.diff(times)) > SAFE_STEP:
                sentence += (
                    f". Fewer than {1 / SAFE_STEP:.0f} pictures a second were looked at: people who"
                    " cross may be exchanged unnoticed; assess at a higher --rate"
                )
            notices.append(Notice("W_SEVERAL_FACES", f"{sentence}.", "face"))
        return notices


def _within(gap: tuple[float, float], notice: Notice) -> bool:
    """Whether a notice says already why the face is missing in a gap."""
    if notice.start is None or notice.end is None:
        return False
    return notice.start - _LONGEST_BLINK <= gap[0] and gap[1] <= notice.end + _LONGEST_BLINK


def _gaps(times: FloatArray, present: BoolArray) -> list[tuple[float, float]]:
    """Spans of at least a second without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], present, [True]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    found = [
        (float(times[first]), float(times[min(last, len(times) - 1)]))
        for first, last in zip(begins, ends, strict=True)
    ]
    return [(start, end) for start, end in found if end - start >= _LONGEST_BLINK]
