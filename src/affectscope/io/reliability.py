"""The table [reliability]: what is known of a measure beforehand, for the reliable change index.

[reliability]                                 # of session.toml, or of study.toml for all sessions
measures = [["STAI-S", 10.2, 0.92]]           # name, standard deviation between people, reliability

The numbers come from the user (a test manual, a norm sample): none ships with the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectscope.io.toml_table import TomlTable, is_number

KEYS = ("measures",)


@dataclass(frozen=True)
class Reliability:
    """Of one measure: its standard deviation between people (> 0, in the measure's unit) and its
    reliability (0 to 1, below 1)."""

    standard_deviation: float
    reliability: float


def reliabilities(table: TomlTable | None) -> Mapping[str, Reliability]:
    """By measure; empty where nothing is stated.

    Raises:
        SessionError: E_SESSION; the sentence names the value and what is allowed.
    """
    if table is None:
        return {}
    stated = table.values.get("measures", [])
    expected = (
        "a list of [name, standard deviation > 0, reliability from 0 to below 1], such as"
        ' [["STAI-S", 10.2, 0.92]]'
    )
    if not isinstance(stated, list):
        raise table.wrong("measures", expected)
    found: dict[str, Reliability] = {}
    for item in stated:
        if not (isinstance(item, list) and len(item) == 3 and all(map(is_number, item[1:]))):
            raise table.wrong("measures", expected)
        name, deviation, reliability = item
        known = isinstance(name, str) and name.strip() and name not in found
        if not known or deviation <= 0 or not 0 <= reliability < 1:
            raise table.wrong("measures", expected)
        found[name] = Reliability(float(deviation), float(reliability))
    return found
