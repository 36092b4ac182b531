"""Face pictures of a corpus in memory, small, and sequences of them (``kollias``).

All sequences of a corpus are equally long, so that none tells how long its clip lasts.

Legend: P pictures in memory, N sequences, L length of a sequence, K trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from affectscope.datasets.prepared import PreparedCorpus, PreparedTrial
from affectscope.evaluation.samples import Rows
from affectscope.records import BoolArray

PICTURE = 96
"""Rows and columns of a picture."""
LONGEST, SHORTEST = 80, 8
"""Rows of a sequence."""
MOST_PICTURES = 60_000
"""1.7 GB."""

_READ = 64  # pictures that are read at a time


@dataclass(frozen=True, eq=False)
class Faces:
    """The pictures of a corpus, small and in memory.

    Attributes:
        pictures: (P, 3, 96, 96) uint8; a row without a face shows the last one seen.
        seen: (P,) whether the row has a face of its own.
        rows: (P,) its row among the samples.
        bounds: (K + 1,) trial k has pictures bounds[k] to bounds[k + 1]; none without a face.
        every: one in so many rows was taken.
    """

    pictures: NDArray[np.uint8]
    seen: BoolArray
    rows: Rows
    bounds: NDArray[np.int64]
    every: int

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,) pictures of each trial."""
        return np.diff(self.bounds)

    @property
    def length(self) -> int:
        """L of this corpus: 80, or the pictures of the shortest trial if fewer, but 8 at least."""
        counts = self.counts[self.counts > 0]
        return int(np.clip(counts.min(initial=LONGEST), SHORTEST, LONGEST))


_FACES: WeakKeyDictionary[PreparedCorpus, Faces] = WeakKeyDictionary()


def faces_of(prepared: PreparedCorpus) -> Faces:
    """The corpus' pictures, read once for all folds and forgotten with the corpus."""
    if prepared not in _FACES:
        _FACES[prepared] = _read_faces(prepared)
    return _FACES[prepared]


def _read_faces(prepared: PreparedCorpus) -> Faces:
    shown = [trial.faces is not None and trial.face_present.any() for trial in prepared.trials]
    total = sum(len(t.times) for t, own in zip(prepared.trials, shown, strict=True) if own)
    every = max(1, math.ceil(total / MOST_PICTURES))
    pictures = [np.empty((0, 3, PICTURE, PICTURE), dtype=np.uint8)]
    seen, rows, bounds, first = [np.empty(0, bool)], [np.empty(0, np.int64)], [0], 0
    for trial, own in zip(prepared.trials, shown, strict=True):
        places = np.arange(0, len(trial.times) if own else 0, every)
        if own:
            pictures.append(_small_pictures(trial, _last_seen(trial.face_present)[places]))
        seen.append(trial.face_present[places])
        rows.append(first + places)
        bounds.append(bounds[-1] + len(places))
        first += len(trial.times)
    return Faces(
        np.concatenate(pictures),
        np.concatenate(seen),
        np.concatenate(rows),
        np.array(bounds, dtype=np.int64),
        every,
    )


def _last_seen(present: BoolArray) -> NDArray[np.int64]:
    """(rows,) the last row with a face, up to each; the first one where there is none before."""
    last = np.maximum.accumulate(np.where(present, np.arange(len(present)), -1))
    return np.where(last < 0, int(present.argmax()), last)


def _small_pictures(trial: PreparedTrial, places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(len(places), 3, 96, 96) area means of a trial's crops."""
    assert trial.faces is not None
    found = np.empty((len(places), 3, PICTURE, PICTURE), dtype=np.uint8)
    for start in range(0, len(places), _READ):
        some = slice(start, start + _READ)
        crops = torch.from_numpy(np.asarray(trial.faces[places[some]])).float()
        small = functional.interpolate(crops, size=(PICTURE, PICTURE), mode="area")
        found[some] = small.round().to(torch.uint8).numpy()
    return found


@dataclass(frozen=True, eq=False)
class Sequences:
    """N runs of pictures of one trial each.

    Attributes:
        places: (N, L) among the P pictures; the last one again where the trial is over.
        counted: (N, L) False where the trial is over.
    """

    places: NDArray[np.int64]
    counted: BoolArray

    def __len__(self) -> int:
        return len(self.places)

    def part(self, chosen: slice | NDArray[np.int64]) -> Sequences:
        return Sequences(self.places[chosen], self.counted[chosen])

    def parts(self, size: int) -> Iterator[Sequences]:
        """All of them, at most ``size`` at a time and about equally many."""
        for chosen in np.array_split(np.arange(len(self)), math.ceil(len(self) / size) or 1):
            if len(chosen):
                yield self.part(chosen)


def _sequences(faces: Faces, trials: NDArray[np.int64], begins: NDArray[np.int64]) -> Sequences:
    """A sequence of each of (N,) ``trials`` from the trial's picture (N,) ``begins`` on."""
    places = begins[:, None] + np.arange(faces.length)
    counts, first = faces.counts[trials, None], faces.bounds[trials, None]
    return Sequences(first + np.minimum(places, counts - 1), places < counts)


def tiles(faces: Faces, trials: NDArray[np.int64]) -> Sequences:
    """Sequences that cover each of the trials, the last one up to its end."""
    owner: list[int] = []
    begins: list[int] = []
    for trial in trials.tolist():
        last = max(0, int(faces.counts[trial]) - faces.length)
        own = sorted({*range(0, last, faces.length), last})
        owner += [trial] * len(own)
        begins += own
    return _sequences(faces, np.array(owner, np.int64), np.array(begins, np.int64))


def drawn(faces: Faces, trials: NDArray[np.int64], random: np.random.Generator) -> Sequences:
    """Equally many sequences of each of the trials, from random places and in random order."""
    each = max(1, round(faces.counts[trials].sum() / max(1, len(trials)) / faces.length))
    owner = random.permutation(np.repeat(trials, each))
    last = np.maximum(faces.counts[owner] - faces.length, 0)
    return _sequences(faces, owner, random.integers(0, last, endpoint=True))
