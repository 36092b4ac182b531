"""Units: conversions against known pairs, and no guess for an unknown one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectscope.errors import InputError
from affectscope.preprocessing.units import spelled, to_microsiemens, to_millivolts
from affectscope.records import Signal


def signal(values: list[float], unit: str) -> Signal:
    return Signal(np.array(values, dtype=np.float64), 128.0, unit, 3.5)


@pytest.mark.parametrize(
    ("unit", "value"),
    [("V", 0.0015), ("mV", 1.5), ("uV", 1500.0), ("µV", 1500.0), ("\u03bcV", 1500.0)],
)
def test_P06_voltages_of_any_scale_agree(unit: str, value: float) -> None:
    converted = to_millivolts(signal([value, -value, np.nan], unit))
    np.testing.assert_allclose(converted.values, [1.5, -1.5, np.nan], rtol=1e-12)
    assert (converted.unit, converted.sampling_rate, converted.start_time) == ("mV", 128.0, 3.5)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("S", 2.5e-6),
        ("mS", 0.0025),
        ("uS", 2.5),
        ("µS", 2.5),
        ("nS", 2500.0),
        ("Ohm", 400_000.0),
        ("kOhm", 400.0),
        ("kOhms", 400.0),
        ("kΩ", 400.0),
        ("MOhm", 0.4),
    ],
)
def test_P05_conductances_and_resistances_agree(unit: str, value: float) -> None:
    converted = to_microsiemens(signal([value], unit))
    np.testing.assert_allclose(converted.values, [2.5], rtol=1e-12)
    assert converted.unit == "uS"


def test_P05_an_open_circuit_is_no_conductance() -> None:
    converted = to_microsiemens(signal([0.0, -1.0, np.nan, 500.0], "kOhm"))
    np.testing.assert_array_equal(converted.values, [np.nan, np.nan, np.nan, 2.0])


@pytest.mark.parametrize("unit", ["raw", "counts", "ADU", "%", "uS", "MV", "mv", ""])
def test_P05_what_is_no_voltage_is_refused(unit: str) -> None:
    with pytest.raises(InputError, match="V, mV, uV") as caught:
        to_millivolts(signal([1.0], unit or " "))
    assert caught.value.code == "E_UNIT"


@pytest.mark.parametrize("unit", ["raw", "mV", "us", "C", "MS"])
def test_P05_what_is_no_conductance_is_refused(unit: str) -> None:
    with pytest.raises(InputError, match="kOhm") as caught:
        to_microsiemens(signal([1.0], unit))
    assert caught.value.code == "E_UNIT"


@given(st.floats(0.01, 100.0), st.sampled_from(["Ohm", "kOhm", "MOhm"]))
def test_a_resistance_is_the_reciprocal(microsiemens: float, unit: str) -> None:
    scale = {"Ohm": 1e6, "kOhm": 1e3, "MOhm": 1.0}[unit]
    converted = to_microsiemens(signal([scale / microsiemens], unit))
    assert converted.values[0] == pytest.approx(microsiemens, rel=1e-12)


def test_unknown_spellings_come_back_unchanged() -> None:
    assert spelled(" furlong ") == "furlong"
    assert spelled("microsiemens") == "uS"
