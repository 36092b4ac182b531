"""Whether the changes of questionnaires and of other measures go together over a study's patients.

Patients are the unit: their sessions are averaged first, over those that have both measures.

Where no source decides, and what we do:
1. Two changes are called going together only where p after Holm, over all tested pairs, is below
   0.05 and the interval of the rank correlation leaves out zero. Every other sentence says that
   nothing is shown.
2. SAM's 1 to 9 become -1 to 1 as (points - 5) / 4. Changes on different scales are divided by their
   standard deviation over patients, which the limits then take for known.
3. No sign is turned: more points of STAI or SUDS mean more of something bad, more valence something
   good. The sentences say which way both went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from affectscope.evaluation.agreement import (
    FEWEST_PEOPLE,
    BlandAltman,
    bland_altman,
    rank_correlation,
    rank_correlation_p,
)
from affectscope.evaluation.group_changes import LEVEL, all_same, holm_of_tested
from affectscope.evaluation.statistics import Estimate
from affectscope.records import FloatArray
from affectscope.therapy.study.counted_sessions import counted_sessions

if TYPE_CHECKING:
    import pandas as pd

SAM_LOWEST, SAM_HIGHEST = 1.0, 9.0
SAM_MIDDLE = (SAM_LOWEST + SAM_HIGHEST) / 2
SAM_POINTS = SAM_HIGHEST - SAM_MIDDLE
"""Points of SAM that are 1 on the estimate's -1 to 1."""


@dataclass(frozen=True)
class Agreement:
    """Whether the changes of a questionnaire and of another measure go together over patients.

    Attributes:
        first: the questionnaire's measure; ``second`` one of affect or physiology.
        patients: with a change of both in the same sessions.
        rank_correlation: Spearman's, of patients' mean changes; None where it cannot be formed.
        p_permutation: two-sided; None below five patients. ``p_holm`` over all tested pairs.
        bland_altman: of the changes, ``first`` minus ``second``.
        bland_altman_before, bland_altman_after: of the values themselves, where both are on one
            scale (SAM and its estimate).
        sentence: what may be said, in plain words.
        reason: what is absent and why.
    """

    first: str
    second: str
    patients: int
    rank_correlation: Estimate | None
    p_permutation: float | None
    p_holm: float | None
    bland_altman: BlandAltman | None
    bland_altman_before: BlandAltman | None
    bland_altman_after: BlandAltman | None
    sentence: str
    reason: str

    @property
    def shown(self) -> bool:
        """Whether it is shown that the changes go together."""
        found = self.rank_correlation
        if found is None or found.low is None or found.high is None or self.p_holm is None:
            return False
        return self.p_holm < LEVEL and (found.low > 0 or found.high < 0)

    @property
    def of_sam(self) -> bool:
        """Whether it is SAM against its own estimate, which share a scale."""
        return self.first == _sam(self.second)


def agreements(long: pd.DataFrame, *, seed: int = 0) -> tuple[Agreement, ...]:
    """Every questionnaire measure against every measure of affect and physiology."""
    parts: dict[str, list[tuple[str, pd.DataFrame]]] = {"first": [], "second": []}
    for (kind, measure), rows in long.groupby(["kind", "measure"], sort=False):
        counted, _ = counted_sessions(rows)
        place = "first" if kind == "questionnaire" else "second"
        parts[place].append((str(measure), counted))
    found = [
        _agreement((first, second), _joined(own, other), seed)
        for first, own in parts["first"]
        for second, other in parts["second"]
    ]
    corrected = holm_of_tested([one.p_permutation for one in found])
    tested = sum(p is not None for p in corrected)
    found = [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]
    return tuple(replace(one, sentence=_sentence(one, tested)) for one in found)


def _joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Patients' means of both over the sessions that have both: before_1, after_1, before_2, ..."""
    columns = ["patient", "session", "before", "after", "change"]
    both = first[columns].merge(
        second[columns], on=["patient", "session"], suffixes=("_1", "_2")
    )  # fmt: skip
    return both.drop(columns="session").groupby("patient").mean()


