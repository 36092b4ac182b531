"""How a face moved since it was detected: registration of a small patch of luminance.

The patch is the face's box, averaged down to 32 x 32 cells. A later picture is registered to it by
inverse-compositional Gauss-Newton (Baker and Matthews 2004, IJCV 56:221): everything that costs is
computed once, when the face was detected. The motion is a similarity; brightness and contrast may
change with it (their "linear appearance variation").

Where the literature is silent, and what we do:
1. What counts as too far and too different was set on the clips of ../shared/data/faces. Asked
   twice about one picture, from regions that lie 5 % of a face apart, the detector disagrees
   with itself by medians of 2 to 4 % of the distance of the eyes; following adds 0.5 to 1.7 %.
   Wider limits save little: the longest gap is then what ends most spans. docs/video.md has the
   figures, from ``benchmarks/face_following.py``.
2. More cells, an affine motion, a smaller or larger patch hardly changed the distance to the
   detector's key points: it is mostly the detector's.
3. Change of light is told beside the misfit: without a limit to it a black picture fits every face.

Legend: C = 32 cells across a patch, P of them inside the ellipse that counts. Places and motions
are complex numbers, x + iy in pixels: a similarity is then z -> turn * z + shift.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.face import FaceDetection
from affectscope.records import FloatArray

Number = TypeVar("Number", np.float64, np.complex128)

_CELLS = 32
_ROOM = 0.15
"""Face sizes around the box that are read too: how far the patch may have moved in them."""
_STEPS = 5
"""Gauss-Newton steps at most."""
_STILL = 0.1
"""Cells; a step that moves no cell further has converged: 0.8 % of the distance of the eyes."""
_LARGEST_STEP = 0.25
"""Growth or turn, or movement in patches, of one step; a larger one is a search gone astray."""
_BLOCK = 4
"""Cells across a block, of which the one that fits worst is told."""

LONGEST_GAP = 0.16
"""Seconds between two detections at most where pictures come regularly: no two people crossed
unnoticed at five detections a second (docs/people.md), and this is better than six."""
_FURTHEST, _LARGEST_GROWTH, _LARGEST_TURN = 0.02, 0.03, 0.05
"""Motion since the detection up to which it is followed: face sizes, logarithm, radians."""
_LARGEST_MISFIT, _WORST_MISFIT, _OTHER_LIGHT = 0.15, 0.5, 0.2
"""``FaceMotion.misfit``, ``worst`` and ``light`` up to which it is followed."""


@dataclass(frozen=True)
class FaceMotion:
    """From a detected face to the same face in a later picture, about the centre of its box.

    Attributes:
        turn: growth and rotation; 1 is none.
        shift: of the centre, pixels.
        misfit: root mean square of what the motion does not explain, in standard deviations of
            the patch.
        worst: the same within the block of cells where it is largest.
        light: change of contrast, as a share, or of brightness, in standard deviations of the
            patch: the larger one. A black picture is a patch without contrast.
    """

    turn: complex = 1.0
    shift: complex = 0.0
    misfit: float = 0.0
    worst: float = 0.0
    light: float = 0.0

    def is_sure(self, size: float) -> bool:
        """Whether a face ``size`` pixels wide moved and changed little enough to be followed."""
        return (
            abs(self.shift) <= _FURTHEST * size
            and abs(math.log(abs(self.turn))) <= _LARGEST_GROWTH
            and abs(cmath.phase(self.turn)) <= _LARGEST_TURN
            and self.misfit <= _LARGEST_MISFIT
            and self.worst <= _WORST_MISFIT
            and self.light <= _OTHER_LIGHT
        )

    def of(self, face: FaceDetection) -> FaceDetection:
        """``face``, as detected, where and as large as it is now; its score stays."""
        x, y, width, height = face.box
        centre = complex(x + width / 2, y + height / 2)
        points = face.key_points[:, 0] + 1j * face.key_points[:, 1]
        moved = centre + self.shift + self.turn * (points - centre)
        now, growth = centre + self.shift, abs(self.turn)
        width, height = width * growth, height * growth
        return replace(
            face,
            box=(now.real - width / 2, now.imag - height / 2, width, height),
            key_points=np.column_stack([moved.real, moved.imag]),
        )


class FacePatch:
    """The luminance of one detected face, to find its motion in later pictures.

    ``luminance``: (H, W) uint8 of the picture in which ``face`` was detected.
    """

    def __init__(self, luminance: ImageArray, face: FaceDetection) -> None:
        self._centre = complex(*face.centre)
        self._size = face.size
        self._step = face.size / _CELLS
        self._factor = max(1, int(self._step))
        cells = self._region(luminance, self._centre).cells(self._step)
        down, across = (_counted(np.asarray(slope)) for slope in np.gradient(cells))
        place, flat = _counted(_places()), _counted(cells)
        self._flat, self._spread = flat, max(float(flat.std()), 1.0)
        columns = [
            across * place.real + down * place.imag,
            down * place.real - across * place.imag,
            across,
            down,
            flat - flat.mean(),
            np.ones_like(flat),
        ]
        self._columns = np.stack(columns)  # (6, P)
        self._solver = np.linalg.pinv(self._columns.T)  # (6, P)

    def motion(self, luminance: ImageArray, guess: FaceMotion) -> FaceMotion | None:
        """The motion up to a later picture (H, W), from that up to the one before; None where the
        search for it does not converge."""
        region = self._region(luminance, self._centre + guess.shift)
        turn, shift = guess.turn, guess.shift
        for _ in range(_STEPS):
            cells = region.cells(self._step, turn, self._centre + shift)
            error = _counted(cells) - self._flat
            change = self._solver @ error
            growth, moved = complex(change[0], change[1]), complex(change[2], change[3])
            if not (abs(growth) < _LARGEST_STEP and abs(moved) < _LARGEST_STEP * _CELLS):
                return None
            turn = turn / (1 + growth)
            shift = shift - turn * moved * self._step
            if abs(moved) + abs(growth) * _CELLS / 2 <= _STILL:
                light = float(max(abs(change[4]), abs(change[5]) / self._spread))
                return FaceMotion(turn, shift, *self._misfit(error - change @ self._columns), light)
        return None

    def _misfit(self, left: FloatArray) -> tuple[float, float]:
        """Overall, and of the worst block, of what is left (P,)."""
        squares = np.zeros(_CELLS * _CELLS)
        squares[_ellipse()] = left**2
        blocks = squares.reshape(_CELLS // _BLOCK, _BLOCK, _CELLS // _BLOCK, _BLOCK)
        overall, worst = squares.sum() / len(left), blocks.mean(axis=(1, 3)).max()
        return float(np.sqrt(overall)) / self._spread, float(np.sqrt(worst)) / self._spread

    def _region(self, luminance: ImageArray, centre: complex) -> _Region:
        """What is read around a place, with pixels averaged to about the size of a cell."""
        reach, factor = (0.5 + _ROOM) * self._size, self._factor
        # On the factor's grid, so that a still picture is averaged alike wherever it is read.
        left, top = (
            max(0, int((value - reach) // factor) * factor) for value in (centre.real, centre.imag)
        )
        right, bottom = int(centre.real + reach) + 1, int(centre.imag + reach) + 1
        pixels = luminance[top : max(bottom, top), left : max(right, left)]
        if not pixels.size:
            pixels = np.zeros((1, 1), np.uint8)
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        if factor > 1:
            picture = picture.reduce(factor)
        return _Region(picture, complex(left, top), factor, centre)


class FaceFollower:
    """Follows one face from the picture in which it was detected, for ``LONGEST_GAP`` at most."""

    def __init__(self) -> None:
        self._face: FaceDetection | None = None
        self._patch: FacePatch | None = None

    def start(self, picture: Picture, face: FaceDetection, time: float) -> None:
        """``face`` was detected in ``picture``, at ``time`` (seconds)."""
        # The patch is made when it is needed: where pictures come rarely that is never.
        self._face, self._picture, self._patch = face, picture, None
        self._motion, self._detected, self._reached = FaceMotion(), time, time

    def stop(self) -> None:
        """Nothing is followed until the next ``start``."""
        self._face = None

    def follow(self, picture: Picture, time: float) -> FaceDetection | None:
        """The face in the next picture, at ``time``; None, once and for all, where the detector
        must see the picture."""
        face, self._face = self._face, None
        # The next picture is expected after the same step, and would come too late.
        if face is None or 2 * time - self._reached - self._detected > LONGEST_GAP + 1e-3:
            return None
        self._patch = self._patch or FacePatch(self._picture.luminance, face)
        motion = self._patch.motion(picture.luminance, self._motion)
        if motion is None or not motion.is_sure(face.size):
            return None
        self._face, self._motion, self._reached = face, motion, time
        return motion.of(face)


@dataclass(frozen=True, eq=False)
class _Region:
    """A part of a picture, ``factor`` pixels to one, whose corner lies at ``corner``."""

    picture: Image.Image
    corner: complex
    factor: int
    centre: complex

    def cells(self, step: float, turn: complex = 1.0, centre: complex | None = None) -> FloatArray:
        """(C, C) with ``step`` pixels to a cell, turned and grown by ``turn``."""
        centre = self.centre if centre is None else centre
        across = turn * step / self.factor
        first = (centre - self.corner) / self.factor - across * complex(1, 1) * _CELLS / 2
        rows = (across.real, -across.imag, first.real, across.imag, across.real, first.imag)
        cells = self.picture.transform(
            (_CELLS, _CELLS), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR
        )
        return np.asarray(cells, np.float64)


@cache
def _places() -> NDArray[np.complex128]:
    """(C, C) of the cells' middles, in cells from the patch's middle."""
    away = np.arange(_CELLS) + 0.5 - _CELLS / 2
    return np.asarray(away + 1j * away[:, None])


@cache
def _ellipse() -> NDArray[np.intp]:
    """(P,) the cells that count: the face, without the corners, where the wall is seen."""
    return np.flatnonzero(abs(_places()) <= _CELLS / 2)


def _counted(cells: NDArray[Number]) -> NDArray[Number]:
    """(P,) of (C, C)."""
    return cells.ravel()[_ellipse()]
