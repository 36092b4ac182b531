"""Finished folds on disk, so that an interrupted experiment goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from affectscope.evaluation.predictions import COLUMNS
from affectscope.evaluation.samples import Fold, Samples
from affectscope.io.files import write_text, write_with

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FoldKey:
    """One fold of one system under one protocol (its letter) with one seed."""

    fold: Fold
    model: str
    protocol: str
    seed: int

    @property
    def labels(self) -> dict[str, str | int]:
        """The columns that say which run a row is of."""
        return {
            "fold": self.fold.name, "model": self.model, "protocol": self.protocol,
            "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class FoldCost:
    """What one fold of one system took, in seconds of the clock, and for how many rows.

    Attributes:
        fit_seconds: to learn from ``train_rows`` rows and to choose by the validation rows.
        predict_seconds: to predict the ``test_rows`` rows of the test side.
    """

    model: str
    fold: str
    protocol: str
    seed: int
    fit_seconds: float
    predict_seconds: float
    train_rows: int
    test_rows: int


@dataclass(frozen=True)
class FoldStore:
    """A folder with one Parquet file for each finished (model, protocol, fold, seed).

    Beside it lies what the fold cost, as JSON, which is written first: a finished fold has both.

    A file's name ends in a hash of all that decides its content: ``content`` (the samples and the
    caller's fingerprint), the model, the protocol, the seed and the fold's rows. A changed
    setting is therefore another file, never a wrong one.
    """

    folder: Path
    content: str

    def path(self, key: FoldKey) -> Path:
        """Where the fold's table lies."""
        digest = hashlib.sha256(json.dumps([self.content, key.labels]).encode())
        for rows in (key.fold.train, key.fold.validation, key.fold.test):
            digest.update(len(rows).to_bytes(8, "little") + np.ascontiguousarray(rows).tobytes())
        words = f"{key.model} {key.protocol} {key.fold.name} seed {key.seed}"
        readable = re.sub(r"[^A-Za-z0-9]+", "-", words)[:80]
        return self.folder / f"{readable}-{digest.hexdigest()[:20]}.parquet"

    def read(self, key: FoldKey) -> pd.DataFrame | None:
        """The table, None where it is not there or cannot be read (then it is computed again)."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            _LOG.warning("%s cannot be read (%s); the fold is computed again", path.name, error)
            return None
        return table if tuple(table.columns) == COLUMNS else None

    def read_cost(self, key: FoldKey) -> FoldCost | None:
        """What the fold cost when it was run; None where that is not known."""
        path = self.path(key).with_suffix(".json")
        if not path.exists():
            return None
        try:
            return FoldCost(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            _LOG.warning("%s cannot be read (%s); the cost is not known", path.name, error)
            return None

    def write(self, key: FoldKey, table: pd.DataFrame, cost: FoldCost) -> None:
        """Keep a finished fold, whole or not at all.

        Raises:
            OutputError: E_OUTPUT.
        """
        write_text(self.path(key).with_suffix(".json"), json.dumps(asdict(cost)))
        write_with(self.path(key), lambda stream: table.to_parquet(stream, index=False))


def content_hash(samples: Samples, fingerprint: str) -> str:
    """Hash of the keys, the truth and the caller's ``fingerprint`` of inputs and settings."""
    head = [fingerprint, samples.window, samples.targets]
    digest = hashlib.sha256(json.dumps(head).encode())
    for part in (samples.subject, samples.trial, samples.onset, samples.trial_duration,
                 samples.truth):  # fmt: skip
        digest.update(str((part.dtype, part.shape)).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
