"""Tracks: which faces of successive pictures are one face that went on. Boxes only, no pictures.

A face goes on where a track's motion takes it, at about its size. A track ENDS, and is never taken
up again, where it was out of sight for ``LONG_LOSS``, or where it could have been exchanged with
another: two faces overlap, or a face could as well be another track's. Whose face a new track is,
nothing here says (``preprocessing.chosen_person`` does).

Where the literature is silent, and what we do:
1. The choice between tracks is the optimal assignment (Kuhn 1955); it counts only if exchanging the
   tracks of any two faces would cost ``_MARGIN`` more, and more still after a loss. Trackers of
   crowds take the best assignment, however close the second (Bewley et al. 2016,
   arXiv:1602.00763): theirs may swap two people, ours ends both tracks.
2. BlazeFace gives one box for two faces that overlap by more than 0.3 of their union; so tracks end
   before that, from ``_CONTACT`` on.

Legend: T tracks that may go on, F faces of a picture. Distances in face sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from affectscope.preprocessing.face import Box, FaceDetection
from affectscope.records import FloatArray

LONG_LOSS = 2.0
"""Seconds out of sight after which a track ends."""
CONFIRMED = 2
"""Sightings that make a face, and no error of the detector."""
FURTHEST = 1.5
"""How far from its last place a face may be found again: the next person's is at least two away."""
SIZE_RATIO = 1.6
"""How much larger or smaller a face may have become."""
_STEP, _SPEED = 0.6, 1.0
"""How far a face may move between two sightings, and how much further for each second."""
_RIVAL_STEP, _RIVAL_SPEED, _RIVAL_RATIO = 0.9, 2.0, 2.5
"""How far, and how much larger or smaller, somebody else's face is suspected: wider limits."""
_MARGIN, _MARGIN_SPEED = 0.4, 2.0
"""What an exchange must cost more than the best assignment, per face, and how much more for each
second between two sightings ..."""
_RIVAL_LOSS = 0.6
"""... and for each second without a sighting of the other, up to this one."""
_CONTACT = 0.9
"""Faces nearer than this share of their mean size overlap: they could be exchanged."""
_ECHO = 0.5
"""Of two faces nearer than this share of their mean size one is the detector's second answer."""
_GHOST = 5.0
"""Seconds for which a track that was lost is still suspected behind other faces."""
_FORESIGHT = 0.3
"""Seconds for which a motion is taken to go on."""
_SHORTEST = 0.5
"""Seconds; a track that ended sooner is not told."""

Ending = Literal["lost", "crossing"]


@dataclass(eq=False)
class FaceTrack:
    """One face while nobody could have taken its place.

    Attributes:
        number: counted from 1 in the order of their beginnings.
        start, end: first and last sighting, seconds.
        face: the last sighting.
        sightings: in how many pictures it was seen.
        velocity: (2,) pixels per second.
        mark: time and box of the sighting that confirmed it, by which it can be named.
        beside: tracks whose face it touched when it was first seen. It may have come out from
            behind them, or they from behind it: they end once it is seen again.
        ended: None while it may go on.
    """

    number: int
    start: float
    end: float
    face: FaceDetection
    sightings: int = 1
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))
    mark: tuple[float, Box] | None = None
    beside: list[FaceTrack] = field(default_factory=list)
    ended: Ending | None = None

    def expected(self, time: float) -> FloatArray:
        """(2,) where its centre should be at ``time``."""
        step = self.velocity * min(time - self.end, _FORESIGHT)
        longest = _ECHO * self.face.size
        return self.face.centre + step * min(1.0, longest / max(math.hypot(*step), 1e-9))

    def seen(self, face: FaceDetection, time: float) -> None:
        passed = time - self.end
        if 0 < passed <= _FORESIGHT:
            self.velocity = 0.5 * (self.velocity + (face.centre - self.face.centre) / passed)
        else:
            self.velocity = np.zeros(2)
        self.face, self.end = face, time
        self.sightings += 1
        if self.sightings == CONFIRMED:
            self.mark = time, face.box


@dataclass(frozen=True, eq=False)
class Sighting:
    """A face of the present picture, its track, and whether another face touches it."""

    face: FaceDetection
    track: FaceTrack
    touched: bool


