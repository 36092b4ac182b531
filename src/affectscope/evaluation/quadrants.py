"""In which quadrant of the circumplex a phase lies, and how sure that is. NumPy only.

Quadrants after J. A. Russell, A circumplex model of affect, 1980: I pleasant and aroused, II
unpleasant and aroused, III unpleasant and calm, IV pleasant and calm; 0 counts as pleasant and as
aroused.

Legend: N times, R bootstrap draws.
"""

from __future__ import annotations

import numpy as np

from affectscope.evaluation.statistics import Estimate, joint_mean_draws, mean_over_time
from affectscope.records import FloatArray

QUADRANTS = ("I", "II", "III", "IV")


def quadrant_probability(
    valence: FloatArray, arousal: FloatArray, step: float, *, seed: int = 0
) -> dict[str, float] | None:
    """The share of bootstrap draws whose mean valence and arousal lie in each quadrant; sums to 1.

    Both are drawn by the same blocks, so what moves together stays together, and each one's draws
    spread as its interval (``joint_mean_draws``). It speaks of chance within this phase, not of how
    wrong the estimates themselves may be.

    Args:
        valence: (N,) in time order, NaN where not scored; ``arousal`` (N,) likewise.
        step: seconds between neighbours.

    Returns:
        None where no interval of the means can be given.
    """
    draws = joint_mean_draws(_scored(valence, arousal), step, seed=seed)
    if draws is None:
        return None
    return {name: float(inside.mean()) for name, inside in _quadrants(draws).items()}


def quadrant_time(
    valence: FloatArray, arousal: FloatArray, step: float, *, seed: int = 0
) -> dict[str, Estimate] | None:
    """The share of the scored time spent in each quadrant, with its 95 % interval within 0 to 1.

    Args:
        valence: (N,) in time order, NaN where not scored; ``arousal`` (N,) likewise.
        step: seconds between neighbours.

    Returns:
        None where nothing is scored. A quadrant that is never entered or never left has no
        interval: nothing shows how sure that is.
    """
    points = _scored(valence, arousal)
    scored = np.isfinite(points[:, 0])
    if not scored.any():
        return None
    return {
        name: _share(np.where(scored, inside, np.nan), step, seed)
        for name, inside in _quadrants(points).items()
    }


def _scored(valence: FloatArray, arousal: FloatArray) -> FloatArray:
    """(N, 2), NaN in both where either is missing."""
    points: FloatArray = np.stack([valence, arousal], axis=1).astype(np.float64)
    points[~np.isfinite(points).all(axis=1)] = np.nan
    return points


def _quadrants(points: FloatArray) -> dict[str, FloatArray]:
    """Whether each point (rows of valence, arousal) lies in each quadrant."""
    pleasant, aroused = points[:, 0] >= 0, points[:, 1] >= 0
    inside = (pleasant & aroused, ~pleasant & aroused, ~pleasant & ~aroused, pleasant & ~aroused)
    return {name: part.astype(np.float64) for name, part in zip(QUADRANTS, inside, strict=True)}


def _share(inside: FloatArray, step: float, seed: int) -> Estimate:
    share = mean_over_time(inside, step, seed=seed)
    if share is None:
        raise AssertionError("quadrant_time asks only where something is scored")
    if share.low is None or share.high is None or share.mean in (0.0, 1.0):
        return Estimate(share.mean, None, None, share.count)
    return Estimate(share.mean, max(0.0, share.low), min(1.0, share.high), share.count)