def _agreement(names: tuple[str, str], means: pd.DataFrame, seed: int) -> Agreement:
    first, second = names
    changes = [means[f"change_{place}"].to_numpy(np.float64) for place in (1, 2)]
    correlation = rank_correlation(changes[0], changes[1])
    limits, reason = _limits(names, means, changes)
    return Agreement(
        first=first,
        second=second,
        patients=len(means),
        rank_correlation=correlation,
        p_permutation=rank_correlation_p(changes[0], changes[1], seed=seed),
        p_holm=None,
        bland_altman=limits[0],
        bland_altman_before=limits[1],
        bland_altman_after=limits[2],
        sentence="",
        reason=" ".join([*_no_correlation(names, changes), *([reason] if reason else [])]),
    )


def _no_correlation(names: tuple[str, str], changes: Sequence[FloatArray]) -> list[str]:
    patients = len(changes[0])
    if patients < FEWEST_PEOPLE:
        return [f"Too few patients ({patients}): at least {FEWEST_PEOPLE} are needed."]
    return [
        f"All patients changed by the same amount in {name}."
        for name, change in zip(names, changes, strict=True)
        if all_same(change)
    ]


Limits = tuple[BlandAltman | None, BlandAltman | None, BlandAltman | None]


def _limits(
    names: tuple[str, str], means: pd.DataFrame, changes: Sequence[FloatArray]
) -> tuple[Limits, str]:
    """Limits of agreement of the change, of before and of after; and why there are none."""
    nothing = (None, None, None)
    if len(means) < FEWEST_PEOPLE:
        return nothing, ""
    if names[0] == _sam(names[1]):
        return _limits_of_sam(means, nothing)
    if all_same(changes[0]) or all_same(changes[1]):
        return nothing, "No limits of agreement: a change without spread has no scale."
    first, second = (change / change.std(ddof=1) for change in changes)
    scale = "standard deviations of the change over patients"
    return (bland_altman(first, second, on_scale=scale), None, None), ""


def _sam(estimate: str) -> str:
    """The questionnaire's measure that shares a scale with an estimate."""
    return f"SAM {estimate}"


def _limits_of_sam(means: pd.DataFrame, nothing: Limits) -> tuple[Limits, str]:
    """SAM's points on the estimate's -1 to 1, minus the estimate."""
    points = means[["before_1", "after_1"]].to_numpy()
    if points.min() < SAM_LOWEST or points.max() > SAM_HIGHEST:
        return nothing, "No limits of agreement: SAM has points outside 1 to 9."
    before, after = ((points - SAM_MIDDLE) / SAM_POINTS).T
    estimated = means[["before_2", "after_2"]].to_numpy()
    scale = "-1 to 1 (SAM's 1 to 9 mapped)"
    return (
        bland_altman(
            after - before, estimated[:, 1] - estimated[:, 0], on_scale=f"change on {scale}"
        ),
        bland_altman(before, estimated[:, 0], on_scale=scale),
        bland_altman(after, estimated[:, 1], on_scale=scale),
    ), ""


def _sentence(one: Agreement, tested: int) -> str:
    """What may be said of a pair; agreement only where it is shown."""
    found = one.rank_correlation
    if one.patients < FEWEST_PEOPLE:
        return (
            f"Too few patients ({one.patients}) to say whether changes in {one.first} and in "
            f"{one.second} go together."
        )
    if found is None or found.low is None or found.high is None or one.p_permutation is None:
        return f"No agreement can be shown: {one.reason}"
    numbers = (
        f"rank correlation {found.mean:.2f} [{found.low:.2f}, {found.high:.2f}], "
        f"{_p(one.p_permutation)}{_corrected(one.p_holm, tested)} ({one.patients} patients)"
    )
    if not one.shown:
        return f"No agreement shown: {numbers}."
    way, other = ("with", "more") if found.mean > 0 else ("against", "less")
    return (
        f"Changes in {one.first} went {way} changes in {one.second}: where {one.first} rose more, "
        f"{one.second} rose {other}; {numbers}."
    )


def _corrected(p: float | None, tested: int) -> str:
    return "" if p is None or tested < 2 else f", after Holm over {tested} pairs {_p(p)}"


def _p(p: float) -> str:
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}"
