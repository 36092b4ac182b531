"""A scale's total by its key and its rule for missing items; the table's own totals beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from affectscope.records import Notice
from affectscope.therapy.questionnaires.answers import Answers, Entry, StatedTotal
from affectscope.therapy.questionnaires.keys import Form, Scale


def scale_total(form: Form, scale: Scale, entries: Mapping[int, Entry]) -> tuple[float | None, str]:
    """The total by the key, and why it is absent or how it was estimated.

    ``entries`` are a form's usable entries by item; other scales' are not looked at.
    """
    count = len(scale.items)
    given = [_by_key(form, scale, i, entries[i]) for i in scale.items if i in entries]
    missing = [item for item in scale.items if item not in entries]
    if not missing:
        return plain_total(given), ""
    if not given:
        return None, "not answered"
    items = f"item{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
    if len(missing) > scale.most_missing:
        allowed = f"at most {scale.most_missing}" if scale.most_missing else "none"
        return None, f"{items} of {count} missing or not usable, {allowed} may be: no total"
    estimate = plain_total(given) * count / len(given)
    if scale.rounded_up:
        estimate = float(math.ceil(round(estimate, 6)))
    rounded = ", rounded up" if scale.rounded_up else ""
    return estimate, f"{items} missing: estimated as the mean of the other {len(given)}{rounded}"


def plain_total(answers: Iterable[float]) -> float:
    """The sum of answers as they are, without reversing any."""
    return math.fsum(answers)


def contradictions(file: str, answers: Answers) -> list[Notice]:
    """The table's own totals that differ from ours, and what they equal instead.

    A row "Total" is never used as a result.
    """
    plain: list[str] = []
    unknown: list[str] = []
    for stated in answers.totals:
        entries = answers.of(stated.sheet.form, stated.time)
        if _agrees(stated, entries):
            continue
        entered = [entries[item].value for item in stated.sheet.items if item in entries]
        is_plain = bool(entered) and math.isclose(stated.value, plain_total(entered))
        told = f"{stated.sheet.form.name} {stated.time} {stated.value:g} (line {stated.line})"
        (plain if is_plain else unknown).append(told)
    sentences = []
    if plain:
        sentences.append(
            f"{file}: its totals {', '.join(plain)} are the plain sums of the answers, with no item"
            " reversed; those by the key differ, and are what counts here. If the answers were"
            ' reversed before they were entered, say so with "reversed" in a column coding.'
        )
    if unknown:
        sentences.append(
            f"{file}: its totals {', '.join(unknown)} equal neither the total by the key nor the"
            " plain sum of the answers. The total by the key is what counts here."
        )
    return [Notice("W_QUESTIONNAIRE", sentence) for sentence in sentences]


def _agrees(stated: StatedTotal, entries: Mapping[int, Entry]) -> bool:
    """Whether a stated total is that by the key, or the sum of those of all its scales."""
    form, scales = stated.sheet.form, stated.sheet.scales
    own = [scale_total(form, scale, entries)[0] for scale in scales]
    known = [total for total in own if total is not None]
    return len(known) == len(own) and math.isclose(stated.value, plain_total(known))


def _by_key(form: Form, scale: Scale, item: int, entry: Entry) -> float:
    if item in scale.reversed_items and not entry.reversed:
        return form.lowest + form.highest - entry.value
    return entry.value
