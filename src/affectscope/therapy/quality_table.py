"""What was used of a session, second by second, and why the rest was not.

ECG and EDA bring their course (``preprocessing.quality_course``). A second of the face is the mean
of the pictures analysed in it (``preprocessing.face_quality``); it is used where more than half of
them were. Where no face was seen, its detection is 0 and the other factors are not known. A second
that is not used because the user left it out has no factors.

Legend: N seconds, M analysed pictures, K factors of a face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.datasets.window_dataset import WindowBatch
from affectscope.preprocessing.excluded import excluded_at
from affectscope.preprocessing.face_quality import FACTORS
from affectscope.preprocessing.quality_course import QualityCourse
from affectscope.records import (
    MODALITIES,
    BoolArray,
    ExcludedSpan,
    FloatArray,
    Modality,
    Recording,
    Signal,
    VideoTrack,
)

FACTOR_NAMES: Mapping[Modality, tuple[str, ...]] = {
    "face": tuple(f"face_{name}" for name in FACTORS),
    "ecg": ("ecg_template", "ecg_flat", "ecg_saturation", "ecg_noise"),
    "eda": ("eda_range", "eda_slope", "eda_flat", "eda_motion"),
}
"""The columns that hold a modality's factors."""

REASONS: Mapping[str, str] = {
    "face_detection": "no face, or hardly one",
    "face_size": "too small",
    "face_sharpness": "not sharp",
    "face_light": "too dark, too bright or too flat",
    "face_pose": "turned away",
    "face_occlusion": "eyes or mouth covered",
    "ecg_template": "beats unlike the others",
    "ecg_flat": "flat, or no contact",
    "ecg_saturation": "clipped",
    "ecg_noise": "noise",
    "eda_range": "out of range or saturated",
    "eda_slope": "faster than skin",
    "eda_flat": "no change at all",
    "eda_motion": "lifted or taken off",
}
"""What a factor says where it is a modality's lowest."""

NOT_JUDGED = "rejected as a whole"
LEFT_OUT = "left out by the user"


@dataclass(frozen=True)
class Use:
    """Of one modality: seconds used, masked and not recorded, and the masked ones by reason."""

    used: float
    masked: float
    not_recorded: float
    reasons: Mapping[str, int]


def session_quality(
    recording: Recording,
    body: BodyAnalysis,
    batches: Sequence[WindowBatch],
    excluded: Sequence[ExcludedSpan] = (),
) -> pd.DataFrame:
    """(N rows) ``time``, and per modality ``_recorded``, ``_used``, ``_excluded`` and its factors.

    ``time`` is the start of a second on the session's axis; ``_excluded`` is True where it was
    recorded and not used because the user left it out. Factors are NaN there, where the second was
    not recorded, and for a signal that was rejected as a whole.
    """
    start, end = recording.span
    seconds = np.arange(np.floor(start), max(np.floor(start) + 1, np.ceil(end)))
    ecg = None if body.ecg is None else body.ecg.course
    eda = None if body.eda is None else body.eda.course
    return pd.DataFrame(
        {
            "time": seconds,
            **_face_columns(recording.video, batches, seconds, excluded),
            **_signal_columns("ecg", recording.ecg, ecg, seconds=seconds, excluded=excluded),
            **_signal_columns("eda", recording.eda, eda, seconds=seconds, excluded=excluded),
        }
    )


def _signal_columns(
    name: Modality,
    signal: Signal | None,
    course: QualityCourse | None,
    *,
    seconds: FloatArray,
    excluded: Sequence[ExcludedSpan],
) -> dict[str, FloatArray | BoolArray]:
    """A course placed on the session's seconds; of a rejected signal only that it was recorded, and
    where it was left out."""
    recorded = _covered(signal, seconds)
    left_out = recorded & excluded_at(excluded, name, seconds + 0.5)
    used = np.zeros(len(seconds), dtype=bool)
    factors = {key: np.full(len(seconds), np.nan) for key in FACTOR_NAMES[name]}
    if course is not None:
        inside = (course.seconds >= seconds[0]) & (course.seconds <= seconds[-1])
        place = (course.seconds[inside] - seconds[0]).astype(np.int64)
        recorded[place], used[place] = course.recorded[inside], course.used[inside]
        left_out[place] = course.excluded[inside]
        for key, values in course.factors.items():
            factors[key][place] = values[inside]
    columns = {f"{name}_recorded": recorded, f"{name}_used": used, f"{name}_excluded": left_out}
    return {**columns, **factors}


