"""What a study's patients show together: how each measure changed, and which changes agree.

Patients are the unit: several sessions of a patient are averaged first; the mixed model alone looks
at sessions. The long table is described in ``counted_sessions``, agreement in ``agreement``.

Where no source decides, and what we do:
1. Holm's correction runs over the measures of one kind.
2. A test that so few patients can never bring below 0.05 is made all the same, and the reason says
   what it cannot show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from affectscope.evaluation.change_over_sessions import MixedModel, mixed_model
from affectscope.evaluation.group_changes import (
    LEVEL,
    all_same,
    hedges_g_av_over_people,
    holm_of_tested,
    mean_over_people,
    sign_flip_p,
    smallest_sign_flip_p,
)
from affectscope.evaluation.statistics import Estimate
from affectscope.records import FloatArray
from affectscope.therapy.study.agreement import Agreement, agreements
from affectscope.therapy.study.counted_sessions import counted_sessions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Agreement", "GroupChange", "MixedModel", "agreements", "group_changes"]


@dataclass(frozen=True)
class GroupChange:
    """How one measure changed over patients.

    Attributes:
        patients, sessions: that have a value before and after.
        before, after, change: means over patients with t intervals over patients; None without any.
        rose, fell: patients whose mean change lies above and below zero.
        p_permutation: two-sided, sign flips of patients' changes; None below two patients.
        p_wilcoxon: two-sided, signed ranks; None below two patients.
        p_holm: ``p_permutation`` corrected over the measures of this kind.
        reason: what is absent and why, and what so few patients cannot show.
    """

    measure: str
    unit: str
    kind: str
    patients: int
    sessions: int
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None
    hedges_g_av: Estimate | None
    rose: int
    fell: int
    p_permutation: float | None
    p_wilcoxon: float | None
    p_holm: float | None
    mixed: MixedModel | None
    reason: str


def group_changes(long: pd.DataFrame, *, seed: int = 0) -> tuple[GroupChange, ...]:
    """Each measure's change over patients, in the order in which the measures come up."""
    found = [
        _group_change(rows, seed)
        for _, rows in long.groupby(["kind", "measure", "unit"], sort=False, dropna=False)
    ]
    for kind in {one.kind for one in found}:
        places = [place for place, one in enumerate(found) if one.kind == kind]
        corrected = holm_of_tested([found[place].p_permutation for place in places])
        for place, p in zip(places, corrected, strict=True):
            found[place] = replace(found[place], p_holm=p)
    return tuple(found)


def _group_change(rows: pd.DataFrame, seed: int) -> GroupChange:
    from affectscope.evaluation.comparison import wilcoxon_p

    counted, sentences = counted_sessions(rows)
    means = counted.groupby("patient")[["before", "after", "change"]].mean()
    before, after, changes = means.to_numpy(np.float64).T
    patients = len(means)
    mixed, why_not = _mixed(counted)
    sentences += [*_cannot_show(changes), *([why_not] if why_not else [])]
    tested = patients >= 2
    head = rows.iloc[0]
    return GroupChange(
        measure=str(head["measure"]),
        unit=str(head["unit"]),
        kind=str(head["kind"]),
        patients=patients,
        sessions=len(counted),
        before=mean_over_people(before) if patients else None,
        after=mean_over_people(after) if patients else None,
        change=mean_over_people(changes) if patients else None,
        hedges_g_av=hedges_g_av_over_people(before, after),
        rose=int((changes > 0).sum()),
        fell=int((changes < 0).sum()),
        p_permutation=sign_flip_p(changes, seed=seed) if tested else None,
        p_wilcoxon=wilcoxon_p(changes) if tested else None,
        p_holm=None,
        mixed=mixed,
        reason=" ".join(sentences),
    )


def _cannot_show(changes: FloatArray) -> list[str]:
    """What so few, or so equal, patients cannot show."""
    patients = len(changes)
    if patients == 0:
        return ["No patient has a value before and after."]
    if patients == 1:
        return ["One patient: nothing can be said about patients in general."]
    sentences = []
    if all_same(changes):
        sentences.append("All patients changed by the same amount: no interval can be given.")
    smallest = smallest_sign_flip_p(changes)
    if not changes.any():
        sentences.append("Nobody changed.")
    elif smallest > LEVEL:
        sentences.append(
            f"{int((changes != 0).sum())} patients changed: whatever they show, the permutation "
            f"test's p cannot be below {smallest:.4g}."
        )
    return sentences


def _mixed(counted: pd.DataFrame) -> tuple[MixedModel | None, str]:
    if not len(counted):
        return None, ""
    _, patient = np.unique(counted["patient"].to_numpy(str), return_inverse=True)
    changes, numbers = counted[["change", "number"]].to_numpy(np.float64).T
    return mixed_model(changes, patient, numbers)
