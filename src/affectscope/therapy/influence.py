"""Which modality drove the estimate over time: rows of a session scored again, one left out.

What the network's output would be without the face, without the ECG, without the EDA: removal-based
explanation (Covert, Lundberg & Lee, Explaining by removing, J. Machine Learning Research 22, 2021)
of one network on one session. It is not a cause, and not how much a modality tells about people.

Where nothing is written, and what we do:
1. A modality that is left out is an absent one: zeros for its features (``models.bmmn``, 1).
2. The first row of each second is taken. Beyond ``MOST_ROWS`` of them the seconds become steps of
   2, 4, 8 ... s and what was taken is thinned to them, so that memory does not grow.
3. A row that lacks a modality tells nothing about it; nor does a row that holds one alone, since
   without it nothing is left to score. Both are NaN.
4. In a row that modality is the strongest whose absence moves the point (valence, arousal) the
   furthest; none is where nothing moves it.
5. Features that never change move every row alike. So it is also told how much of the change from
   before to after is gone without the modality: what is constant cancels there.

Legend: N rows of a batch, R rows taken, M modalities of the network, 2 targets: valence, arousal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.evaluation.phases import Phases
from affectscope.evaluation.statistics import Estimate, difference, mean_over_time
from affectscope.inference.predictor import Predictor, Shares
from affectscope.records import TARGETS, BoolArray, FloatArray, Modality

STEP = 1.0
"""Seconds between rows at least."""
MOST_ROWS = 3600
SHOWN = ("valence", "arousal")

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Effect:
    """How far one target moves without one modality, on the target's own scale from -1 to 1.

    Attributes:
        mean_absolute: over the session; ``before`` and ``after``: over the phases. None where no
            row tells.
        change: how much of the target's change from before to after is gone without the modality.
    """

    mean_absolute: Estimate | None
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None


@dataclass(frozen=True, eq=False)
class Influence:
    """What leaving out each modality of the network does to its estimates in one session.

    Attributes:
        modalities: M, in the order of ``moved``.
        times: (R,) seconds on the session's axis.
        moved: (R, M, 2) the estimate from all that is there minus the estimate without the
            modality, of valence and arousal; NaN where it cannot be told.
        effects: by modality and target. Empty where nothing could be computed.
        most: share of the rows in which a modality is the strongest, by modality.
        hidden_in_training: probability with which a modality of a row was hidden in training;
            None where the checkpoint does not say.
        reason: why nothing could be computed, empty where it could.
    """

    modalities: tuple[Modality, ...]
    times: FloatArray
    moved: FloatArray
    effects: Mapping[Modality, Mapping[str, Effect]]
    most: Mapping[Modality, float]
    hidden_in_training: float | None
    reason: str = ""

    @property
    def rows(self) -> int:
        """How many rows tell about two modalities or more."""
        return int(_tells(self.moved).sum())

    @property
    def strongest(self) -> Rows:
        """(R,) which of the modalities moves the point the furthest; -1 for none."""
        return _strongest(self.moved)


@dataclass
class InfluenceProbe:
    """Scores at most one row per second again, without each modality in turn, while a session is
    walked through; ``influence`` tells what that did."""

    scorer: Predictor | None
    times: FloatArray = field(default_factory=lambda: np.empty(0))
    moved: FloatArray | None = None
    _step: float = STEP
    _start: float = 0.0

    def add(self, batch: WindowBatch, shares: Shares) -> None:
        """A batch and its ``Predictor.shares``."""
        if self.scorer is None or self._unused():
            return
        rows = self._taken(batch.times)
        if not len(rows):
            return
        taken = {name: share[rows] for name, share in shares.items()}
        present = {name: there[rows] for name, there in batch.present.items()}
        moved = _without_each(self.scorer, taken, present)
        self.times = np.concatenate([self.times, batch.times[rows]])
        self.moved = moved if self.moved is None else np.concatenate([self.moved, moved])
        while len(self.times) > MOST_ROWS:
            self._step *= 2
            kept = np.unique(self._parts(self.times), return_index=True)[1]
            self.times, self.moved = self.times[kept], self.moved[kept]

    def influence(self, phases: Phases) -> Influence | None:
        """What was found, once the session was walked through; None where no affect was scored."""
        if self.scorer is None:
            return None
        used = self._modalities(self.scorer)
        nothing = np.full((len(self.times), len(used), len(SHOWN)), np.nan)
        moved = nothing if self.moved is None else self.moved
        tells, reason = _tells(moved), self._unused()
        if not reason and not tells.any():
            reason = "no analysed time has two of the modalities that the network reads"
        strongest = _strongest(moved)[tells]
        return Influence(
            modalities=used,
            times=self.times,
            moved=moved,
            effects={} if reason else _effects(used, self.times, moved, phases),
            most={}
            if reason
            else {name: float((strongest == k).mean()) for k, name in enumerate(used)},
            hidden_in_training=_hidden_in_training(self.scorer.checkpoint.training),
            reason=reason,
        )

    @staticmethod
    def _modalities(scorer: Predictor) -> tuple[Modality, ...]:
        return scorer.checkpoint.config.modalities

    def _unused(self) -> str:
        """Why nothing can be told with this network; empty where it can."""
        if self.scorer is None:
            return ""
        config = self.scorer.checkpoint.config
        if len(config.modalities) == 1:
            return f"the network reads {config.modalities[0]} only, and without it nothing is left"
        if not set(config.targets) & set(SHOWN):
            return "the network estimates neither valence nor arousal"
        return ""

    def _parts(self, times: FloatArray) -> Rows:
        """Which part of the session, each a step long, a time lies in."""
        return np.floor((times - self._start) / self._step + 1e-9).astype(np.int64)

    def _taken(self, times: FloatArray) -> Rows:
        """The first row of each part of the session from which none was taken yet."""
        if not len(self.times):
            self._start = float(times[0])
        parts, rows = np.unique(self._parts(times), return_index=True)
        if len(self.times):
            rows = rows[parts > self._parts(self.times[-1:])[0]]
        return rows.astype(np.int64)


def influence_result(influence: Influence | None) -> dict[str, Any] | None:
    """What result.json holds of the influence: not its course. ``results.plain`` makes it JSON."""
    if influence is None:
        return None
    return {
        "modalities": {
            name: {**influence.effects[name], "most": influence.most[name]}
            for name in influence.effects
        },
        "rows": influence.rows,
        "hidden_in_training": influence.hidden_in_training,
        "reason": influence.reason or None,
    }


def _without_each(
    scorer: Predictor, shares: Shares, present: Mapping[Modality, BoolArray]
) -> FloatArray:
    """(R, M, 2) estimates of rows minus those without each modality."""
    used = scorer.checkpoint.config.modalities
    nowhere = np.zeros(len(shares[used[0]]), dtype=np.bool_)
    there = np.column_stack([present.get(name, nowhere) for name in used])  # (R, M)
    shown = [TARGETS.index(name) for name in SHOWN]
    whole = scorer.values(shares, present)[:, shown]
    lacking = [scorer.values(shares, {**present, name: nowhere})[:, shown] for name in used]
    moved = whole[:, None] - np.stack(lacking, axis=1)
    moved[~there] = np.nan
    moved[there.sum(axis=1) < 2] = np.nan  # nothing is left to score
    return moved


def _tells(moved: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(R,) rows that tell anything: those always tell about two modalities or more."""
    return np.asarray(np.isfinite(moved).any(axis=(1, 2)))


