"""What AMIGOS' files do not say of their signals, chosen by tests on the signals themselves.

1. The ECG lead: the one of which ``analyse_ecg`` can read more; the right one unless the left is
   clearly better, since the left is known to be noisier.
2. The ECG's unit: the one in which a heartbeat is nearest to 1.5 mV from trough to peak [?].
3. Whether the GSR is a conductance or a resistance: skin conductance rises fast and falls slowly
   (Boucsein, "Electrodermal Activity", 2012), so the slope of its logarithm is skewed to the right;
   that of a resistance is the mirror image. On the 25 wristband records of ``stress_predict``, cut
   into pieces of 90 s, the sign is right for 22. That is optimistic: this statistic is the best of
   27 that were tried on those same records (15 to 22 right), and the threshold of 0.5 was set after
   seeing them. So only a clear skewness overrules what the size of the numbers says.
4. The GSR's unit: the one in which its median is nearest to 5 uS; 0.3 to 60 uS is plausible.

Each choice is made once per person, over all trials, and told as a notice (W_ASSUMED).

Legend: S samples of a trial, each list has one entry per trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from affectscope.datasets.amigos_layout import NOISY_GSR_SAMPLES, SAMPLING_RATE
from affectscope.errors import InputError
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.records import FloatArray, Notice, Signal

Lead = Literal["right", "left"]
Quantity = Literal["conductance", "resistance"]

_USUAL_BEAT = 1.5  # mV
_USUAL_LEVEL = 5.0  # uS
_VOLTAGES = {"V": 1e3, "mV": 1.0, "uV": 1e-3}  # in mV
_CONDUCTANCES = {"S": 1e6, "mS": 1e3, "uS": 1.0, "nS": 1e-3}  # in uS
_RESISTANCES = {"Ohm": 1e6, "kOhm": 1e3, "MOhm": 1.0}  # in uS times the value
_CLEARLY_BETTER = 0.02  # share of readable time
_JUDGED_TRIALS = 6
_CLEAR_SKEWNESS = 0.5
_FEWEST_SLOPES = 8
_PLAUSIBLE_MEDIAN = (0.3, 60.0)  # uS


@dataclass(frozen=True)
class EcgChoice:
    """The lead and unit, and why: share of time that can be read of (right, left)."""

    lead: Lead
    unit: str
    readable: tuple[float, float]

    def notice(self) -> Notice:
        right, left = (f"{100 * share:.0f} %" for share in self.readable)
        sentence = (
            f"The {self.lead} ECG lead was taken: {right} of the right and {left} of the left "
            f"lead's judged time can be read. Its unit is not stated; by its amplitude it is "
            f"taken for {self.unit}."
        )
        return Notice("W_ASSUMED", sentence, "ecg")


@dataclass(frozen=True)
class EdaChoice:
    """Quantity and unit of the GSR, and why.

    Attributes:
        skewness: of its slope, see ``slope_skewness``.
        median: in the file's numbers.
        plausible: the quantities that can have such a median in one of their units.
    """

    quantity: Quantity
    unit: str
    skewness: float
    median: float
    plausible: tuple[Quantity, ...]

    @property
    def is_sure(self) -> bool:
        """Whether the slope says so clearly and the size of the numbers does not deny it."""
        return abs(self.skewness) >= _CLEAR_SKEWNESS and self.quantity in self.plausible

    def notice(self) -> Notice:
        doubt = "" if self.is_sure else " That is not enough to be sure: check it."
        sentence = (
            f"The GSR is taken for a {self.quantity} in {self.unit}: the slope of its logarithm "
            f"has a skewness of {self.skewness:+.2f}, and its median is {self.median:.4g}.{doubt}"
        )
        return Notice("W_ASSUMED", sentence, "eda")


def choose_ecg(right: Sequence[FloatArray], left: Sequence[FloatArray]) -> EcgChoice | None:
    """Lead and unit over a person's trials without missing samples; None where there are none.

    Six trials, spread over the session, are judged: a lead that is bad is bad throughout.
    """
    whole = [
        pair for pair in zip(right, left, strict=True) if len(pair[0]) and np.isfinite(pair).all()
    ]
    if not whole:
        return None
    places = np.unique(np.linspace(0, len(whole) - 1, _JUDGED_TRIALS).round().astype(int))
    judged = [whole[place] for place in places]
    leads = [[pair[side] for pair in judged] for side in (0, 1)]
    units = [_nearest_unit(_beat_size(lead), _VOLTAGES, _USUAL_BEAT) for lead in leads]
    shares = [_readable_share(lead, unit) for lead, unit in zip(leads, units, strict=True)]
    better = int(shares[1] > shares[0] + _CLEARLY_BETTER)
    return EcgChoice(("right", "left")[better], units[better], (shares[0], shares[1]))


def _readable_share(trials: Sequence[FloatArray], unit: str) -> float:
    """Valid share of the time of all trials; a trial without three heartbeats counts as none."""
    valid, total = 0, 0
    for values in trials:
        total += len(values)
        try:
            analysis = analyse_ecg(Signal(values, SAMPLING_RATE, unit, 0.0))
        except InputError:
            continue
        if len(analysis.peak_times) >= 3:
            valid += int(analysis.valid.sum())
    return valid / total if total else 0.0


def _beat_size(trials: Sequence[FloatArray]) -> float:
    """Median over seconds of maximum - minimum: every second or so holds a heartbeat."""
    width = round(SAMPLING_RATE)
    swings = [
        np.ptp(values[: len(values) // width * width].reshape(-1, width), axis=1)
        for values in trials
    ]
    return float(np.median(np.concatenate(swings)))


def guarded_gsr(values: FloatArray) -> tuple[FloatArray, int]:
    """(S,) with NaN for the first noisy samples and for values <= 0, and how many of those."""
    result = values.copy()
    result[:NOISY_GSR_SAMPLES] = np.nan
    impossible = result <= 0
    result[impossible] = np.nan
    return result, int(impossible.sum())


def choose_eda(trials: Sequence[FloatArray]) -> EdaChoice | None:
    """Quantity and unit over a person's guarded trials; None where nothing is above zero."""
    known = np.concatenate([np.empty(0), *(values[np.isfinite(values)] for values in trials)])
    if not len(known):
        return None
    median, skewness = float(np.median(known)), slope_skewness(trials)
    # A resistance R in a unit worth f is f / R in uS.
    units: dict[Quantity, str] = {
        "conductance": _nearest_unit(median, _CONDUCTANCES, _USUAL_LEVEL),
        "resistance": _nearest_unit(1.0 / median, _RESISTANCES, _USUAL_LEVEL),
    }
    levels: dict[Quantity, float] = {
        "conductance": median * _CONDUCTANCES[units["conductance"]],
        "resistance": _RESISTANCES[units["resistance"]] / median,
    }
    low, high = _PLAUSIBLE_MEDIAN
    plausible = tuple(name for name, level in levels.items() if low <= level <= high)
    quantity: Quantity = "conductance" if skewness > 0 else "resistance"
    if abs(skewness) < _CLEAR_SKEWNESS:
        quantity = min(levels, key=lambda name: abs(np.log(levels[name] / _USUAL_LEVEL)))
    return EdaChoice(quantity, units[quantity], skewness, median, plausible)


def slope_skewness(trials: Sequence[FloatArray], sampling_rate: float = SAMPLING_RATE) -> float:
    """Skewness of the slope of log(values) from second to second: median over trials; 0 for none.

    Exactly the opposite for 1 / values.
    """
    width = max(1, round(sampling_rate))
    found = []
    for values in trials:
        positive = np.where(values > 0, values, np.nan)  # False for NaN
        seconds = np.log(positive[: len(values) // width * width].reshape(-1, width)).mean(axis=1)
        slope = np.diff(seconds)
        slope = slope[np.isfinite(slope)]
        if len(slope) >= _FEWEST_SLOPES and slope.std() > 0:
            scaled = (slope - slope.mean()) / slope.std()
            found.append(float((scaled**3).mean()))
    return float(np.median(found)) if found else 0.0


def _nearest_unit(value: float, units: Mapping[str, float], usual: float) -> str:
    """The unit that brings a value nearest, as a ratio, to what is usual."""
    if value <= 0:
        return next(unit for unit, factor in units.items() if factor == 1.0)
    return min(units, key=lambda unit: abs(np.log(value * units[unit] / usual)))
