"""R peaks of a cleaned ECG, as NeuroKit2's own detector finds them, for all complexes at once.

The rules are those of ``neurokit2.ecg_findpeaks(method="neurokit")`` 0.2 (Makowski et al., Behavior
Research Methods 53:1689, 2021; Brammer, "biopeaks", JOSS 5:2621, 2020), and so are the peaks, to
the sample; a test compares them. NeuroKit2 looks at one QRS complex at a time, which takes most of
the time that a recording needs. Here the complexes of a recording stand in one row, with walls
between them that no rise can cross.

Legend: S samples, Q QRS complexes, B beats.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks, peak_prominences

from affectscope.preprocessing.ecg_quality import IntArray
from affectscope.records import FloatArray

_SMOOTHED = 0.1  # seconds over which the steepness is averaged
_USUAL = 0.75  # seconds over which it is averaged again: what is usual there
_STEEP = 1.5  # times the usual: a QRS complex
_SHORTEST = 0.4  # of the mean duration of the complexes


def r_peaks(cleaned: FloatArray, sampling_rate: float, *, minimum_delay: float) -> IntArray:
    """(B,) samples of the R peaks: in each QRS complex the most prominent maximum.

    Args:
        cleaned: (S,) an upright ECG without drift, of at least 0.75 s.
        minimum_delay: seconds; a peak that follows the last one, or the start, sooner is left out.
    """
    complexes = _complexes(cleaned, sampling_rate)
    peaks = _most_prominent(cleaned, complexes)
    delay = round(minimum_delay * sampling_rate)
    kept, last = [], 0
    for peak in peaks.tolist():
        if peak - last > delay:
            kept.append(peak)
            last = peak
    return np.array(kept, dtype=np.int64)


def _complexes(cleaned: FloatArray, sampling_rate: float) -> IntArray:
    """(Q, 2) where the signal is steep: last sample before it, and last sample of it."""
    steepness = uniform_filter1d(
        np.abs(np.gradient(cleaned)), round(_SMOOTHED * sampling_rate), mode="nearest"
    )
    usual = uniform_filter1d(steepness, round(_USUAL * sampling_rate), mode="nearest")
    steep = steepness > _STEEP * usual
    begins = np.flatnonzero(~steep[:-1] & steep[1:])
    ends = np.flatnonzero(steep[:-1] & ~steep[1:])
    if len(begins):
        ends = ends[ends > begins[0]]
    number = min(len(begins), len(ends))
    if number == 0:
        return np.empty((0, 2), dtype=np.int64)
    found = np.column_stack([begins[:number], ends[:number]])
    duration = found[:, 1] - found[:, 0]
    return np.asarray(found[duration >= duration.mean() * _SHORTEST])


def _most_prominent(cleaned: FloatArray, complexes: IntArray) -> IntArray:
    """Of each complex [first, stop) the most prominent maximum within it, where it has one."""
    length = complexes[:, 1] - complexes[:, 0]
    row = np.full(length.sum() + len(length) + 1, cleaned.max(initial=0.0) + 1.0)  # all walls
    home = np.repeat(np.arange(len(length)), length)  # complex of each sample that is no wall
    place = np.arange(len(home)) + home + 1  # its place in the row
    sample = np.arange(len(home)) - (np.cumsum(length) - length)[home] + complexes[home, 0]
    row[place] = cleaned[sample]
    maxima, _ = find_peaks(row)
    among = np.searchsorted(place, maxima)
    is_sample = (among < len(place)) & (place[np.minimum(among, len(place) - 1)] == maxima)
    maxima, among = maxima[is_sample], among[is_sample]
    prominence, _, _ = peak_prominences(row, maxima)
    order = np.lexsort([-prominence, home[among]])  # stable: the first of equal ones wins
    _, best = np.unique(home[among][order], return_index=True)
    return np.asarray(sample[among[order[best]]], dtype=np.int64)
