"""study.html: the study on one page, then every patient; one self-contained file.

First what counts and by which rules, then the results, then what they rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from affectscope.evaluation.statistics import Estimate
from affectscope.pages import environment, inline_figure
from affectscope.patient_moves import (
    MOST_BESIDE,
    MOST_PANELS,
    everyone_figure,
    moves_figure,
    panels_figure,
)
from affectscope.therapy.measures import AFFECT, estimate_text
from affectscope.therapy.study.beside import beside_content
from affectscope.therapy.study.cards import patient_card
from affectscope.therapy.study.figures import (
    before_after_figure,
    patient_moves,
    sessions_figure,
)
from affectscope.therapy.study.reading import StudySession
from affectscope.therapy.study.reporting import AUTHORS, consort_items, identity
from affectscope.therapy.study.rows import StudyFacts, StudyRows
from affectscope.therapy.study.sentences import (
    MAIN,
    cannot_be_tested,
    headline,
    limits,
    p_text,
    rules,
)

if TYPE_CHECKING:
    import pandas as pd

    from affectscope.therapy.study.statistics import Agreement, GroupChange

MOST_MEASURES = 12
"""With a panel of their own; patients.csv holds all."""
MOST_SESSIONS = 200
"""About as many are told one by one; sessions.csv holds all. 2,000 would be hundreds of sheets."""
MOST_NAMES = 12
"""Sessions that were left out for one reason, by name; exclusions.csv holds all."""
Content = dict[str, Any]


def render(
    rows: StudyRows,
    facts: StudyFacts,
    *,
    table: pd.DataFrame,
    changes: Sequence[GroupChange],
    agreements: Sequence[Agreement],
) -> str:
    """The page as HTML text; everything that came from outside is escaped."""
    content = {
        "title": facts.title or f"Study {facts.data_folder}",
        "created": facts.created,
        "simulated": rows.simulated,
        "forced": sum(_has_notice(one, "W_FORCED_SCORE") for one in rows.sessions),
        "counts": _counts(rows, facts),
        "unfinished": facts.sessions_found - len(rows.sessions),
        "rules": rules(rows, facts),
        "headlines": headlines(rows, changes),
        "group": [_group_row(rows, change) for change in changes],
        "group_notes": _notes(changes),
        "mixed": [_mixed_row(rows, one) for one in changes if one.mixed is not None],
        "beside": beside_content(rows, table, agreements),
        "patients": [patient_card(rows, patient) for patient in _told_one_by_one(rows)],
        "patients_in_all": len(rows.patients),
        "exclusions": _exclusions(rows),
        "consort": consort_items(rows, facts),
        "authors": AUTHORS,
        "limits": limits(rows),
        "identity": identity(rows, facts),
        **_moves(rows),
        **_figures(rows, table),
    }
    return environment().get_template("therapy/study/study.html.jinja").render(content)


def headlines(rows: StudyRows, changes: Sequence[GroupChange]) -> list[str]:
    """A sentence for each main measure that somebody has."""
    known = {change.measure: change for change in changes}
    main = [known[name] for name in MAIN if name in known]
    told = [headline(change, _digits(rows, change.measure)) for change in main]
    return told + cannot_be_tested(main)


def _counts(rows: StudyRows, facts: StudyFacts) -> list[tuple[str, int]]:
    return [
        ("sessions found", facts.sessions_found),
        *((status, rows.status_count(status)) for status in ("OK", "DEGRADED", "REJECTED")),
        ("sessions counted", len(rows.counted)),
        ("sessions excluded", len(rows.sessions) - len(rows.counted)),
        ("patients counted", len({one.patient for one in rows.counted})),
    ]


def _told_one_by_one(rows: StudyRows) -> list[str]:
    told: list[str] = []
    sessions = 0
    for patient in rows.patients:
        if sessions >= MOST_SESSIONS:
            break
        told.append(patient)
        sessions += len(rows.of(patient))
    return told


def _exclusions(rows: StudyRows) -> list[Content]:
    """One row for all sessions from which the same was left out for the same reason."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for one in rows.exclusions:
        alike.setdefault((one.measures, one.code, one.reason), []).append(one.session)
    return [
        {
            "measures": measures,
            "code": code,
            "reason": reason,
            "sessions": names[:MOST_NAMES],
            "more": max(0, len(names) - MOST_NAMES),
            "count": len(names),
        }
        for (measures, code, reason), names in alike.items()
    ]


