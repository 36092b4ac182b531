"""Measures what it costs a checkpoint to do without a modality, for its card.

Labelled sessions of people whom the network has not learnt from are scored once. Every moment at
which a modality and another one are there is then scored again as if the first were not: a modality
adds its share to the head's first layer, so leaving it out costs no time and changes nothing else.

Legend: N rows, M = 3 modalities, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from affectscope.datasets.alignment import aligned
from affectscope.errors import ModelError
from affectscope.evaluation.cluster_bootstrap import draw_people, interval, resampled
from affectscope.evaluation.metrics import (
    IntArray,
    Items,
    PersonSums,
    overall,
    person_sums,
    positive,
)
from affectscope.inference.missing_modality import TITLE, MissingModality, write_missing
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.session import Session, open_session
from affectscope.models.shipped import ResultTable
from affectscope.recipes.calibration import RATE, check_unseen, files_of, scored_rows
from affectscope.recipes.calibration_fit import ScoredRows
from affectscope.records import MODALITIES, TARGETS, FloatArray

_TARGETS = ("valence", "arousal")
_METRICS = ("mae", "ccc")
_COLUMNS = (
    "Without", "Target", "People", "Moments", "Mean absolute error", "Change", "CCC", "Change",
)  # fmt: skip


def measure_missing(
    folder: Path,
    sessions: Sequence[Path],
    *,
    rate: float = RATE,
    progress: Callable[[float], None] = lambda _share: None,
) -> MissingModality:
    """Measure the cost on labelled session folders, and keep it in the checkpoint's folder.

    Args:
        folder: the checkpoint's.
        rate: scored times per second.

    Raises:
        ModelError: E_CHECKPOINT; E_CONFIG where the network reads one modality only.
        AffectScopeError: a session that cannot be opened, or what ``check_unseen`` raises.
        OutputError: E_OUTPUT.
    """
    predictor = load_checkpoint(folder, calibrated=False)
    names = predictor.model.config.modalities
    if len(names) < 2:
        raise ModelError(
            "E_CONFIG",
            f"The network reads {names[0]} only; without it there is nothing to score.",
            "Measure a network that reads several modalities.",
        )
    opened = [aligned(open_session(session)) for session in sessions]
    check_unseen(predictor, opened)
    rows = scored_rows(predictor, opened, rate=rate, progress=progress)
    measured = MissingModality(
        predictor.checkpoint_id,
        _people(opened),
        files_of(opened),
        ResultTable(
            f"{TITLE}, on {_whom(opened)} whom the network has not learnt from",
            _COLUMNS,
            tuple(_rows(predictor, rows)),
            f"affectscope models missing CHECKPOINT SESSION ... --rate {rate:g}",
        ),
    )
    write_missing(folder, measured)
    return measured


def _people(sessions: Sequence[Session]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(session.recording.subject_id for session in sessions))


def _whom(sessions: Sequence[Session]) -> str:
    """ "8 simulated people" """
    whose = "simulated people" if sessions[0].recording.simulated else "people"
    count = len(_people(sessions))
    return f"{count} {whose}" if count > 1 else f"1 {whose.replace('people', 'person')}"


def _rows(predictor: Predictor, rows: ScoredRows) -> Iterator[tuple[str, ...]]:
    """A row of the table for every modality and target with rated moments."""
    names = predictor.model.config.modalities
    whole = rows.estimates(predictor, rows.shares)
    for left_out in names:
        others = "+".join(name for name in names if name != left_out)
        without = rows.estimates(predictor, rows.shares, others)
        there = rows.present[:, MODALITIES.index(left_out)]
        for target in _TARGETS:
            column = TARGETS.index(target)
            before, after, truth = (x[:, column] for x in (whole, without, rows.truth))
            kept = there & np.isfinite(before) & np.isfinite(after) & np.isfinite(truth)
            if kept.any():
                people = np.unique(rows.person[kept], return_inverse=True)[1].astype(np.int64)
                both = (_sums(truth[kept], x[kept], people, target) for x in (before, after))
                yield (left_out, target, str(people.max() + 1), str(kept.sum()), *_cells(*both))


def _sums(truth: FloatArray, score: FloatArray, person: IntArray, target: str) -> PersonSums:
    high, called = (positive(values[:, None], [target])[:, 0] > 0 for values in (truth, score))
    counts = np.bincount(person)
    weight = 1.0 / counts[person]  # everybody weighs the same, however long the sessions are
    return person_sums(Items(truth, score, high, called, weight, person, len(counts)))


def _cells(whole: PersonSums, without: PersonSums) -> Iterator[str]:
    people = len(whole.weight)
    before, after = overall(whole, _METRICS), overall(without, _METRICS)
    draws = draw_people(people)
    drawn = resampled([whole], draws, _METRICS), resampled([without], draws, _METRICS)
    for metric in _METRICS:
        low, high = interval(drawn[1][metric] - drawn[0][metric], people)
        yield _number(before[metric], sign="")
        change = _number(after[metric] - before[metric], sign="+")
        bounds = [_number(bound, sign="+") for bound in (low, high)]
        yield change if np.isnan(low) else f"{change} [{', '.join(bounds)}]"


def _number(value: float, *, sign: str) -> str:
    return "–" if np.isnan(value) else format(value, f"{sign}.3f")
