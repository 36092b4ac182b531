"""The leak check: refuses a split, a fitted part or a feature, and names the leak.

Legend: M rows, K trials, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from affectscope.errors import LeakError
from affectscope.evaluation.protocols import Protocol
from affectscope.evaluation.samples import Fold, Rows, Samples
from affectscope.evaluation.trials import TrialTable, trial_table
from affectscope.records import BoolArray, FloatArray

PartKind = Literal[
    "normaliser", "person normaliser", "autoencoder", "encoder", "classifier", "threshold",
    "calibration",
]  # fmt: skip
"""A person normaliser scales each person by that person's own unlabelled data."""

HIGHEST_CORRELATION = 0.9
"""Rank correlation with clip length, within people, above which a feature is refused."""
FEWEST_COMPARISONS = 10
"""Trials beyond each person's first that a correlation needs before it says anything."""
SAME_DURATION = 0.1
"""Seconds: trials whose lengths round to the same multiple count as equally long."""
DETERMINED = 1e-4
"""Share of a feature's variance, among equally long trials, under which length determines it."""


@dataclass(frozen=True)
class FittedPart:
    """Something that was fitted, and on whom.

    Attributes:
        name: as it is called in the refusal.
        kind: what it is.
        subjects: people of the corpus it has seen; empty for a part from elsewhere or a constant.
        used_labels: whether it has seen their labels.
        trials: trial ids it has seen; None stands for all trials of ``subjects``.
    """

    name: str
    kind: PartKind
    subjects: frozenset[str]
    used_labels: bool
    trials: frozenset[str] | None


def fitted_on(
    samples: Samples, rows: Rows, *, name: str, kind: PartKind, used_labels: bool
) -> FittedPart:
    """The part that was fitted on ``rows``."""
    table = trial_table(samples)
    seen = table.of(rows)
    subjects, trials = _ids(table.subject[seen]), _ids(table.trial[seen])
    return FittedPart(name, kind, subjects, used_labels, trials)


def check_fold(samples: Samples, fold: Fold, protocol: Protocol) -> None:
    """Refuse a fold whose sides share what ``protocol`` holds out.

    Protocol D holds nothing out: only one and the same window on two sides is refused there.

    Raises:
        LeakError: E_LEAK_SUBJECT, E_LEAK_WINDOWS or E_LEAK_CLIP.
    """
    table, learned = trial_table(samples), np.concatenate([fold.train, fold.validation])
    before, after = table.of(learned), table.of(fold.test)
    if "person" in protocol.holds_out:
        _refuse_shared_people(table, before, after, fold)
    _refuse_shared_windows(samples, table, fold, protocol)
    if "clip" in protocol.holds_out:
        clips = _ids(table.trial[before]) & _ids(table.trial[after])
        if clips:
            raise LeakError(
                "E_LEAK_CLIP",
                f"Fold '{fold.name}' tests on {_named('clip', clips)}, which it also learns from.",
                f"Protocol {protocol.letter} keeps a tested clip out of training and validation.",
            )


def check_parts(
    samples: Samples, fold: Fold, parts: Iterable[FittedPart], protocol: Protocol
) -> None:
    """Refuse parts that have seen the test side.

    Protocols A and B: no part has seen a test person. B: nor a test clip of anybody. C: no part
    has seen the test trial, whosoever. Where clips are held out, a part that says ``trials`` None
    counts as having seen them all. Protocol D: nothing is checked, its test people and trials are
    trained on by nature.

    Raises:
        LeakError: E_LEAK_THRESHOLD for a threshold or calibration that used labels, E_LEAK_FITTED
            for everything else.
    """
    table = trial_table(samples)
    tested = table.of(fold.test)
    people, clips = _ids(table.subject[tested]), _ids(table.trial[tested])
    for part in parts:
        seen = part.subjects & people if "person" in protocol.holds_out else frozenset()
        if seen:
            raise _part_leak(part, _named("test person", seen), fold)
        if "clip" in protocol.holds_out and part.subjects:
            again = clips if part.trials is None else part.trials & clips
            if again:
                raise _part_leak(part, _named("test clip", again), fold)


def check_features(samples: Samples, features: FloatArray, names: Sequence[str]) -> None:
    """Refuse features that carry the length of a clip: counts, sums, padding lengths, onsets.

    Clip length alone separates most of AMIGOS' designed quadrants. A feature's mean over each
    trial is compared with ``trial_duration``. It is refused where the rank correlation over the
    trials within people (pooled over people) exceeds 0.9, or where equally long trials of all
    people share one value although the feature varies: then length, or the clip itself,
    determines it. Constant features pass.

    It cannot see: a combination of features that carries length while none does alone; a weak
    share of length in a noisy feature; a function of length that is not monotonic where no two
    trials are equally long; anything where people have fewer than ten trials to compare. The
    duration-only baseline is printed for these.

    Args:
        features: (M, F), one row for each row of ``samples``; NaN where not measured.
        names: F names.

    Raises:
        LeakError: E_LEAK_DURATION.
    """
    assert features.shape == (len(samples), len(names)), features.shape
    table = trial_table(samples)
    means = table.means(features, np.arange(len(samples)))
    # A mean's rounding grows with the number of its rows; it must not be ranked.
    largest = np.abs(np.nan_to_num(means)).max(axis=0, initial=1e-300)
    means = np.round(means / largest, 10)
    for name, values in zip(names, means.T, strict=True):
        measured = np.isfinite(values)
        correlation = _within_people(table, values, measured)
        if abs(correlation) > HIGHEST_CORRELATION:
            reason = f"its rank correlation with clip length is {correlation:.2f} within people"
        elif _determined(values[measured], table.duration[measured]):
            reason = "equally long clips share one value of it, whoever watches"
        else:
            continue
        raise LeakError(
            "E_LEAK_DURATION",
            f"The feature '{name}' carries the length of the clip: {reason}.",
            "Divide counts and sums by the duration, or leave the feature out.",
        )


