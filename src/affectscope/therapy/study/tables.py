"""A study's CSV tables: patients, sessions, statistics, agreement, exclusions.

Text is made inert for spreadsheet programs, numbers stay numbers (``io.spreadsheet_text``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectscope.evaluation.quadrants import QUADRANTS
from affectscope.evaluation.statistics import Estimate
from affectscope.io.spreadsheet_text import Cell, write_table
from affectscope.records import MODALITIES
from affectscope.therapy.study.reading import PHASES, StudyMeasure, StudySession
from affectscope.therapy.study.rows import StudyRows

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance

    from affectscope.therapy.study.statistics import Agreement, GroupChange

Row = dict[str, Cell]
_MODEL = ("checkpoint_id", "population")
_NESTED = ("mixed", "bland_altman", "bland_altman_before", "bland_altman_after")


def write_tables(
    rows: StudyRows,
    table: pd.DataFrame,
    *,
    changes: Sequence[GroupChange],
    agreements: Sequence[Agreement],
    folder: Path,
) -> tuple[Path, ...]:
    """Write the five tables, each whole or not at all; ``table`` is ``rows.long_table``.

    Returns:
        What was written.

    Raises:
        OutputError: E_OUTPUT.
    """
    contents: dict[str, Iterable[Row]] = {
        "patients.csv": _patient_rows(rows, table),
        "sessions.csv": map(_session_row, rows.sessions),
        "statistics.csv": map(_flat, changes),
        "agreement.csv": map(_flat, agreements),
        "exclusions.csv": map(_flat, rows.exclusions),
    }
    written = []
    for name, found in contents.items():
        path, given = folder / name, list(found)
        # Rows differ in what they have; columns stand in the order in which they first come up.
        columns = list(dict.fromkeys([*_HEADS[name], *(key for row in given for key in row)]))
        write_table(path, columns, ([row.get(key) for key in columns] for row in given))
        written.append(path)
    return tuple(written)


_HEADS: Mapping[str, Sequence[str]] = {
    "patients.csv": ("patient", "sessions", "counted"),
    "sessions.csv": ("session", "patient", "number", "status", "counted"),
    "statistics.csv": ("measure", "unit", "kind", "patients", "sessions"),
    "agreement.csv": ("first", "second", "patients"),
    "exclusions.csv": ("session", "patient", "measures", "code", "reason"),
}


def column(measure: str) -> str:
    """A measure's name as the start of a column's: "heart_rate"."""
    return "_".join(measure.split()).lower()


def _patient_rows(rows: StudyRows, table: pd.DataFrame) -> list[Row]:
    """Each patient's means over the sessions that count, in the order of their first session."""
    table = table.assign(change=table["after"] - table["before"]).dropna(subset=["change"])
    parts = (*PHASES, "change")
    means = table.groupby(["patient", "measure"])[list(parts)].mean()
    known = dict(zip(means.index, means.to_numpy().tolist(), strict=True))
    found = []
    for patient in rows.patients:
        own = rows.of(patient)
        row: Row = {
            "patient": patient,
            "sessions": len(own),
            "counted": sum(session.counted for session in own),
        }
        for measure in rows.measures():
            values = known.get((patient, measure), (None,) * len(parts))
            for part, value in zip(parts, values, strict=True):
                row[f"{column(measure)}_{part}"] = value
        found.append(row)
    return found


def _session_row(session: StudySession) -> Row:
    row: Row = {
        "session": session.folder,
        "patient": session.patient,
        "number": session.number or None,
        "status": session.status,
        "counted": session.counted,
        "simulated_person": session.simulated,
        "code": session.result.get("code"),
    }
    for phase in PHASES:
        for modality in MODALITIES:
            row[f"usable_{phase}_{modality}"] = session.usable.get(phase, {}).get(modality)
    for key in ("quadrants", "quadrant_probability", "quadrant_time"):
        given = session.result.get(key) or {}
        for phase in PHASES:
            row |= _quadrant_cells(f"{key.removesuffix('s')}_{phase}", given.get(phase))
    for measure in session.measures:
        row |= _measure_cells(measure)
    model: Mapping[str, Any] = session.model or {}
    row |= {f"model_{key}": model.get(key) for key in _MODEL}
    return row


def _quadrant_cells(name: str, given: Any) -> Row:
    """The quadrant, or a number (or estimate) for each of the four."""
    if not isinstance(given, Mapping):
        return {} if given is None else {name: str(given)}
    row: Row = {}
    for quadrant in QUADRANTS:
        row |= _number_cells(f"{name}_{quadrant}", given.get(quadrant))
    return row


def _measure_cells(measure: StudyMeasure) -> Row:
    name = column(measure.name)
    row: Row = {}
    for part in (*PHASES, "change"):
        row |= estimate_cells(f"{name}_{part}", getattr(measure, part))
    for key, value in measure.sizes.items():
        if key == "reliable_change":
            value = value or {}
            row[f"{name}_reliable_change_index"] = value.get("index")
            row[f"{name}_reliable_change"] = value.get("reliable")
        else:
            row |= _number_cells(f"{name}_{key}", value)
    row[f"{name}_left_out"] = measure.left_out or measure.reason
    return row


def _number_cells(name: str, value: Any) -> Row:
    if isinstance(value, Mapping):
        return {
            name: value.get("mean"),
            f"{name}_low": value.get("low"),
            f"{name}_high": value.get("high"),
        }
    return {name: value}


def estimate_cells(name: str, estimate: Estimate | None) -> Row:
    """An estimate as three cells: its mean, and the ends of its interval."""
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _flat(item: DataclassInstance, before: str = "") -> Row:
    """A dataclass of numbers, texts, estimates, and further ones in it, as one row."""
    row: Row = {}
    for part in fields(item):
        name, value = f"{before}{part.name}", getattr(item, part.name)
        if isinstance(value, Estimate):
            row |= estimate_cells(name, value)
        elif part.name == "unit" and value.startswith("-"):
            row[name] = f"from {value}"  # "-1 to 1" would need an apostrophe
        elif is_dataclass(value) and not isinstance(value, type):
            row |= _flat(value, f"{name}_")
        elif part.name not in _NESTED:
            row[name] = value
    return row
