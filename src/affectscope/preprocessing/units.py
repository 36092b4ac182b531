"""Units of ECG and EDA, and their conversion. Nothing is guessed: an unknown unit is refused."""

from __future__ import annotations

import numpy as np

from affectscope.errors import InputError
from affectscope.records import Signal

_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6}
_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
_OHM = {"Ohm": 1.0, "kOhm": 1e3, "MOhm": 1e6}
_SPELLINGS = {"µV": "uV", "μV": "uV", "µS": "uS", "μS": "uS", "microsiemens": "uS", "Ω": "Ohm",
              "kΩ": "kOhm", "kΩs": "kOhm", "kOhms": "kOhm", "kohm": "kOhm", "MΩ": "MOhm",
              "ohm": "Ohm", "volt": "V", "millivolt": "mV", "microvolt": "uV"}  # fmt: skip


def spelled(unit: str) -> str:
    """The unit's canonical spelling ("µS" -> "uS"); unknown units come back unchanged."""
    return _SPELLINGS.get(unit.strip(), unit.strip())


def to_millivolts(signal: Signal) -> Signal:
    """ECG in mV. Raises InputError E_UNIT for a unit that is no voltage."""
    return _scaled(signal, _VOLTS, "mV")


def to_microsiemens(signal: Signal) -> Signal:
    """EDA in uS, from a conductance or a resistance (reciprocal; values <= 0 become NaN).

    Raises:
        InputError: E_UNIT for a unit that is neither.
    """
    unit = spelled(signal.unit)
    if unit not in _OHM:
        return _scaled(signal, _SIEMENS, "uS")
    ohm = signal.values * _OHM[unit]
    conductance = np.full_like(ohm, np.nan)
    np.divide(1e6, ohm, out=conductance, where=ohm > 0)
    return Signal(conductance, signal.sampling_rate, "uS", signal.start_time)


def _scaled(signal: Signal, factors: dict[str, float], target: str) -> Signal:
    unit = spelled(signal.unit)
    if unit not in factors:
        allowed = ", ".join([*factors, *_OHM] if target == "uS" else factors)
        raise InputError(
            "E_UNIT",
            f"The unit '{signal.unit}' cannot be converted to {target}.",
            f"State one of {allowed}; raw converter counts need their device's reader.",
        )
    # One factor, so that 1000 uV and 1 mV give the same floating-point number.
    factor = factors[unit] / factors[target]
    return Signal(signal.values * factor, signal.sampling_rate, target, signal.start_time)
