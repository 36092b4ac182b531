"""How like a record's other heartbeats each beat is, and which beats are none.

The template of a beat is not one shape: a heart has several (ectopic beats, pacemakers). It is
compared with the clearest of the beats within 300 before and after, and what counts is the mean
correlation with the tenth of them that is most like it. Template matching as such: Orphanidou
et al., IEEE J. Biomed. Health Inform. 19:832 (2015); there one mean shape per 10 s, which an
ectopic beat spoils and a row of equal artefacts passes.

Legend: S samples, B beats, E exemplars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from affectscope.preprocessing.signal_quality import runs, window_samples
from affectscope.records import BoolArray, FloatArray

IntArray = NDArray[np.int64]

BURIED = 2.5
"""Contrast below which a beat is taken for an artefact."""
LEAST_LIKENESS = ((3.3, 5.0, 24.0), (1.0, 0.8, 0.65))
"""Contrasts, and the likeness that a beat needs there where it is inserted; one of more contrast
needs none. Set on the artefacts in ``heartpy``'s 118e00 to 118e12."""
INSERTED = 1.65
"""Usual RR intervals between the beats before and after one that was inserted between them. After
an ectopic beat the heart pauses: there it is two."""

_REACH = 300  # beats before and after
_BLOCK = 128  # beats compared at once
_FEWEST = 10  # exemplars
_EXEMPLAR = 1 / 3
_RHYTHM = 31  # intervals
_SHORTEST = 1.0  # seconds between two masked spans
_KEPT = 0.06  # seconds; no two beats are found within 0.18
_HALF = 0.1  # seconds of a shape on both sides of the R peak


@dataclass(frozen=True, eq=False)
class BeatQuality:
    """Of every beat that was found, masked ones included.

    Attributes:
        seconds: (B,) from the signal's first sample.
        likeness: (B,) correlation with the template, -1 to 1.
        contrast: (B,) energy of the derivative within 60 ms over that of the flanks.
    """

    seconds: FloatArray
    likeness: FloatArray
    contrast: FloatArray

    @property
    def is_artefact(self) -> BoolArray:
        """(B,) buried; or inserted, and not like enough for how little they stand above what is
        around."""
        if len(self.seconds) < 3:
            return np.zeros(len(self.seconds), dtype=bool)
        intervals = np.diff(self.seconds)
        usual = median_filter(intervals, size=_RHYTHM, mode="nearest")
        inserted = intervals[:-1] + intervals[1:] < INSERTED * usual[:-1]
        contrasts, needed = LEAST_LIKENESS
        least = np.interp(np.log(self.contrast), np.log(contrasts), needed)
        unlike = (self.likeness < least) & (self.contrast < contrasts[-1])
        unlike &= np.concatenate([[False], inserted, [False]])
        return np.asarray(unlike | (self.contrast < BURIED))


NO_BEATS = BeatQuality(np.empty(0), np.empty(0), np.empty(0))


def template_likeness(
    change: FloatArray, beats: IntArray, *, contrast: FloatArray, sampling_rate: float
) -> FloatArray:
    """(B,) likeness of the beats of a derivative ``change`` (S,) at samples (B,); 0.0 below 3."""
    likeness = np.zeros(len(beats))
    if len(beats) < 3:
        return likeness
    for first in range(0, len(beats), _BLOCK):
        low, high = max(0, first - _REACH), min(len(beats), first + _BLOCK + _REACH)
        clearest = low + _clearest(contrast[low:high])  # (E,)
        mine = np.arange(first, min(first + _BLOCK, len(beats)))
        alike = _shapes(change, beats[mine], sampling_rate)
        alike = alike @ _shapes(change, beats[clearest], sampling_rate).T
        alike[mine[:, None] == clearest] = -np.inf
        most = min(len(clearest) - 1, max(_FEWEST // 2, len(clearest) // 10))
        likeness[mine] = np.sort(alike, axis=1)[:, -most:].mean(axis=1)
    return likeness


def _clearest(contrast: FloatArray) -> IntArray:
    """(E,) the beats of at least a third of the contrast that the clearest tenth has, at most a
    third of all and at least ten."""
    enough = int((contrast >= np.percentile(contrast, 90) * _EXEMPLAR).sum())
    count = max(_FEWEST, min(enough, len(contrast) // 3))
    return np.argsort(contrast, kind="stable")[-count:]


def without_artefacts(
    mask: BoolArray, beats: IntArray, is_artefact: BoolArray, sampling_rate: float
) -> BoolArray:
    """The mask without what lies between the last good beat before an artefact and the next one.

    60 ms beside the good beats are kept; pieces of less than 1 s are left out.
    """
    shortest, kept = (window_samples(part, sampling_rate) for part in (_SHORTEST, _KEPT))
    result = mask.copy()
    edges = np.concatenate([[-kept - 1], beats[~is_artefact], [len(mask) + kept]])
    after = np.searchsorted(edges, beats[is_artefact])
    for low, high in zip(edges[after - 1], edges[after], strict=True):
        result[max(0, low + kept + 1) : max(0, high - kept)] = False
    for start, stop in runs(result):
        whole = not (mask[start - 1 : start].any() or mask[stop : stop + 1].any())
        if stop - start < shortest and not whole:
            result[start:stop] = False
    return result


def _shapes(change: FloatArray, beats: IntArray, sampling_rate: float) -> FloatArray:
    """(B, samples) the derivative around each beat, of mean 0 and length 1."""
    half = max(2, round(_HALF * sampling_rate))
    places = np.clip(beats[:, None] + np.arange(-half, half + 1), 0, len(change) - 1)
    shapes = change[places]
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    return np.asarray(
        shapes / (np.linalg.norm(shapes, axis=1, keepdims=True) + np.finfo(float).tiny)
    )
