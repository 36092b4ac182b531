"""Questionnaires beside physiology on a study's page: what goes together, as far as it is shown.

Where no rule is written, and what we do:
1. Many pairs are tested, few say anything: a table holds the main measures, sentences stand for at
   most five pairs whose agreement is shown, the closest first, and one sentence counts all others.
   agreement.csv holds every pair.
2. Figures of agreement are drawn for SAM against its estimate, which share a scale, and for pairs
   whose agreement is shown; at most four.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from affectscope.pages import inline_figure
from affectscope.records import FloatArray
from affectscope.therapy.measures import estimate_text
from affectscope.therapy.study.agreement import SAM_POINTS
from affectscope.therapy.study.figures import agreement_figure
from affectscope.therapy.study.rows import StudyRows
from affectscope.therapy.study.sentences import MAIN, p_text

if TYPE_CHECKING:
    import pandas as pd

    from affectscope.evaluation.agreement import BlandAltman
    from affectscope.therapy.study.statistics import Agreement

MOST_SENTENCES, MOST_FIGURES = 5, 4
Content = dict[str, Any]


def beside_content(
    rows: StudyRows, table: pd.DataFrame, agreements: Sequence[Agreement]
) -> Content | None:
    """The section's content; None where there is no pair. ``table``: ``rows.long_table``."""
    if not agreements:
        return None
    columns = [name for name in MAIN if any(one.second == name for one in agreements)]
    if all(one.p_permutation is None for one in agreements):
        return {"sentences": _untested(agreements), "columns": [], "figures": []}
    shown = sorted((one for one in agreements if one.shown), key=_strength, reverse=True)
    known = {(one.first, one.second): one for one in agreements}
    firsts = dict.fromkeys(one.first for one in agreements)
    return {
        "columns": columns,
        "rows": [(first, [_cell(known.get((first, c))) for c in columns]) for first in firsts],
        "sentences": [one.sentence for one in shown[:MOST_SENTENCES]]
        + _others(len(agreements), len(shown)),
        "figures": _figures(rows, table, agreements),
    }


def agreement_pairs(one: Agreement, table: pd.DataFrame) -> FloatArray:
    """(P, 2) patients' mean changes on the pair's common scale, over sessions that have both."""
    table = table.assign(change=table["after"] - table["before"])
    both = table[table["measure"].isin((one.first, one.second))].pivot_table(
        index=["patient", "session"], columns="measure", values="change"
    )
    means = both[[one.first, one.second]].dropna().groupby("patient").mean()
    changes = means.to_numpy(np.float64)
    if one.of_sam:
        return changes / (SAM_POINTS, 1.0)
    scaled: FloatArray = changes / changes.std(axis=0, ddof=1)
    return scaled


def _cell(one: Agreement | None) -> tuple[str, str]:
    """Rank correlation, patients and p; nothing where so few patients have no interval."""
    found = None if one is None else one.rank_correlation
    if one is None or found is None or found.low is None:
        return "–", "" if one is None else f"{one.patients} patients"
    p = "" if one.p_holm is None else f", p Holm {p_text(one.p_holm)}"
    return estimate_text(found, 2, sign="+"), f"{one.patients} patients{p}"


def _strength(one: Agreement) -> float:
    return 0.0 if one.rank_correlation is None else abs(one.rank_correlation.mean)


def _untested(agreements: Sequence[Agreement]) -> list[str]:
    most = max(one.patients for one in agreements)
    return [
        f"With {most} patient{'' if most == 1 else 's'} nothing can be said on whether"
        " questionnaires and other measures change together."
    ]


def _others(count: int, shown: int) -> list[str]:
    """One sentence for all pairs without a sentence of their own."""
    if not shown:
        return [
            f"In none of {count} pairs of a questionnaire and another measure is it shown that"
            " their changes go together."
        ]
    rest = f"Of {count} pairs, {shown} show that their changes go together"
    if shown > MOST_SENTENCES:
        rest += f"; the {MOST_SENTENCES} closest stand here"
    return [f"{rest}. For the others that is not shown, which does not mean that they do not."]


def _figures(
    rows: StudyRows, table: pd.DataFrame, agreements: Sequence[Agreement]
) -> list[tuple[str, Any]]:
    with_limits = [one for one in agreements if one.bland_altman is not None]
    chosen = [one for one in with_limits if one.of_sam]
    chosen += [one for one in with_limits if one.shown and not one.of_sam]
    return [
        (
            _caption(one),
            inline_figure(
                agreement_figure(one, agreement_pairs(one, table), rows.simulated),
                f"Agreement of {one.first} and {one.second}",
            ),
        )
        for one in chosen[:MOST_FIGURES]
    ]


def _caption(one: Agreement) -> str:
    parts = [
        f"{phase} {_limits(limits)}"
        for phase, limits in (
            ("before", one.bland_altman_before),
            ("after", one.bland_altman_after),
        )
        if limits is not None
    ]
    values = f" Of the values themselves: {'; '.join(parts)}." if parts else ""
    return f"{one.first} minus {one.second}, changes.{values}"


def _limits(found: BlandAltman) -> str:
    return f"{found.bias.mean:+.2f}, limits {found.low.mean:+.2f} to {found.high.mean:+.2f}"
