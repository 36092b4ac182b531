"""Which rows of a study's long table count: those with a value before and after, each once.

The long table has a row for each session and measure, with the columns ``patient``, ``session``,
``number`` (1 .. in the patient's order), ``measure``, ``unit``, ``kind`` ("affect", "physiology" or
"questionnaire"), ``before`` and ``after`` (NaN where absent).

A session that comes twice with the same values counts once; with different values it counts not at
all, since nobody knows which are right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def counted_sessions(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """One measure's sessions with finite values before and after, and what was left out.

    Returns:
        patient, session, number, before, after, change, in order of patient and session; sentences.
    """
    held = rows[["patient", "session", "number"]].assign(
        **{name: rows[name].to_numpy(np.float64, na_value=np.nan) for name in ("before", "after")}
    )
    finite = np.isfinite(held[["before", "after"]].to_numpy(np.float64)).all(axis=1)
    known = held.loc[finite].drop_duplicates()
    sentences = []
    without = len(held.drop_duplicates()) - len(known)
    if without:
        sentences.append(f"{_sessions(without)} without a value before or after left out.")
    twice = known.duplicated(["patient", "session"], keep=False)
    if twice.any():
        contradicted = len(known.loc[twice].drop_duplicates(["patient", "session"]))
        sentences.append(f"{_sessions(contradicted)} left out: listed twice with other values.")
    known = known.assign(change=known["after"] - known["before"])
    return known.loc[~twice].sort_values(["patient", "session"]), sentences


def _sessions(count: int) -> str:
    return f"{count} session" if count == 1 else f"{count} sessions"
