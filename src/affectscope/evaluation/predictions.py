"""The tidy table of an experiment: one row for each test row and target.

Legend: m test rows, T targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from affectscope.evaluation.samples import Rows, Samples
from affectscope.records import FloatArray

COLUMNS = (
    "subject", "trial", "onset", "target", "truth", "prediction", "probability", "half_width",
    "fold", "seed", "model", "protocol",
)  # fmt: skip
"""``prediction`` on the target's own scale; ``probability`` of a rating above 5 or an emotion that
is present; ``half_width`` of the 90 % conformal interval about the trial's mean."""
CATEGORIES = ("subject", "trial", "target", "fold", "model", "protocol")


@dataclass(frozen=True, eq=False)
class Estimates:
    """What a fold gives for its test rows: prediction, probability (m, T), half_width (T,)."""

    prediction: FloatArray
    probability: FloatArray
    half_width: FloatArray


def prediction_table(
    samples: Samples, rows: Rows, estimates: Estimates, *, run: Mapping[str, str | int]
) -> pd.DataFrame:
    """The table of one fold; ``run`` holds fold, seed, model and protocol.

    Names are categories and the three estimates float32: 14.7 million rows stay under 0.5 GB.
    """
    count, targets = len(rows), len(samples.targets)
    subjects, subject = np.unique(samples.subject[rows], return_inverse=True)
    trials, trial = np.unique(samples.trial[rows], return_inverse=True)
    columns: dict[str, object] = {
        "subject": _names(np.repeat(subject, targets), subjects),
        "trial": _names(np.repeat(trial, targets), trials),
        "onset": np.repeat(samples.onset[rows], targets),
        "target": _names(np.tile(np.arange(targets), count), samples.targets),
        "truth": samples.truth[rows].astype(np.float32).ravel(),
        "prediction": estimates.prediction.astype(np.float32).ravel(),
        "probability": estimates.probability.astype(np.float32).ravel(),
        "half_width": np.tile(estimates.half_width.astype(np.float32), count),
    }
    for name in ("fold", "model", "protocol"):
        columns[name] = _names(np.zeros(count * targets, np.int8), [run[name]])
    columns["seed"] = np.full(count * targets, int(run["seed"]), dtype=np.int32)
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _names(codes: NDArray[np.integer[Any]], names: Iterable[object]) -> pd.Categorical[Any]:
    categories = pd.Index([str(name) for name in names])
    return pd.Categorical.from_codes(codes, categories)


def join_predictions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below one another; names stay categories, in order of appearance."""
    assert tables, "nothing to join"
    united = {
        name: pd.CategoricalDtype(
            list(
                dict.fromkeys(c for t in tables for c in t[name].astype("category").cat.categories)
            )
        )
        for name in CATEGORIES
    }
    return pd.concat([table.astype(united) for table in tables], ignore_index=True)
