"""Questionnaires as the page shows and checks them: items by number, no item's text.

The texts are their publishers'; who fills the form in copies the marks from the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from affectscope.errors import StoreError, WebError
from affectscope.io.questionnaire_table import Answer
from affectscope.store.answers import FilledIn
from affectscope.therapy.questionnaires.answers import TIMES, Time, gather_answers
from affectscope.therapy.questionnaires.keys import FORMS, Form, Scale
from affectscope.therapy.questionnaires.scores import QuestionnaireScore, score_answers
from affectscope.web.bodies import LARGEST_NUMBER, Body, Version

MOST_STEPS = 10
"""A scale with more steps than that is typed, not ticked."""

Item = Annotated[str, Field(pattern="^[1-9][0-9]?$", max_length=2)]
Score = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]


class Filled(Body):
    """``version``: of what was there, 0 for nothing. ``answers``: item -> score, None for an item
    that the person left out."""

    version: int = Field(ge=0, le=LARGEST_NUMBER)
    answers: dict[Item, Score | None] = Field(max_length=99)


class Seen(Body):
    version: Version


@dataclass(frozen=True)
class Part:
    """A part of a form under one heading: its items, and a name for each."""

    title: str
    items: Mapping[str, str]


def known_form(questionnaire: str) -> Form:
    """Raises StoreError E_NOT_FOUND."""
    form = FORMS.get(questionnaire)
    if form is None:
        raise StoreError("E_NOT_FOUND", "There is no such questionnaire.", "Choose one.")
    return form


def known_time(time: str) -> Time:
    """Raises StoreError E_NOT_FOUND."""
    found = next((each for each in TIMES if each == time), None)
    if found is None:
        raise StoreError("E_NOT_FOUND", "A questionnaire is filled in before or after.")
    return found


def parts_of(form: Form) -> list[Part]:
    """The form as people see it: one part, or one for each scale that stands by itself (STAI)."""
    words = {number: word for word, number in reversed([*form.item_names.items()])}
    names = {
        item: f"Item {item}: {words[item]}" if item in words else f"Item {item}"
        for item in form.items
    }
    scales = sorted(form.scales, key=lambda scale: scale.items[0])
    if len(scales) > 1 and len(scales) < len(form.items) and _apart(scales):
        return [
            Part(f"{scale.measure}, {len(scale.items)} items", _named(scale.items, names))
            for scale in scales
        ]
    return [Part("", _named(form.items, names))]


def asked_items(form: Form, scores: Mapping[str, float]) -> int:
    """How many items the parts have of which something is answered; each can stand by itself."""
    return sum(len(part.items) for part in parts_of(form) if part.items.keys() & scores.keys())


def _apart(scales: Sequence[Scale]) -> bool:
    """Whether each scale's items come before those of the next."""
    return all(a.items[-1] < b.items[0] for a, b in pairwise(scales))


def _named(items: Iterable[int], names: Mapping[int, str]) -> dict[str, str]:
    return {str(item): names[item] for item in items}


def steps_of(form: Form) -> list[int]:
    """What can be ticked; none where the answer is typed."""
    if not form.whole or form.highest - form.lowest >= MOST_STEPS:
        return []
    return list(range(form.lowest, form.highest + 1))


def checked_scores(form: Form, answers: Mapping[str, float | None]) -> dict[str, float]:
    """The answers that were given.

    Raises:
        WebError: E_VALUE for an item that the form does not have, a score that it does not allow,
            or no answer at all.
    """
    given = {item: score for item, score in answers.items() if score is not None}
    kind = "whole number" if form.whole else "number"
    for item, score in given.items():
        if int(item) not in form.items:
            raise _refused(f"{form.name} has no item {item}.", "Load the page again.")
        if not form.lowest <= score <= form.highest or (form.whole and score % 1):
            raise _refused(
                f"Item {item} is {score:g}, no {kind} from {form.lowest} to {form.highest}.",
                "Correct it.",
            )
    if not given:
        raise _refused("Nothing is answered.", "Answer an item.")
    return {item: int(score) if score % 1 == 0 else score for item, score in given.items()}


def scores_of(filled: Iterable[FilledIn]) -> tuple[QuestionnaireScore, ...]:
    """The totals by the keys, as a report will hold them."""
    rows = [
        Answer(0, "", "", sheet.questionnaire, sheet.time, item, f"{score:g}", "")
        for sheet in filled
        for item, score in sheet.scores.items()
    ]
    return score_answers(gather_answers(rows), {})


def told_score(score: QuestionnaireScore) -> dict[str, Any]:
    """A total as JSON."""
    names = ("measure", "lowest", "highest", "before", "after", "change", "higher_means")
    bands = ("band_before", "band_after", "reason")
    return {name: getattr(score, name) for name in (*names, *bands)}


def _refused(sentence: str, remedy: str) -> WebError:
    return WebError("E_VALUE", sentence, f"{remedy} Nothing was saved.")
