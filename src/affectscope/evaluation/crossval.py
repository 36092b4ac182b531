"""Every system under test through the same folds: fit, check for leaks, predict, calibrate.

Legend: M rows, m some of them, K trials, T targets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from affectscope.evaluation.calibration import conformal_half_width, fit_platt
from affectscope.evaluation.fold_store import FoldCost, FoldKey, FoldStore, content_hash
from affectscope.evaluation.leaks import FittedPart, check_fold, check_parts, fitted_on
from affectscope.evaluation.metrics import midpoints, positive
from affectscope.evaluation.predictions import Estimates, join_predictions, prediction_table
from affectscope.evaluation.protocols import Protocol
from affectscope.evaluation.samples import Fold, Rows, Samples
from affectscope.evaluation.trials import trial_table, trial_truth
from affectscope.records import FloatArray

_LOG = logging.getLogger(__name__)

Sees = Literal[
    "training people",
    "the test person's signals, without labels (transductive)",
    "the test person's own labels (oracle)",
]
ORACLE: Sees = "the test person's own labels (oracle)"
TRANSDUCTIVE: Sees = "the test person's signals, without labels (transductive)"


@dataclass(frozen=True, eq=False)
class Task:
    """What a system is given for one fold.

    ``samples`` holds the keys of all rows and the truth of the training and validation rows; all
    other truth is NaN. An oracle also sees the truth of the test people.
    """

    samples: Samples
    fold: Fold
    seed: int


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted system.

    Attributes:
        parts: everything that was fitted, for the leak check.
        predict: rows (m,) -> finite scores (m, T) on the targets' own scale: ratings in [-1, 1],
            emotions in [0, 1]. NaN where a row gives nothing to go by.
    """

    parts: tuple[FittedPart, ...]
    predict: Callable[[Rows], FloatArray]


@dataclass(frozen=True)
class System:
    """A system under test: a network, an SVM on features, a majority vote.

    Attributes:
        name: unique, as printed. An oracle's name ends in "(oracle)".
        fit: learns from one fold.
        family: "network", "hand-crafted", "trivial", ...: how tables are grouped.
        sees: an oracle knows the test person's own labels, except that of the trial it estimates.
            A transductive system standardises each person by all of that person's signals; its
            name ends in "(transductive)".
    """

    name: str
    fit: Callable[[Task], Fitted]
    family: str
    sees: Sees = "training people"

    def __post_init__(self) -> None:
        assert self.oracle == self.name.endswith("(oracle)"), f"{self.name}: an oracle says so"
        transductive = self.sees == TRANSDUCTIVE
        assert transductive == self.name.endswith("(transductive)"), f"{self.name}: it says so"

    @property
    def oracle(self) -> bool:
        return self.sees == ORACLE


def _no_progress(done: int, count: int) -> None:
    """Says nothing."""


def _no_costs(cost: FoldCost) -> None:
    """Keeps nothing."""


@dataclass(frozen=True)
class RunSettings:
    """How to run, which changes no number.

    Attributes:
        store: folder of finished folds; a fold found there is read, not computed. None keeps none.
        fingerprint: the caller's hash of what decides a system's predictions and is not in the
            samples: inputs, preprocessing, configuration, code version. Needed with ``store``.
        progress: called with (folds done, folds in all).
        costs: called with what each fold took when it was run, which may have been another call;
            not called for a fold of which that is not known.
    """

    store: Path | None = None
    fingerprint: str = ""
    progress: Callable[[int, int], None] = field(default=_no_progress)
    costs: Callable[[FoldCost], None] = field(default=_no_costs)

    def __post_init__(self) -> None:
        assert self.store is None or self.fingerprint, "a store needs a fingerprint"


def cross_validate(
    system: System,
    samples: Samples,
    *,
    folds: Sequence[Fold],
    protocol: Protocol,
    seed: int = 0,
    run: RunSettings = RunSettings(),
) -> pd.DataFrame:
    """Fit and test ``system`` on every fold.

    Returns:
        The tidy table with ``predictions.COLUMNS``, test rows only, unrated targets included.

    Raises:
        LeakError: a fold or a fitted part leaks; folds are checked before anything is fitted.
        OutputError: E_OUTPUT where the store cannot be written.
    """
    assert folds, "no folds"
    for fold in folds:
        check_fold(samples, fold, protocol)
    store = FoldStore(run.store, content_hash(samples, run.fingerprint)) if run.store else None
    tables = []
    for done, fold in enumerate(folds, start=1):
        kept = FoldKey(fold, system.name, protocol.letter, seed)
        table, cost = store.read(kept) if store else None, None
        if store and table is not None:
            cost = store.read_cost(kept)
        if table is None:
            estimates, cost = _run_fold(system, samples, kept, protocol)
            table = prediction_table(samples, fold.test, estimates, run=kept.labels)
            if store:
                store.write(kept, table, cost)
        tables.append(table)
        if cost is not None:
            run.costs(cost)
        run.progress(done, len(folds))
    return join_predictions(tables)


