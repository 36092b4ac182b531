"""Rhythms in which heart rate variability says nothing about the person's state (P12).

Heart rate variability is defined for beats that the sinus node sets (Task Force of the ESC and
NASPE, Circulation 93:1043, 1996). Three rhythms are told apart from it:

1. Ectopic beats: more than a fifth of the intervals are not normal-to-normal.
2. Atrial fibrillation: intervals that change much (RMSSD over mean above 0.1, Dash et al., Annals
   of Biomedical Engineering 37:1701, 2009) and cannot be foreseen: the best line through the four
   intervals before leaves more than 0.8 of their variance. Breathing changes intervals as much in
   young people, but evenly. Of the real recordings of ``shared/data`` only 118 of MIT-BIH has both
   (``heartpy``; it has 96 premature beats of the atria).
3. A pacemaker: sharp spikes beside most beats. A sample counts as a spike by how far it lies from
   the middle of its neighbours: 7 times the 90th percentile of the third of a second around, and a
   tenth of the beat's height. In ``mitbih`` that holds for 93 and 85 % of the beats of 102 and 104,
   the two with pacemakers, and at 250 Hz and more for at most 2 % in every other recording.

A pacemaker whose spikes the recorder filtered out is not found.

Legend: S samples, B beats, M intervals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from affectscope.preprocessing.ecg_quality import IntArray
from affectscope.preprocessing.rr_intervals import RrIntervals
from affectscope.records import BoolArray, FloatArray

LEAST_NORMAL = 0.8
"""Share of the plausible intervals that must be normal-to-normal."""

SPIKE_RATE = 250.0
"""Hz: below it a pacemaker's spikes cannot be told from QRS complexes."""

_LARGEST_CHANGE = 0.1
_UNFORESEEN = 0.8
_BEFORE = 4  # intervals
_RUN = 64  # intervals that are judged together
_SHARPEST = 7.0
_SPIKE_HEIGHT = 0.1
_PACED = 0.3  # share of the beats


def unsuited(
    values: FloatArray, beat_seconds: FloatArray, intervals: RrIntervals, sampling_rate: float
) -> str:
    """Why a recording's rhythm allows no heart rate variability; "" where it does.

    Args:
        values: (S,) the ECG before cleaning, which would smooth a pacemaker's spikes away.
        beat_seconds: (B,) R peaks in seconds from the first sample.
        sampling_rate: Hz of ``values``.
    """
    if is_paced(values, np.rint(beat_seconds * sampling_rate).astype(np.int64), sampling_rate):
        return "a pacemaker sets the heartbeats, so that heart rate variability is not valid"
    return irregular(intervals, np.ones(len(intervals.starts), dtype=bool), least_pairs=0)


def rhythm_doubts(reason: str) -> Iterator[tuple[str, str]]:
    """W_RHYTHM and its sentence, where ``unsuited`` gave a reason."""
    if reason:
        yield "W_RHYTHM", f"{reason[:1].upper()}{reason[1:]}; the heart rate is given."


def irregular(intervals: RrIntervals, inside: BoolArray, least_pairs: int = 2) -> str:
    """Why the intervals (M,) that are ``inside`` allow no heart rate variability; "" if they do.

    ``least_pairs``: fewer neighbours that are both normal are too few.
    """
    plausible, normal = intervals.plausible & inside, intervals.normal & inside
    too_few = (normal[:-1] & normal[1:]).sum() < least_pairs
    if too_few or normal.sum() < LEAST_NORMAL * plausible.sum():
        return "too many heartbeats are irregular for heart rate variability to be valid"
    durations = intervals.durations[plausible]
    runs = [durations[n : n + _RUN] for n in range(0, len(durations) - _RUN + 1, _RUN)]
    if runs and np.mean([_fibrillates(run) for run in runs]) > 0.5:
        return (
            "the heartbeats come as irregularly as in atrial fibrillation, in which heart rate"
            " variability is not valid"
        )
    return ""


def is_paced(values: FloatArray, beats: IntArray, sampling_rate: float) -> bool:
    """Whether a pacemaker's spikes stand beside the beats; False below 250 Hz.

    Args:
        values: (S,) the ECG before cleaning, which would smooth the spikes away.
        beats: (B,) samples of the R peaks.
    """
    before, after = round(0.3 * sampling_rate), round(0.05 * sampling_rate)
    beats = beats[(beats > before) & (beats < len(values) - 2 * after)]
    if sampling_rate < SPIKE_RATE or len(beats) < _RUN // 4:
        return False
    window = beats[:, None] + np.arange(-before, after)
    sharp = np.abs(values[window] - 0.5 * (values[window - 1] + values[window + 1]))
    near = values[beats[:, None] + np.arange(-2 * after, 2 * after)]
    largest = sharp.max(axis=1)
    stands_out = largest >= _SHARPEST * np.percentile(sharp, 90, axis=1)
    spikes = stands_out & (largest >= _SPIKE_HEIGHT * np.ptp(near, axis=1))
    return bool(spikes.mean() > _PACED)


def _fibrillates(durations: FloatArray) -> bool:
    """Whether a run of intervals changes much and cannot be foreseen."""
    centred = durations - durations.mean()
    changes = np.sqrt(np.mean(np.diff(durations) ** 2)) / durations.mean()
    if changes <= _LARGEST_CHANGE:
        return False
    known = np.lib.stride_tricks.sliding_window_view(centred[:-1], _BEFORE)
    later = centred[_BEFORE:]
    weights, *_ = np.linalg.lstsq(known, later, rcond=None)
    left = float(np.mean((later - known @ weights) ** 2) / np.mean(later**2))
    return left > _UNFORESEEN
