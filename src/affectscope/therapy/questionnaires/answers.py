"""Rows of a table of answers -> one person's usable answers, and what of them cannot be used.

Where nothing else says so, and what we do:
1. Answers are what the person marked. A row whose coding is "reversed" was reversed before it was
   entered, where the key reverses the item, and is taken as it is.
2. An item that is there twice counts once where both answers are equal, and not at all otherwise.
3. In a table with a column of subjects (sessions), a row without one is nobody's, and is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from affectscope.io.number_format import is_missing
from affectscope.io.questionnaire_table import Answer, AnswerTable
from affectscope.records import Notice
from affectscope.therapy.questionnaires.keys import FORMS, Form, Sheet, find_sheet

Time = Literal["before", "after"]
TIMES: tuple[Time, ...] = ("before", "after")

_TIME_WORDS: Mapping[str, Time] = {
    "before": "before", "pre": "before", "after": "after", "post": "after",
}  # fmt: skip
_TOTAL_WORDS = ("total", "sum")
_CODINGS: Mapping[str, bool] = {"": False, "raw": False, "reversed": True}
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:[.,][0-9]{1,9})?")
_MOST_TOLD = 5


@dataclass(frozen=True)
class Entry:
    """One usable answer as it was entered, and whether it was reversed before."""

    value: float
    reversed: bool


@dataclass(frozen=True)
class StatedTotal:
    """A row "Total": what the table itself says, of which part of a form and when."""

    line: int
    sheet: Sheet
    time: Time
    value: float


@dataclass
class Answers:
    """What one person's rows hold: per form and time the usable entry of each item.

    Attributes:
        asked: the scales of which there is a row, usable or not.
        faults: lines that cannot be used, and why.
    """

    entries: dict[tuple[str, Time], dict[int, Entry]] = field(default_factory=dict)
    totals: list[StatedTotal] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    faults: list[tuple[int, str]] = field(default_factory=list)
    clashes: set[tuple[str, Time, int]] = field(default_factory=set)

    def of(self, form: Form, time: Time) -> Mapping[int, Entry]:
        """The usable entries of a form at a time, by item."""
        return self.entries.get((form.name, time), {})


def own_rows(table: AnswerTable, subject_id: str, session_id: str) -> tuple[Answer, ...]:
    """The rows of one session; all of them where the table has no such columns."""
    person = subject_id if table.has_subject else "", session_id if table.has_session else ""
    return table.by_person.get(person, ())


def gather_answers(rows: Iterable[Answer]) -> Answers:
    """One person's rows, checked one by one; what cannot be used is in ``faults``."""
    answers = Answers()
    for row in rows:
        fault = _take(row, answers)
        if fault:
            answers.faults.append((row.line, fault))
    return answers


def _take(row: Answer, answers: Answers) -> str:
    """Enter one row; returns why it cannot be used, "" if it can."""
    sheet, time = find_sheet(row.questionnaire), _TIME_WORDS.get(row.time.casefold())
    if sheet is None:
        return f"no questionnaire {_cited(row.questionnaire)} is known ({', '.join(FORMS)} are)"
    if time is None:
        return f"the time {_cited(row.time)} is neither before nor after"
    form, name = sheet.form, sheet.form.name
    if row.item.casefold() in _TOTAL_WORDS:
        return _take_total(row, sheet, time, answers)
    item = sheet.item(row.item)
    if item is None:
        return f"{_cited(row.questionnaire)} has no item {_cited(row.item)}"
    answers.asked |= {scale.measure for scale in sheet.scales if item in scale.items}
    if is_missing(row.score):
        return ""
    if row.coding.casefold() not in _CODINGS:
        return f"the coding {_cited(row.coding)} is neither raw nor reversed"
    value = _number(row.score)
    if value is None or not form.lowest <= value <= form.highest or (form.whole and value % 1):
        kind = "whole number" if form.whole else "number"
        allowed = f"no {kind} from {form.lowest} to {form.highest}"
        return f"{name} item {item} {time} is {_cited(row.score)}, {allowed}"
    return _enter(answers, (name, time, item), Entry(value, _CODINGS[row.coding.casefold()]))


def _enter(answers: Answers, place: tuple[str, Time, int], entry: Entry) -> str:
    name, time, item = place
    known = answers.entries.setdefault((name, time), {})
    if place not in answers.clashes and known.get(item, entry) == entry:
        twice = item in known
        known[item] = entry
        return f"{name} item {item} {time} is there twice, with the same answer" if twice else ""
    answers.clashes.add(place)
    known.pop(item, None)
    return f"{name} item {item} {time} is there twice, with different answers: none counts"


def _take_total(row: Answer, sheet: Sheet, time: Time, answers: Answers) -> str:
    value = _number(row.score)
    if value is not None:
        answers.totals.append(StatedTotal(row.line, sheet, time, value))
        return ""
    if is_missing(row.score):
        return ""
    return f"the total {_cited(row.score)} of {sheet.form.name} {time} is no number"


def _number(cell: str) -> float | None:
    return float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell) else None


def _cited(cell: str) -> str:
    """A cell from outside as it may stand in a sentence."""
    return ascii(cell if len(cell) <= 40 else f"{cell[:40]}...")


def nobodys_rows(table: AnswerTable, subject_id: str) -> list[tuple[int, str]]:
    """Lines of the table that cannot be given to anybody."""
    faults = [(line, "it has not as many fields as the header") for line in table.unfit]
    for (subject, session), rows in table.by_person.items():
        if table.has_subject and not subject:
            faults += [(row.line, "it names no subject") for row in rows]
        elif table.has_session and not session and subject in ("", subject_id):
            faults += [(row.line, "it names no session") for row in rows]
    return faults


def unusable_rows(file: str, faults: Sequence[tuple[int, str]]) -> list[Notice]:
    """One notice for all lines that cannot be used: the first few in full, the rest by number."""
    if not faults:
        return []
    ordered = sorted(faults)
    told = "; ".join(f"line {line}: {why}" for line, why in ordered[:_MOST_TOLD])
    rest = _ranges([line for line, _ in ordered[_MOST_TOLD:]])
    more = f"; and lines {rest}" if rest else ""
    count = f"{len(ordered)} row{'s' if len(ordered) > 1 else ''}"
    sentence = f"{file}: {count} not used as written: {told}{more}."
    return [Notice("W_QUESTIONNAIRE", sentence)]


def _ranges(lines: Sequence[int]) -> str:
    """ "3-7, 9" for rising numbers."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line <= spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in spans)
