"""One session's result.json as the study takes it: what was measured, and how much was usable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from affectscope.errors import SessionError
from affectscope.evaluation.statistics import Estimate

Kind = Literal["affect", "physiology", "questionnaire"]
KINDS: tuple[Kind, ...] = ("affect", "physiology", "questionnaire")
PHASES = ("before", "after")
FORMAT = 2
"""The result.json that is read."""

_ASSESSED = ("simulated_person", "notices", "coverage", "phase_rule", "model", "versions")
_REQUIRED = {"OK": _ASSESSED, "DEGRADED": _ASSESSED, "REJECTED": ("code", "sentence")}
"""Status -> the keys that the study's page takes as they are."""


@dataclass(frozen=True)
class StudyMeasure:
    """One quantity of one session; ``left_out`` says why it does not count, "" where it does.

    ``reason``: why a value is absent, or how a total was reached. ``sizes``: effect sizes and
    reliable change as result.json holds them.
    """

    name: str
    unit: str
    kind: Kind
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    digits: int
    reason: str = ""
    sizes: Mapping[str, Any] = field(default_factory=dict)
    left_out: str = ""


@dataclass(frozen=True, eq=False)
class StudySession:
    """One session: its folder below the study's, whose it is ("" where not known), and its result.

    ``number``: 1.. among the patient's sessions, 0 where the patient is not known or the session is
    a duplicate. ``usable``: phase -> modality -> share in [0, 1].
    """

    name: str
    folder: str
    patient: str
    number: int
    status: str
    counted: bool
    measures: tuple[StudyMeasure, ...]
    usable: Mapping[str, Mapping[str, float]]
    result: Mapping[str, Any]

    @property
    def simulated(self) -> bool:
        return bool(self.result.get("simulated_person"))

    @property
    def model(self) -> Mapping[str, Any] | None:
        """Which weights scored it, None where none did."""
        model: Mapping[str, Any] | None = self.result.get("model")
        return model

    @property
    def notices(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self.result.get("notices", [])
        return found

    def measure(self, name: str) -> StudyMeasure | None:
        """The measure of that name, whether it counts or not."""
        return next((part for part in self.measures if part.name == name), None)


def read_session(name: str, given: Mapping[str, Any], number: int) -> StudySession:
    """Read a result; a REJECTED one has no measures and does not count.

    Args:
        name: of its folder in the study's ``sessions``.
        number: among the patient's sessions, see ``StudySession``.

    Raises:
        SessionError: E_STUDY where the result is of another version or lacks a part.
    """
    try:
        return _session(printable(name), printable(given), number)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SessionError(
            "E_STUDY",
            f"sessions/{ascii(name)[1:-1]}/result.json is not what this version of affectscope"
            " writes.",
            "Run the study again with --out naming a new folder.",
        ) from error


def printable(value: Any) -> Any:
    """The same, with texts that UTF-8 cannot hold (lone surrogates) written as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value


def _session(name: str, result: Mapping[str, Any], number: int) -> StudySession:
    status, patient = result["status"], str(result.get("subject_id") or "")
    _check(result, status)
    folder = str(result.get("session_folder") or name)
    if status == "REJECTED":
        return StudySession(name, folder, patient, number, status, False, (), {}, result)
    usable = {
        phase: {str(key): float(share) for key, share in result["phase_coverage"][phase].items()}
        for phase in PHASES
    }
    measures = tuple(_measures(result))
    return StudySession(name, folder, patient, number, status, True, measures, usable, result)


def _check(result: Mapping[str, Any], status: str) -> None:
    """Raises KeyError, TypeError or ValueError for what the page could not take as it is."""
    if result["format"] != FORMAT:
        raise ValueError(result["format"])
    lacking = [key for key in _REQUIRED[status] if key not in result]
    notices, model = result.get("notices", []), result.get("model")
    lacking += [notice for notice in notices if not isinstance(notice["code"], str)]
    if lacking or (model is not None and not isinstance(model["checkpoint_id"], str)):
        raise ValueError(lacking, model)


def _measures(result: Mapping[str, Any]) -> list[StudyMeasure]:
    kinds: tuple[tuple[Kind, Mapping[str, Any]], ...] = (
        ("affect", result["affect"] or {}),
        ("physiology", result["physiology"]),
    )
    found = [_measure(name, part, kind) for kind, given in kinds for name, part in given.items()]
    return found + [
        _measure(part["measure"], part, "questionnaire") for part in result["questionnaires"]
    ]


def _measure(name: str, part: Mapping[str, Any], kind: Kind) -> StudyMeasure:
    before, after, change = (_estimate(part[key]) for key in (*PHASES, "change"))
    sizes = {key: part.get(key) for key in ("hedges_g_av", "nonoverlap", "reliable_change")}
    return StudyMeasure(
        str(name),
        str(part["unit"]),
        kind,
        before,
        after,
        change,
        int(part.get("digits", 1)),
        str(part["reason"]),
        sizes,
    )


def _estimate(value: Any) -> Estimate | None:
    """An estimate, or a questionnaire's total, which is one number without an interval."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        low, high = (None if value[key] is None else float(value[key]) for key in ("low", "high"))
        return Estimate(float(value["mean"]), low, high, int(value["count"]))
    if not math.isfinite(value):
        raise ValueError(value)
    return Estimate(float(value), None, None, 1)
