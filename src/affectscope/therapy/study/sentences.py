"""What a study's numbers allow to say, as sentences: headlines, rules, limits.

Where no rule is written, and what we do:
1. A headline says "rose" or "fell" on average only where the interval over patients leaves out
   zero; else it says that the direction is open.
2. A two-sided permutation test over P patients cannot give less than 2 / 2**P: below 0.05 from six
   patients on. Where it cannot, one sentence says so, and no p stands in the headlines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from affectscope.evaluation.group_changes import LEVEL
from affectscope.pages import INTENDED_USE
from affectscope.therapy.study.rows import StudyFacts, StudyRows

if TYPE_CHECKING:
    from affectscope.therapy.study.statistics import GroupChange

MAIN = ("valence", "arousal", "heart rate", "EDA level")
"""What the first page says in words."""


def p_text(p: float | None) -> str:
    """ "0.031", "< 0.001", or a dash."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def headline(change: GroupChange, digits: int) -> str:
    """One measure in one sentence or two: how far, how sure, and in how many patients."""
    name = change.measure[0].upper() + change.measure[1:]
    unit = "" if change.kind == "affect" else f" {change.unit}"
    found = change.change
    if found is None or change.patients == 0:
        return f"{name}: no patient has a value before and after."
    way = "rose" if found.mean > 0 else "fell"
    amount = f"{abs(found.mean):.{digits}f}{unit}"
    if change.patients == 1:
        return f"{name} {way} by {amount} in the one patient, which says nothing about others."
    moved = change.rose if found.mean > 0 else change.fell
    counts = f"it {way} in {moved} of {change.patients} patients"
    if found.low is None or found.high is None:
        return f"{name} {way} by {amount} on average; no interval can be given; {counts}."
    interval = f"95 % interval over patients {found.low:+.{digits}f} to {found.high:+.{digits}f}"
    doubt = ", but the direction is open" if found.low <= 0 <= found.high else ""
    return f"{name} {way} by {amount} on average{doubt} ({interval}; {counts}).{_test(change)}"


def cannot_be_tested(changes: Sequence[GroupChange]) -> list[str]:
    """One sentence where so few patients changed that no test can say anything."""
    few = [_moved(one) for one in changes if one.patients > 1 and not _testable(one)]
    most = max(few, default=0)
    if most == 0:
        return []
    return [
        f"{most} patients are too few for a test over patients: whatever they show, its p cannot be"
        f" below {_least_p(most):.2g}."
    ]


def _test(change: GroupChange) -> str:
    """What the permutation test says, where it can say anything."""
    if change.p_permutation is None or not _testable(change):
        return ""
    text = f" p {_equal(change.p_permutation)}"
    if change.p_holm is None:
        return f"{text}."
    chance = "" if change.p_holm < LEVEL else ": it may be chance"
    return f"{text}, after Holm p {_equal(change.p_holm)}{chance}."


def _equal(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _moved(change: GroupChange) -> int:
    """Patients who changed at all: those who did not say nothing about a direction."""
    return change.rose + change.fell


def _least_p(moved: int) -> float:
    return 2 * 0.5**moved


def _testable(change: GroupChange) -> bool:
    return _least_p(_moved(change)) <= LEVEL


def rules(rows: StudyRows, facts: StudyFacts) -> list[str]:
    """What does not count, before any result is told."""
    share = f"{100 * facts.least_usable:.0f} %"
    sentences = [
        "A session counts for nothing where it was rejected, where its recordings are those of an"
        " earlier session, or where in one of the compared phases no modality is usable for"
        f" {share} of the phase.",
        f"A measure of a session does not count where its signal is usable for less than {share} of"
        " one of the phases (affect: the best of the modalities that the model takes).",
        "A session without an affect score counts for the body and the questionnaires. All that was"
        " left out stands under Exclusions.",
    ]
    return sentences + compared(rows)


def compared(rows: StudyRows) -> list[str]:
    """Which phases were compared, and a warning where sessions differ in it."""
    found = Counter(str(session.result["phase_rule"]) for session in rows.counted)
    if len(found) < 2:
        return [f"Compared: {rule}." for rule in found]
    told = "; ".join(f"{rule} ({count} sessions)" for rule, count in found.most_common())
    return [f"Sessions differ in what was compared, so that changes may differ for it: {told}."]


def limits(rows: StudyRows) -> list[str]:
    """What the reader must keep in mind."""
    sentences = [
        f"{INTENDED_USE} It is not a diagnosis and must not decide about a person's care.",
        "There is no control group: a change from before to after is not an effect of the therapy."
        " Time alone, rest, and getting used to the sensors change heart rate, skin conductance and"
        " answers; people who start at an extreme tend to be less extreme later (regression to the"
        " mean).",
        "Intervals over patients cover how patients differ. They do not cover the error of the"
        " model for a new person, nor whether these patients stand for others.",
        "Questionnaires and physiology measure different things; neither is a check of the other.",
    ]
    if any(session.model is not None for session in rows.sessions):
        sentences.insert(
            1,
            "An estimate of affect describes what face and body show. It is not what the person"
            " feels; heart and skin also answer to movement, speech, caffeine, medicines and room"
            " temperature.",
        )
    return sentences