def _moves(rows: StudyRows) -> Content:
    """Figure 5: whole where it is no wider than the page, else its large part and its panels."""
    moves = patient_moves(rows)
    if not moves:
        return {"moves": None, "panels": None, "several": False}
    several = len(moves) < sum(_has_point(one) for one in rows.counted)
    if len(moves) <= MOST_BESIDE:
        whole, panels = moves_figure(moves, rows.simulated), None
    else:
        whole = everyone_figure(moves, rows.simulated)
        panels = panels_figure(moves, rows.simulated) if len(moves) <= MOST_PANELS else None
    return {
        "moves": inline_figure(whole, "Patients' mean valence and arousal before and after"),
        "moves_beside": 1 < len(moves) <= MOST_BESIDE,
        "panels": inline_figure(panels, "Each patient's valence and arousal before and after"),
        "several": several,
    }


def _figures(rows: StudyRows, table: pd.DataFrame) -> Content:
    found = table.dropna(subset=["before", "after"])
    body = [name for name in rows.measures() if name in set(found["measure"])]
    shown = [name for name in body if name not in AFFECT][:MOST_MEASURES]
    repeated = bool(found.drop_duplicates(["patient", "session"])["patient"].duplicated().any())
    main = [name for name in MAIN if name in body]
    return {
        "before_after": inline_figure(
            before_after_figure(table, shown, rows.simulated) if shown else None,
            "Each patient's mean before and after, one panel for each measure",
        ),
        "over_sessions": inline_figure(
            sessions_figure(table, main, rows.simulated) if repeated and main else None,
            "Each patient's change over the number of the session",
        ),
    }


def _group_row(rows: StudyRows, change: GroupChange) -> Content:
    digits = _digits(rows, change.measure)
    return {
        "name": change.measure,
        "unit": change.unit,
        "kind": change.kind,
        "patients": change.patients,
        "sessions": change.sessions,
        "before": _mean(change.before, digits),
        "after": _mean(change.after, digits),
        "change": estimate_text(change.change, digits, sign="+"),
        "effect": estimate_text(change.hedges_g_av, 2, sign="+"),
        "rose": f"{change.rose} / {change.fell}",
        "p": [p_text(p) for p in (change.p_permutation, change.p_wilcoxon, change.p_holm)],
    }


def _notes(changes: Sequence[GroupChange]) -> list[str]:
    """What is absent and why, each reason once with the measures that it is about."""
    found: dict[str, list[str]] = {}
    for change in changes:
        if change.reason:
            found.setdefault(change.reason, []).append(change.measure)
    return [f"{', '.join(names)}: {reason}" for reason, names in found.items()]


def _mixed_row(rows: StudyRows, change: GroupChange) -> Content:
    mixed, digits = change.mixed, _digits(rows, change.measure)
    assert mixed is not None
    return {
        "name": change.measure,
        "unit": change.unit,
        "change": estimate_text(mixed.change, digits, sign="+"),
        "p_change": p_text(mixed.p_change),
        "per_session": estimate_text(mixed.per_session, digits, sign="+"),
        "p_per_session": p_text(mixed.p_per_session),
        "note": mixed.note,
    }


def _mean(estimate: Estimate | None, digits: int) -> str:
    return "–" if estimate is None else f"{estimate.mean:.{digits}f}"


def _digits(rows: StudyRows, name: str) -> int:
    known = rows.measures().get(name)
    return 2 if known is None else known.digits


def _has_point(session: StudySession) -> bool:
    parts = [session.measure(name) for name in AFFECT]
    return all(part is not None and part.change and not part.left_out for part in parts)


def _has_notice(session: StudySession, code: str) -> bool:
    return any(notice["code"] == code for notice in session.notices)
