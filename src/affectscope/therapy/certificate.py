"""The sync certificate: how the modalities lie in time, and how much hangs on it.

How much: the rows of a session are scored again with ECG and EDA 100 ms earlier and later against
the face. What that moves is what an alignment that is 100 ms wrong would move.

Where nothing is written, and what we do:
1. At most 200 rows are taken, the first one in each of 200 equal parts of the session; rows without
   a face or without a signal cannot be shifted against each other and are passed over.
2. A row whose window becomes usable or unusable by the shift is left out: that is not what an
   alignment changes.
3. Of the two shifts the one that moves a number further is told.

Legend: N rows of a batch, R rows taken, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.window_dataset import WindowBatch, WindowStream
from affectscope.evaluation.phases import Phases
from affectscope.inference.predictor import Predictor, Shares
from affectscope.io.clock_alignment import drift_by_the_end
from affectscope.io.session import Session
from affectscope.records import TARGETS, ClockAlignment, FloatArray

SHIFT = 0.1
"""Seconds by which both signals are moved against the face."""
MOST_ROWS = 200
_SHOWN = ("valence", "arousal")


@dataclass(frozen=True)
class Moved:
    """How far one target moves, on its own scale from -1 to 1, under the worse of two shifts.

    Attributes:
        mean: its mean over the rows.
        change: its change from before to after; None where a phase holds no row.
        row: one row, root mean square over the rows.
        furthest: the row that moves most.
    """

    mean: float
    change: float | None
    row: float
    furthest: float


@dataclass(frozen=True)
class Certificate:
    """How a session's modalities were aligned.

    Attributes:
        alignments: one per modality that is there.
        drift_by_the_end: seconds by which clocks that differ by 100 ppm come apart in the session.
        rows: how many rows were scored again; ``moved``: what the shift did, by target; None with
            the reason in ``not_moved``.
    """

    alignments: tuple[ClockAlignment, ...]
    drift_by_the_end: float
    rows: int
    moved: Mapping[str, Moved] | None
    not_moved: str


@dataclass
class ShiftProbe:
    """Scores evenly spread rows again, the signals shifted, while a session is walked through."""

    stream: WindowStream
    scorer: Predictor | None
    times: list[FloatArray] = field(default_factory=list)
    values: list[FloatArray] = field(default_factory=list)  # (3, R, T): as is, earlier, later
    _next: float = -np.inf

    def add(self, batch: WindowBatch, shares: Shares) -> None:
        """A batch and its ``Predictor.shares``."""
        if self.scorer is None or self._unused():
            return
        rows = self._taken(batch)
        if not len(rows):
            return
        as_is = {name: share[rows] for name, share in shares.items()}
        there = {name: present[rows] for name, present in batch.present.items()}
        moved = [self.stream.shifted(batch, rows, by) for by in (-SHIFT, SHIFT)]
        values = [self._values(each, as_is["face"]) for each in moved]
        scored = np.stack([self.scorer.values(as_is, there), *values])
        present = batch.present_matrix[rows]
        alike = np.all([(each.present_matrix == present).all(axis=1) for each in moved], axis=0)
        self.times.append(batch.times[rows][alike])
        self.values.append(scored[:, alike])

    def _values(self, moved: WindowBatch, face: NDArray[np.float32]) -> FloatArray:
        """(R, T) of rows whose signals are shifted; their faces are encoded already."""
        assert self.scorer is not None
        signals = dict(moved.inputs)
        signals.pop("face")
        shares = self.scorer.shares(replace(moved, inputs=signals))
        return self.scorer.values(shares | {"face": face}, moved.present)

    def certificate(self, session: Session, phases: Phases) -> Certificate:
        """What was found, once the session was walked through."""
        start, end = session.recording.span
        reason = "no affect was scored" if self.scorer is None else self._unused()
        rows = sum(map(len, self.times))
        if not reason and not rows:
            reason = "no row has both a face and a signal"
        return Certificate(
            session.alignments,
            drift_by_the_end(end - start),
            rows,
            None if reason else self._moved(phases),
            reason,
        )

    def _unused(self) -> str:
        """Why a shift can change nothing with this network; empty where it can."""
        if self.scorer is None:
            return ""
        used = self.scorer.checkpoint.config.modalities
        if "face" in used and len(used) > 1:
            return ""
        return f"the network reads {' and '.join(used)} only"

    def _taken(self, batch: WindowBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Rows of the batch that begin a new part of the session."""
        start, end = self.stream.recording.span
        step = (end - start) / MOST_ROWS
        present = batch.present_matrix
        usable = present[:, 0] & present[:, 1:].any(axis=1)
        rows = []
        for row in np.flatnonzero(usable):
            if batch.times[row] >= self._next:
                rows.append(row)
                self._next = start + step * (np.floor((batch.times[row] - start) / step) + 1)
        return np.array(rows, dtype=np.int64)

    def _moved(self, phases: Phases) -> dict[str, Moved]:
        times, values = np.concatenate(self.times), np.concatenate(self.values, axis=1)
        inside = [(times >= phase.start) & (times < phase.end) for phase in phases]
        found: dict[str, Moved] = {}
        for name in _SHOWN:
            course = values[:, :, TARGETS.index(name)]  # (3, R)
            if not np.isfinite(course).all():  # the network does not have this target
                continue
            apart = course[1:] - course[:1]
            change = None
            if all(rows.any() for rows in inside):
                before, after = (apart[:, rows].mean(axis=1) for rows in inside)
                change = float(np.abs(after - before).max())
            found[name] = Moved(
                mean=float(np.abs(apart.mean(axis=1)).max()),
                change=change,
                row=float(np.sqrt((apart**2).mean(axis=1)).max()),
                furthest=float(np.abs(apart).max()),
            )
        return found
