"""Many people's answers in one table: mean totals by the key and without reversing, side by side.

Whether answers were reversed before they were entered, no single person's table shows, but a
group's does: marks on items of opposite wording go apart where people mean what they mark, and go
together where the one kind has been reversed.

Legend: P people.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affectscope.evaluation.statistics import Estimate
from affectscope.io.questionnaire_table import AnswerTable
from affectscope.therapy.questionnaires.answers import (
    TIMES,
    Answers,
    Entry,
    Time,
    gather_answers,
    own_rows,
)
from affectscope.therapy.questionnaires.keys import FORMS, Form, Scale
from affectscope.therapy.questionnaires.totals import plain_total, scale_total

LEAST_PEOPLE = 10
"""Fewer say nothing about how the two kinds of items go together."""


@dataclass(frozen=True)
class GroupTotal:
    """Means over the people who answered a scale in full at one time.

    Attributes:
        plain: mean of the sums without reversing; equal to ``by_key`` where nothing is reversed.
        together: Pearson's correlation over people between the mean mark on the items that the key
            reverses and on the others, with Fisher's 95 % interval; None for fewer
            than ``LEAST_PEOPLE`` or no such items.
    """

    measure: str
    time: Time
    people: int
    by_key: float
    plain: float
    together: Estimate | None


def people_of(table: AnswerTable) -> tuple[tuple[str, str], ...]:
    """(subject, session) of the rows, each once, in order; "" where the table has no such column.

    Rows that lack what the table has a column for are nobody's.
    """
    return tuple(
        (subject, session)
        for subject, session in table.by_person
        if (subject or not table.has_subject) and (session or not table.has_session)
    )


def group_totals(table: AnswerTable) -> tuple[GroupTotal, ...]:
    """Each scale and time that anybody answered in full, in the order of ``FORMS``."""
    everybody = [gather_answers(own_rows(table, *person)) for person in people_of(table)]
    found = [
        _group_total(form, scale, time, everybody)
        for form in FORMS.values()
        for scale in form.scales
        for time in TIMES
    ]
    return tuple(total for total in found if total is not None)


def _group_total(
    form: Form, scale: Scale, time: Time, everybody: Iterable[Answers]
) -> GroupTotal | None:
    whole = [
        entries
        for entries in (answers.of(form, time) for answers in everybody)
        if all(item in entries for item in scale.items)
    ]
    if not whole:
        return None
    totals = [scale_total(form, scale, entries)[0] for entries in whole]
    plain = [plain_total(entries[item].value for item in scale.items) for entries in whole]
    by_key = float(np.mean([total for total in totals if total is not None]))
    return GroupTotal(
        scale.measure, time, len(whole), by_key, float(np.mean(plain)), _together(scale, whole)
    )


def _together(scale: Scale, whole: Sequence[Mapping[int, Entry]]) -> Estimate | None:
    kinds = [
        [item for item in scale.items if (item in scale.reversed_items) == reversed_]
        for reversed_ in (True, False)
    ]
    if len(whole) < LEAST_PEOPLE or not all(kinds):
        return None
    # (2, P)
    means = np.array([[np.mean([e[i].value for i in kind]) for e in whole] for kind in kinds])
    if not means.std(axis=1).all():
        return None
    r, half = float(np.corrcoef(means)[0, 1]), 1.96 / math.sqrt(len(whole) - 3)
    if not abs(r) < 1:
        return Estimate(r, None, None, len(whole))
    low, high = (math.tanh(math.atanh(r) + side) for side in (-half, half))
    return Estimate(r, low, high, len(whole))
