"""How good a signal is over each window of the network, from its quality second by second."""

from __future__ import annotations

import numpy as np

from affectscope.preprocessing.quality_course import LIMIT, QualityCourse
from affectscope.records import FloatArray


def quality_of_seconds(course: QualityCourse) -> FloatArray:
    """(S,) in [0, 1]: 0 where a second is not used; else how far its lowest factor lies above the
    limit at which it would be masked, 1 being the best."""
    lowest = np.min([*course.factors.values()], axis=0, initial=1.0)
    share = np.clip((lowest - LIMIT) / (1 - LIMIT), 0.0, 1.0)
    return np.asarray(np.where(course.used, np.nan_to_num(share), 0.0))


def window_quality(course: QualityCourse, centres: FloatArray, duration: float) -> FloatArray:
    """(N,) mean quality over the windows of ``duration`` seconds around N times, in [0, 1].

    What of a window lies outside the recording counts as 0. A signal without a course, whose
    quality nobody judged, counts as good.
    """
    if not len(course.seconds):
        return np.ones(len(centres))
    edges = np.append(course.seconds, course.seconds[-1] + 1)
    summed = np.concatenate([[0.0], np.cumsum(quality_of_seconds(course))])
    first, last = (np.interp(centres + by, edges, summed) for by in (-duration / 2, duration / 2))
    return np.asarray(np.clip((last - first) / duration, 0.0, 1.0))
