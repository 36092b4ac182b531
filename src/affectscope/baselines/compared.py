"""The systems that we compare with: what each is given, what it needs, what its paper printed.

Every system learns and predicts through ``evaluation.crossval`` on the same folds and rows. Rows
come once or more a second and hold nearly the same, so a system learns from and predicts at rows
that lie ``ComparedSettings.hop`` apart; the rows between take the nearest one's score.

Legend: M rows of the corpus, m some of them, T targets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.body_features import BodyFeatures
from affectscope.datasets.prepared import PreparedCorpus
from affectscope.errors import EvaluationError
from affectscope.evaluation.crossval import Fitted, Sees, System, Task
from affectscope.evaluation.leaks import FittedPart
from affectscope.evaluation.samples import Rows, Samples
from affectscope.evaluation.trials import trial_table
from affectscope.records import FloatArray

Source = Literal["face", "ecg", "eda", "eeg"]
COMPARED_TARGETS = ("valence", "arousal", "liking")
"""What the compared systems estimate; they leave the emotions out."""


@dataclass(frozen=True)
class Published:
    """What a paper printed, per cent; None where it printed nothing.

    Attributes:
        metric: the paper's measure.
        protocol: how people and trials were split there, in a few words.
        note: what one must know before comparing; "[?]" marks what no source at hand confirmed.
    """

    metric: str
    protocol: str
    valence: float | None = None
    arousal: float | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class FaceEmbeddings:
    """Features of a face encoder, and whom the encoder was fitted on.

    ``features``: by the trial's key, (rows of the trial, F); zeros in rows without a face.
    """

    features: Mapping[str, NDArray[np.float32]]
    part: FittedPart


@dataclass(frozen=True)
class ComparedSettings:
    """How the compared systems learn.

    Attributes:
        hop: seconds between rows that are learned from and predicted at.
        epochs: at most so many, where a system's own number is larger; None: its own.
        face_encoder: "small" or "resnet50", the trunk of systems that look at faces themselves.
    """

    hop: float = 5.0
    epochs: int | None = None
    face_encoder: Literal["small", "resnet50"] = "small"

    def limited(self, own: int) -> int:
        """The number of epochs of a system whose own number is ``own``."""
        return own if self.epochs is None else min(own, self.epochs)


@dataclass(frozen=True, eq=False)
class ComparedData:
    """What every compared system is given.

    Attributes:
        prepared: trials sorted by (subject, trial), so that their rows are those of ``samples``.
        cache: where they lie (``datasets.body_features.body_of`` reads analyses from it).
        features: hand-crafted ones of every row, heart, skin and brain.
        face_embeddings: of a fold; None where no trial has a face.
        personality: subject -> (5,) traits; empty where the corpus' user gave none.
    """

    prepared: PreparedCorpus
    samples: Samples
    cache: Path
    features: BodyFeatures
    face_embeddings: Callable[[Task], FaceEmbeddings | None]
    personality: Mapping[str, FloatArray] = field(default_factory=dict)
    settings: ComparedSettings = ComparedSettings()

    @property
    def sources(self) -> frozenset[Source]:
        """What at least one trial has."""
        found: set[Source] = set()
        for trial in self.prepared.trials:
            found |= {name for name in ("ecg", "eda") if name in trial.signals}
            found |= {"face"} if trial.faces is not None else set()
        if self.features.of("eeg"):
            found.add("eeg")
        return frozenset(found)

    @property
    def columns(self) -> tuple[int, ...]:
        """Places of the compared targets among those of ``samples``."""
        return tuple(self.samples.targets.index(name) for name in COMPARED_TARGETS)


@dataclass(frozen=True, eq=False)
class Compared:
    """A compared system.

    Attributes:
        name: as tables print it.
        citation: authors, title, where, year.
        uses: what it takes where it is there; ``needs``: without which it cannot work.
        published: None where its paper printed nothing that can stand beside ours.
        fit: learns from one fold of some data.
        family: how tables group it.
    """

    name: str
    citation: str
    uses: tuple[Source, ...]
    needs: tuple[Source, ...]
    published: Published | None
    fit: Callable[[ComparedData, Task], Fitted]
    family: str = "compared"
    sees: Sees = "training people"

    def missing(self, data: ComparedData) -> tuple[Source, ...]:
        """What it needs and the data lack."""
        return tuple(name for name in self.needs if name not in data.sources)

    def system(self, data: ComparedData) -> System:
        """The system on these data.

        Raises:
            EvaluationError: E_SOURCE where the data lack what it needs.
        """
        if missing := self.missing(data):
            raise EvaluationError(
                "E_SOURCE",
                f"'{self.name}' needs {' and '.join(missing)}, which no trial has.",
                "Choose a system that does without.",
            )
        return System(self.name, lambda task: self.fit(data, task), self.family, self.sees)


def fold_seed(task: Task) -> int:
    """A seed of 32 bits that the run's seed and the fold's name decide."""
    digest = hashlib.sha256(f"{task.seed} {task.fold.name}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def thinned(samples: Samples, rows: Rows, hop: float) -> Rows:
    """Of ``rows``, ascending: the first of each trial, and then each that lies ``hop`` s later."""
    kept: list[int] = []
    owner, onset = trial_table(samples).of_row, samples.onset
    for row in rows.tolist():
        if not kept or owner[row] != owner[kept[-1]] or onset[row] >= onset[kept[-1]] + hop - 1e-9:
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def carried(samples: Samples, rows: Rows, chosen: Rows, scores: FloatArray) -> FloatArray:
    """(m, T) for every one of ``rows`` the score of the nearest ``chosen`` row of its trial.

    Args:
        chosen: as ``thinned`` gives them, so at least one of each trial; ``scores``: theirs.
    """
    owner, spread = trial_table(samples).of_row, np.empty((len(rows), scores.shape[1]))
    for trial in np.unique(owner[rows]):
        own, known = owner[rows] == trial, owner[chosen] == trial
        distance = np.abs(samples.onset[rows[own], None] - samples.onset[chosen[known]])
        spread[own] = scores[known][distance.argmin(axis=1)]
    return spread


def as_scores(data: ComparedData, values: FloatArray) -> FloatArray:
    """(m, len(COMPARED_TARGETS)) -> (m, T) in the samples' targets; NaN in the others."""
    scores = np.full((len(values), len(data.samples.targets)), np.nan)
    scores[:, data.columns] = values
    return scores
