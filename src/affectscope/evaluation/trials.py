"""Trials of an experiment's rows: which rows belong together, and means over them.

Legend: M rows, K trials, m some of the rows, T targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectscope.evaluation.samples import Rows, Samples, StringArray
from affectscope.records import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class TrialTable:
    """The K trials of some samples, in their order.

    Attributes:
        subject, trial: (K,) ids.
        duration: (K,) seconds.
        of_row: (M,) number of the trial that a row belongs to.
    """

    subject: StringArray
    trial: StringArray
    duration: FloatArray
    of_row: Rows

    def __len__(self) -> int:
        return len(self.subject)

    def rows(self, chosen: BoolArray) -> Rows:
        """The rows, ascending, of the trials that are ``chosen`` (K,)."""
        return np.flatnonzero(chosen[self.of_row])

    def of(self, rows: Rows) -> Rows:
        """Numbers, ascending, of the trials that ``rows`` are of."""
        return np.flatnonzero(np.bincount(self.of_row[rows], minlength=len(self)))

    def means(self, values: FloatArray, rows: Rows) -> FloatArray:
        """(K, T) means of the finite ``values`` (m, T) at ``rows`` (m,); NaN where none is."""
        owner, count = self.of_row[rows], len(self)
        means = np.full((count, values.shape[1]), np.nan)
        for column, mean in zip(values.T, means.T, strict=True):
            finite = np.isfinite(column)
            total = np.bincount(owner[finite], column[finite], minlength=count)
            number = np.bincount(owner[finite], minlength=count)
            np.divide(total, number, out=mean, where=number > 0)
        return means


def trial_table(samples: Samples) -> TrialTable:
    """The trials of ``samples``, whose rows lie in (subject, trial, onset) order."""
    same = (samples.subject[1:] == samples.subject[:-1]) & (samples.trial[1:] == samples.trial[:-1])
    first = np.flatnonzero(np.concatenate([[len(samples) > 0], ~same])[: len(samples)])
    subject, trial = samples.subject[first], samples.trial[first]
    pairs = set(zip(subject.tolist(), trial.tolist(), strict=True))
    assert len(pairs) == len(first), "the rows of a trial do not lie together"
    of_row = np.zeros(len(samples), dtype=np.int64)
    of_row[first[1:]] = 1
    return TrialTable(subject, trial, samples.trial_duration[first], np.cumsum(of_row))


def trial_truth(samples: Samples, rows: Rows) -> tuple[TrialTable, FloatArray]:
    """The trials, and their (K, T) mean truth over ``rows``; NaN where no row is known."""
    table = trial_table(samples)
    return table, table.means(samples.truth[rows], rows)