def _covered(track: Signal | VideoTrack | None, seconds: FloatArray) -> BoolArray:
    """(N,) whether at least half of each second lies within a track."""
    if track is None:
        return np.zeros(len(seconds), dtype=bool)
    first, last = np.maximum(seconds, track.start_time), np.minimum(seconds + 1, track.end_time)
    return np.asarray(last - first >= 0.5, dtype=bool)


def _face_columns(
    video: VideoTrack | None,
    batches: Sequence[WindowBatch],
    seconds: FloatArray,
    excluded: Sequence[ExcludedSpan],
) -> dict[str, FloatArray | BoolArray]:
    """Means over the pictures of each second."""
    times = np.concatenate([batch.times for batch in batches])  # (M,)
    present = np.concatenate([batch.present_matrix[:, 0] for batch in batches])
    factors = np.concatenate([batch.face_factors for batch in batches])  # (M, K)
    place = np.floor(times - seconds[0]).astype(np.int64)
    inside = (place >= 0) & (place < len(seconds))
    if video is not None:
        inside &= (times >= video.start_time) & (times <= video.end_time)
    counts = np.bincount(place[inside], minlength=len(seconds))
    recorded = _covered(video, seconds) & (counts > 0)

    def mean(values: FloatArray, over: BoolArray) -> FloatArray:
        sums = np.bincount(place[over], weights=values[over], minlength=len(seconds))
        number = np.bincount(place[over], minlength=len(seconds))
        return np.asarray(
            np.divide(sums, number, out=np.full(len(sums), np.nan), where=recorded & (number > 0))
        )

    used = np.nan_to_num(mean(present.astype(np.float64), inside)) > 0.5
    hidden = excluded_at(excluded, "face", times)
    share = np.nan_to_num(mean(hidden.astype(np.float64), inside))
    unread = np.nan_to_num(mean((~present & ~hidden).astype(np.float64), inside))
    left_out = ~used & (share > 0) & (share >= unread)
    shown = inside & ~hidden
    seen = shown & (factors[:, 0] > 0)
    named = {
        name: np.where(left_out, np.nan, mean(factors[:, k], shown if k == 0 else seen))
        for k, name in enumerate(FACTOR_NAMES["face"])
    }
    columns = {"face_recorded": recorded, "face_used": np.asarray(used)}
    return {**columns, "face_excluded": np.asarray(left_out), **named}


def use_of(table: pd.DataFrame, name: Modality) -> Use:
    """How many seconds of a modality were used, and what the others lacked."""
    recorded, used, left_out = (
        table[f"{name}_{what}"].to_numpy(bool) for what in ("recorded", "used", "excluded")
    )
    masked = recorded & ~used
    factors = table.loc[masked & ~left_out, list(FACTOR_NAMES[name])]
    known = factors.notna().any(axis=1)
    lowest = factors[known].idxmin(axis=1).map(REASONS)
    reasons = {str(reason): int(count) for reason, count in lowest.value_counts().items()}
    if not known.all():
        reasons[NOT_JUDGED] = int((~known).sum())
    if left_out.any():
        reasons[LEFT_OUT] = int(left_out.sum())
    return Use(float(used.sum()), float(masked.sum()), float((~recorded).sum()), reasons)


def recorded_modalities(table: pd.DataFrame) -> list[Modality]:
    """Those with at least one recorded second."""
    return [name for name in MODALITIES if table[f"{name}_recorded"].any()]
