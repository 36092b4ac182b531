"""A line that bends as rarely as its points allow: a linear spline with knots where needed.

Pieces meet, and the levels at the knots are those of least squares. A piece is halved while it lies
off its points by more than is accepted, and by more than noise explains. Where points are few and
noisy, knots that spare less than noise does are left out again, and the others moved to where they
fit best.

Legend: B points, K knots.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affectscope.io.clock_breaks import IntArray
from affectscope.records import BoolArray, FloatArray

ACCEPTED = 0.0006
"""Seconds that a point may lie off: a stamp rounded to a millisecond does not bend the line."""

SURE_NOISE = 0.0003
"""Seconds; with less noise every point that lies off counts."""

_NOISES = 4.5
_MOVABLE, _FEW = 64, 4096  # knots and points; with more, trying every knot takes too long
_KNOT_WORTH = 16.0  # how many times the noise's variance a knot must spare


def bent_line(x: FloatArray, late: FloatArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Knots (K,), a part of ``x`` (B,), and the line's levels there; one knot where a level does.

    Args:
        late: (B,) s, the points' levels.
        noise: s, standard deviation of a point.
    """
    level = np.full(1, late.mean())
    if len(x) < 3 or not _bad_pieces(late - level, np.array([0, len(x) - 1]), noise).any():
        return x[:1], level
    edges = np.array([0, len(x) - 1])
    while True:
        levels = _least_squares(x, late, edges)
        bad = _bad_pieces(late - np.interp(x, x[edges], levels), edges, noise)
        bad &= np.diff(edges) > 1
        if not bad.any():
            break
        edges = np.union1d(edges, (edges[:-1] + edges[1:])[bad] // 2)
    if noise > SURE_NOISE and len(edges) <= _MOVABLE and len(x) <= _FEW:
        edges = _fewer(x, late, edges=edges, noise=noise)
    return x[edges], _least_squares(x, late, edges)


def _fewer(x: FloatArray, late: FloatArray, *, edges: IntArray, noise: float) -> IntArray:
    """Knots without those that noise explains; each left is moved to where it fits best."""

    def misfit(trial: IntArray) -> float:
        off = late - np.interp(x, x[trial], _least_squares(x, late, trial))
        return float(off @ off)

    least = misfit(edges)
    while len(edges) > 2:
        without = [misfit(np.delete(edges, k)) for k in range(1, len(edges) - 1)]
        if min(without) - least > _KNOT_WORTH * noise**2:
            break
        edges = np.delete(edges, 1 + int(np.argmin(without)))
        edges, least = _moved(edges, misfit)
    return edges


def _moved(edges: IntArray, misfit: Callable[[IntArray], float]) -> tuple[IntArray, float]:
    least, reach = misfit(edges), int(np.diff(edges).max()) // 2
    while reach:
        for k in range(1, len(edges) - 1):
            for by in (-reach, reach):
                trial = edges.copy()
                trial[k] += by
                if edges[k - 1] < trial[k] < edges[k + 1] and (found := misfit(trial)) < least:
                    edges, least = trial, found
        reach //= 2
    return edges, least


def _bad_pieces(residual: FloatArray, edges: IntArray, noise: float) -> BoolArray:
    """Whether a piece between edges is off by more than is accepted, and not by chance."""
    firsts, size = edges[:-1], np.diff(edges).astype(np.float64)
    size[-1] += 1
    pieces = np.repeat(np.arange(len(firsts)), size.astype(np.int64))
    off = np.maximum.reduceat(np.abs(residual), firsts)
    if noise <= SURE_NOISE:
        return np.asarray(off > max(ACCEPTED, _NOISES * noise))
    share = (np.arange(len(residual)) - firsts[pieces] + 0.5) / size[pieces]
    squares = np.add.reduceat(residual**2, firsts)
    chance = squares > noise**2 * (size + 6 * np.sqrt(2 * size) + 10)
    for shape, square in (
        (0.5 - np.abs(2 * share - 1), 1 / 12),  # a bend in the middle
        (share - 0.5, 1 / 12),  # a slope
        (np.sin(2 * np.pi * share), 1 / 2),  # an S
    ):
        moment = np.add.reduceat(residual * shape, firsts)
        chance |= np.abs(moment) > _NOISES * noise * np.sqrt(size * square)
    return np.asarray((off > ACCEPTED) & chance)


def _least_squares(x: FloatArray, late: FloatArray, edges: IntArray) -> FloatArray:
    """Levels at x[edges] of the linear spline nearest to (x, late)."""
    from scipy.linalg import solveh_banded

    knots, count = x[edges], len(edges)
    piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, count - 2)
    right = (x - knots[piece]) / (knots[piece + 1] - knots[piece])
    left = 1.0 - right

    def added(at: IntArray, weights: FloatArray) -> FloatArray:
        return np.bincount(at, weights, minlength=count).astype(np.float64)

    matrix = np.zeros((2, count))  # upper form of solveh_banded
    matrix[1] = added(piece, left**2) + added(piece + 1, right**2)
    matrix[0, 1:] = added(piece, left * right)[:-1]
    target = added(piece, left * late) + added(piece + 1, right * late)
    return np.asarray(solveh_banded(matrix, target))


def extended(knots: FloatArray, at: FloatArray, levels: FloatArray) -> FloatArray:
    """Levels at knots: straight on beyond the first and the last block's centre."""
    found = np.interp(knots, at, levels)
    if len(at) > 1:
        first = (levels[1] - levels[0]) / (at[1] - at[0])
        last = (levels[-1] - levels[-2]) / (at[-1] - at[-2])
        found += np.minimum(knots - at[0], 0.0) * first + np.maximum(knots - at[-1], 0.0) * last
    return found