def _ids(values: Iterable[object]) -> frozenset[str]:
    return frozenset(str(value) for value in values)


def _named(what: str, ids: frozenset[str]) -> str:
    """ "the clips 4, 5 and 3 more"."""
    shown = sorted(ids)[:3]
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    plural = {"test person": "test people"}.get(what, f"{what}s")
    return f"the {plural if len(ids) > 1 else what} {', '.join(shown)}{more}"


def _refuse_shared_people(table: TrialTable, before: Rows, after: Rows, fold: Fold) -> None:
    shared = _ids(table.subject[before]) & _ids(table.subject[after])
    if shared:
        raise LeakError(
            "E_LEAK_SUBJECT",
            f"Fold '{fold.name}' learns from {_named('test person', shared)}.",
            "Keep every trial of a tested person out of training and validation.",
        )


def _refuse_shared_windows(
    samples: Samples, table: TrialTable, fold: Fold, protocol: Protocol
) -> None:
    """Windows of one trial that overlap across the sides; protocol D: only identical rows."""
    learned = np.concatenate([fold.train, fold.validation])
    rows = np.concatenate([learned, fold.test])
    tested = np.arange(len(rows)) >= len(learned)
    order = np.lexsort([tested, samples.onset[rows], table.of_row[rows]])
    rows, tested = rows[order], tested[order]
    nearest = samples.window - 1e-9 if "window" in protocol.holds_out else 0.0
    # Overlap across sides always shows in two neighbours: some change of side lies in between.
    crossing = tested[1:] != tested[:-1]
    same_trial = table.of_row[rows[1:]] == table.of_row[rows[:-1]]
    close = np.diff(samples.onset[rows]) < nearest
    found = np.flatnonzero(crossing & same_trial & (close | (rows[1:] == rows[:-1])))
    if len(found):
        row = int(rows[found[0]])
        raise LeakError(
            "E_LEAK_WINDOWS",
            f"Fold '{fold.name}' learns from and tests on overlapping windows of person "
            f"{samples.subject[row]}, trial {samples.trial[row]}, near {samples.onset[row]:.2f} s "
            f"({len(found)} such places).",
            f"Split by trial, or leave out windows that lie within {samples.window:.2f} s of a "
            "test window.",
        )


def _part_leak(part: FittedPart, seen: str, fold: Fold) -> LeakError:
    if part.kind in ("threshold", "calibration") and part.used_labels:
        return LeakError(
            "E_LEAK_THRESHOLD",
            f"The {part.kind} '{part.name}' of fold '{fold.name}' was taken from the labels of "
            f"{seen}.",
            "Take it from the validation rows, or fix it beforehand.",
        )
    return LeakError(
        "E_LEAK_FITTED",
        f"The {part.kind} '{part.name}' of fold '{fold.name}' was fitted on {seen}.",
        "Fit it inside the fold, on the training rows only.",
    )


def _within_people(table: TrialTable, values: FloatArray, measured: BoolArray) -> float:
    """Rank correlation of a feature with duration over trials within people, pooled; 0 if none."""
    product = feature = duration = 0.0
    comparisons = 0
    for person in np.unique(table.subject[measured]):
        own = measured & (table.subject == person)
        x, y = (rankdata(part[own]) for part in (values, table.duration))
        x, y = x - x.mean(), y - y.mean()
        product, feature, duration = product + x @ y, feature + x @ x, duration + y @ y
        comparisons += int(own.sum()) - 1
    if comparisons < FEWEST_COMPARISONS or feature == 0 or duration == 0:
        return 0.0
    return float(product / np.sqrt(feature * duration))


def _determined(values: FloatArray, duration: FloatArray) -> bool:
    """Whether equally long trials share their value while the feature varies between lengths."""
    if len(values) == 0 or np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return False
    _, group = np.unique(np.round(duration / SAME_DURATION), return_inverse=True)
    count = np.bincount(group)
    repeated = count[group] > 1
    if repeated.sum() < FEWEST_COMPARISONS or count[count > 1].size < 2:
        return False
    residual = values - (np.bincount(group, values) / count)[group]
    return float(residual[repeated].var()) < DETERMINED * float(values[repeated].var())