def _strongest(moved: FloatArray) -> Rows:
    """(R,) index of the modality that moves the point the furthest, -1 where nothing moves it."""
    distance = np.sqrt(np.nansum(moved**2, axis=2))  # (R, M)
    return np.where(distance.max(axis=1) > 0, distance.argmax(axis=1), -1)


def _effects(
    modalities: tuple[Modality, ...], times: FloatArray, moved: FloatArray, phases: Phases
) -> dict[Modality, dict[str, Effect]]:
    return {
        name: {
            target: _effect(times, moved[:, row, column], phases)
            for column, target in enumerate(SHOWN)
        }
        for row, name in enumerate(modalities)
    }


def _effect(times: FloatArray, course: FloatArray, phases: Phases) -> Effect:
    step = float(np.median(np.diff(times))) if len(times) > 1 else STEP
    parts = [course[(times >= phase.start) & (times < phase.end)] for phase in phases]
    before, after = (mean_over_time(part, step) for part in parts)
    return Effect(
        _distance(course, step),
        _distance(parts[0], step),
        _distance(parts[1], step),
        None if before is None or after is None else difference(before, after),
    )


def _distance(course: FloatArray, step: float) -> Estimate | None:
    """Mean absolute value over time; no distance is below zero."""
    mean = mean_over_time(np.abs(course), step)
    if mean is None or mean.low is None:
        return mean
    return replace(mean, low=max(0.0, mean.low))


def _hidden_in_training(training: Mapping[str, Any]) -> float | None:
    settings = training.get("settings")
    hidden = settings.get("modality_dropout") if isinstance(settings, Mapping) else None
    return float(hidden) if isinstance(hidden, int | float) else None