class FaceTracks:
    """All tracks of a video. ``told`` are those worth telling: long enough, in order."""

    def __init__(self) -> None:
        self.live: list[FaceTrack] = []
        self._ghosts: list[FaceTrack] = []
        self._finished: list[FaceTrack] = []
        self._number = 0

    @property
    def told(self) -> list[FaceTrack]:
        found = [t for t in (*self._finished, *self.live) if _is_long(t)]
        return sorted(found, key=lambda track: track.number)

    def update(self, faces: Sequence[FaceDetection], time: float) -> list[Sighting]:
        """The faces of the picture at ``time`` (seconds, rising) with their tracks.

        ``faces`` may be those of some regions only: a track that is not seen stays as it was.
        """
        faces = _without_echoes(faces)
        self._forget(time)
        going_on = self._going_on(faces, time)
        tracks = [going_on.get(index) for index in range(len(faces))]
        found: list[tuple[FaceDetection, FaceTrack]] = []
        for face, track in zip(faces, tracks, strict=True):
            if track is None:
                track = self._begin(face, time)
            else:
                track.seen(face, time)
            found.append((face, track))
        touching = {
            track.number: [t for f, t in found if f is not face and is_near(f, face, _CONTACT)]
            for face, track in found
        }
        for _face, track in found:
            rivals = touching[track.number]
            if any(min(track.sightings, t.sightings) >= CONFIRMED for t in rivals):
                self._end(track, "crossing")
            if track.sightings == 1:
                track.beside = rivals
            elif track.sightings == CONFIRMED:
                for rival in track.beside:
                    self._end(rival, "crossing")
        return [Sighting(face, track, bool(touching[track.number])) for face, track in found]

    def _begin(self, face: FaceDetection, time: float) -> FaceTrack:
        self._number += 1
        track = FaceTrack(self._number, time, time, face)
        self.live.append(track)
        return track

    def _end(self, track: FaceTrack, reason: Ending) -> None:
        track.ended = track.ended or reason
        self.live = [other for other in self.live if other is not track]
        if _is_long(track) and track not in self._finished:
            self._finished.append(track)

    def _forget(self, time: float) -> None:
        """End tracks out of sight; suspect them for a while longer."""
        self._ghosts = [ghost for ghost in self._ghosts if time - ghost.end <= _GHOST]
        for track in [t for t in self.live if time - t.end > LONG_LOSS]:
            self._end(track, "lost")
            self._ghosts.append(track)

    def _going_on(self, faces: Sequence[FaceDetection], time: float) -> dict[int, FaceTrack]:
        """Face number -> the track that surely goes on there; doubtful tracks end."""
        if not faces or not self.live:
            return {}
        suspects = [*self.live, *self._ghosts]
        suspicion = np.array([[_suspicion(t, face, time) for face in faces] for t in suspects])
        cost = np.array([[_cost(t, face, time) for face in faces] for t in self.live])
        matched = _assigned(cost)
        doubtful: set[int] = set()
        for row in matched:
            track = self.live[row]
            margin = _MARGIN + _MARGIN_SPEED * (time - track.end)
            for rival, suspect in enumerate(suspects):
                # Who was last seen before a track began may be that track: no exchange.
                if rival == row or suspect.sightings < CONFIRMED or suspect.end < track.start:
                    continue
                least = margin + (
                    margin if rival in matched else min(time - suspect.end, _RIVAL_LOSS)
                )
                if _exchange(cost, suspicion, matched, row=row, rival=rival) < least:
                    doubtful |= {row, rival}
        going_on = {
            column: self.live[row] for row, column in matched.items() if row not in doubtful
        }
        for row in doubtful:
            self._end(suspects[row], "crossing")
        return going_on


def _exchange(
    cost: FloatArray, suspicion: FloatArray, matched: dict[int, int], *, row: int, rival: int
) -> float:
    """What it would cost more if ``rival`` had the face of track ``row``, and that one its own."""
    face, own = matched[row], matched.get(rival)
    if own is None:
        return float(suspicion[rival, face] - cost[row, face])
    straight = cost[row, face] + cost[rival, own]
    return float(suspicion[rival, face] + suspicion[row, own] - straight)


def _assigned(cost: FloatArray) -> dict[int, int]:
    """Track number -> face number, as many as possible, at the least total cost."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {row: column for row, column in pairs if np.isfinite(cost[row, column])}


def _cost(track: FaceTrack, face: FaceDetection, time: float) -> float:
    """How badly a face continues a track; infinite where it cannot."""
    reach = min(_STEP + _SPEED * (time - track.end), FURTHEST)
    return _deviation(track, face, time, reach, SIZE_RATIO)


def _suspicion(track: FaceTrack, face: FaceDetection, time: float) -> float:
    """As ``_cost`` for somebody who might have come there unseen."""
    reach = _RIVAL_STEP + _RIVAL_SPEED * (time - track.end)
    return _deviation(track, face, time, reach, _RIVAL_RATIO)


def _deviation(
    track: FaceTrack, face: FaceDetection, time: float, reach: float, ratio: float
) -> float:
    distance = math.dist(face.centre, track.expected(time)) / track.face.size
    growth = abs(math.log(face.size / track.face.size))
    return distance + growth if distance <= reach and growth <= math.log(ratio) else math.inf


def is_near(one: FaceDetection, other: FaceDetection, sizes: float) -> bool:
    """Whether two centres lie within so many mean sizes of each other, across and down."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = one.box, other.box
    apart = max(abs(ax + aw / 2 - bx - bw / 2), abs(ay + ah / 2 - by - bh / 2))
    return apart < sizes * (one.size + other.size) / 2


def _without_echoes(faces: Sequence[FaceDetection]) -> list[FaceDetection]:
    """Without second answers for one face: two real faces so near hide one another."""
    kept: list[FaceDetection] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if not any(is_near(face, one, _ECHO) for one in kept):
            kept.append(face)
    return kept


def _is_long(track: FaceTrack) -> bool:
    return track.sightings > CONFIRMED and track.end - track.start >= _SHORTEST