def unfinished(
    system: System,
    samples: Samples,
    *,
    folds: Sequence[Fold],
    protocol: Protocol,
    seed: int,
    run: RunSettings,
) -> list[Fold]:
    """The folds that ``cross_validate`` with the same arguments would not find in the store."""
    if run.store is None:
        return list(folds)
    store = FoldStore(run.store, content_hash(samples, run.fingerprint))
    keys = [FoldKey(fold, system.name, protocol.letter, seed) for fold in folds]
    return [key.fold for key in keys if not store.path(key).exists()]


def _run_fold(
    system: System, samples: Samples, key: FoldKey, protocol: Protocol
) -> tuple[Estimates, FoldCost]:
    fold = key.fold
    assert all(map(len, (fold.train, fold.validation, fold.test))), f"{fold.name}: empty side"
    task = Task(_visible(system, samples, fold), fold, key.seed)
    started = time.perf_counter()
    fitted = system.fit(task)
    fit_seconds = time.perf_counter() - started
    calibration = fitted_on(
        samples, fold.validation, name="Platt scaling", kind="calibration", used_labels=True
    )
    # What a system's name declares in every table is no leak: see ``Sees``.
    parts = [part for part in fitted.parts if not _declared(system, part)]
    check_parts(samples, fold, [*parts, calibration], protocol)
    prior = _prior(task)
    validation = _scores(fitted, fold.validation, prior, system.name)
    started = time.perf_counter()
    test = _scores(fitted, fold.test, prior, system.name)
    predict_seconds = time.perf_counter() - started
    cost = FoldCost(
        model=system.name,
        fold=fold.name,
        protocol=protocol.letter,
        seed=key.seed,
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        train_rows=len(fold.train),
        test_rows=len(fold.test),
    )
    return _calibrated(task, validation, test), cost


def _declared(system: System, part: FittedPart) -> bool:
    """Whether the system says that this part has seen the test person."""
    if system.sees == TRANSDUCTIVE:
        return part.kind == "person normaliser" and not part.used_labels
    return system.oracle and part.kind == "classifier"


def _visible(system: System, samples: Samples, fold: Fold) -> Samples:
    """The samples with the truth that the system may see."""
    visible = np.zeros(len(samples), dtype=np.bool_)
    visible[fold.train] = True
    visible[fold.validation] = True
    if system.oracle:
        table = trial_table(samples)
        people = np.unique(table.subject[table.of(fold.test)])
        visible |= np.isin(table.subject, people)[table.of_row]
    return samples.hidden(visible)


def _prior(task: Task) -> FloatArray:
    """(T,) mean truth of the training trials; the threshold where none was rated."""
    _, truth = trial_truth(task.samples, task.fold.train)
    rated = np.isfinite(truth)
    total, number = np.where(rated, truth, 0.0).sum(axis=0), rated.sum(axis=0)
    prior = midpoints(task.samples.targets)
    np.divide(total, number, out=prior, where=number > 0)
    return prior


def _scores(fitted: Fitted, rows: Rows, prior: FloatArray, name: str) -> FloatArray:
    """(m, T) finite scores: a row without an estimate is scored as the training mean."""
    scores = np.asarray(fitted.predict(rows), dtype=np.float64)
    assert scores.shape == (len(rows), len(prior)), f"{name}: {scores.shape}"
    missing = ~np.isfinite(scores)
    if missing.any():
        _LOG.info("%s gave no estimate for %.1f %% of rows", name, 100 * missing.mean())
    return np.where(missing, prior, scores)


def _calibrated(task: Task, validation: FloatArray, test: FloatArray) -> Estimates:
    """Probabilities and intervals of test scores, both from the validation trials alone."""
    fold, samples = task.fold, task.samples
    table, truth = trial_truth(samples, fold.validation)
    known = table.of(fold.validation)
    scores, truth = table.means(validation, fold.validation)[known], truth[known]
    _, learned = trial_truth(samples, np.concatenate([fold.train, fold.validation]))
    labels, all_labels = (positive(part, samples.targets) for part in (truth, learned))
    rated = np.isfinite(all_labels)
    base_rate = (np.where(rated, all_labels, 0).sum(axis=0) + 1) / (rated.sum(axis=0) + 2)
    platt = fit_platt(scores, labels, base_rate)
    half_width = conformal_half_width(np.abs(scores - truth), table.subject[known])
    return Estimates(test, platt.probability(test), half_width)
