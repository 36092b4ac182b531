"""Whether the ECG and the EDA are what they are said to be: exchanged channels are told (P09).

A swap leaves numbers that can pass for the other signal: an ECG in mV can lie within what skin
conducts. What an EDA never has is heartbeats that make up its course. So a minute in each third of
a signal is read as an ECG (``ecg.analyse_ecg``, which does not depend on the unit). It shows a
heart where it can be read and the beats take a tenth of its range. On the real recordings of
``shared/data`` the share of such time is 0.7 or more in every ECG and 0 in every EDA (a test
repeats it); there, beats take 0.38 of the range or more in an ECG, and 0.011 or less in those two
EDA that the heart leaks into.

Legend: S samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from affectscope.errors import InputError
from affectscope.preprocessing.ecg import MINIMUM_RATE, analyse_ecg, beat_height
from affectscope.records import Notice, Signal

LEAST_OF_A_HEART = 0.3
"""Share of the time looked at that shows a heart; a signal with more is an ECG."""

_EXCERPT = 60.0  # seconds
_SHORTEST = 10.0  # seconds: less cannot be told
_PLACES = (1 / 6, 1 / 2, 5 / 6)
_LEAST_BEAT = 0.1  # of the range


def heart_share(signal: Signal) -> float:
    """Share of three minutes of a signal that shows a heart; 0.0 below 30 Hz."""
    if signal.sampling_rate < MINIMUM_RATE:
        return 0.0
    length = round(_EXCERPT * signal.sampling_rate)
    starts = {max(0, round(place * len(signal.values) - length / 2)) for place in _PLACES}
    return float(np.mean([_heart(signal, start, start + length) for start in sorted(starts)]))


def swap_notices(ecg: Signal | None, eda: Signal | None) -> tuple[Notice, ...]:
    """W_CHANNELS_SWAPPED for each of the two signals that shows what the other one should.

    An EDA with heartbeats is told also where there is no ECG, or where the ECG has a heart too: the
    same channel may have been named twice.
    """
    if eda is None or eda.duration < _SHORTEST or heart_share(eda) < LEAST_OF_A_HEART:
        return ()
    if ecg is not None and heart_share(ecg) < LEAST_OF_A_HEART:
        sentence = (
            "The EDA shows heartbeats and the ECG none: the two channels look as if they were"
            " exchanged. Neither was used; exchange them in session.toml."
        )
        return tuple(Notice("W_CHANNELS_SWAPPED", sentence, name) for name in ("ecg", "eda"))
    sentence = "The EDA shows heartbeats, as an ECG does; it was not used. Name the EDA's channel."
    return (Notice("W_CHANNELS_SWAPPED", sentence, "eda"),)


def _heart(signal: Signal, first: int, stop: int) -> float:
    """Share of the samples that can be read as an ECG; 0.0 where its beats are too small."""
    excerpt = replace(signal, values=signal.values[first:stop], unit="mV", start_time=0.0)
    try:
        analysis = analyse_ecg(excerpt)
    except InputError:
        return 0.0
    if not len(analysis.peak_times):
        return 0.0
    low, high = np.nanpercentile(excerpt.values, [1, 99])
    if beat_height(analysis) < _LEAST_BEAT * (high - low):
        return 0.0
    return float(analysis.valid.mean())
