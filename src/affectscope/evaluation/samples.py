"""The rows of an experiment and their folds; numbers and names only.

Legend: M rows (one per analysed time of a trial), T targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectscope.records import BoolArray, FloatArray, WindowKey

StringArray = NDArray[np.str_]
Rows = NDArray[np.int64]
"""Row numbers into ``Samples``, ascending."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Identity and truth of M rows, in (subject, trial, onset) order.

    Attributes:
        subject, trial: (M,) ids; in a corpus the trial's id is its stimulus.
        onset: (M,) start of the row's signal window, seconds on the trial's axis.
        window: length of every signal window, seconds.
        trial_duration: (M,) length of the row's trial, seconds. Only duration baselines may see it.
        truth: (M, T) ratings in [-1, 1] and emotions in [0, 1]; NaN where not rated or hidden.
        targets: T names out of ``records.TARGETS``.
    """

    subject: StringArray
    trial: StringArray
    onset: FloatArray
    window: float
    trial_duration: FloatArray
    truth: FloatArray
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.subject)
        assert self.trial.shape == self.onset.shape == self.trial_duration.shape == (count,)
        assert self.truth.shape == (count, len(self.targets)), self.truth.shape

    def __len__(self) -> int:
        return len(self.subject)

    def key(self, row: int) -> WindowKey:
        """The identity of one row."""
        return WindowKey(
            str(self.subject[row]), str(self.trial[row]), float(self.onset[row]), self.window
        )

    def hidden(self, visible: BoolArray) -> Samples:
        """The same rows; the truth of all that are not ``visible`` (M,) is NaN."""
        truth = np.where(visible[:, None], self.truth, np.nan)
        return Samples(
            self.subject, self.trial, self.onset, self.window, self.trial_duration, truth,
            self.targets,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fold:
    """One split: ``train`` to learn from, ``validation`` to stop, choose and calibrate, ``test``.

    Rows in none of the three are left out (purged windows, the crossed-out part of protocol B).
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows
