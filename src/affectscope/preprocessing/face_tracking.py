"""Following one chosen person's face through a video; nobody else's face is ever cropped.

Who it is, is decided once, by a rule. From then on the person is the face that goes on where the
last one was: near to it and of its size. While they are away for a moment, nobody else is taken
for them.

Where the literature is silent, and what we do:
1. After a long loss the rule decides again. But where other people had been seen beside the person,
   only a face near the person's last place is taken: no crop is better than the therapist's.
2. The whole picture is searched once a second, and whenever the person is not found in the region
   around the last place; in between only that region is searched, which costs a fifth. The region
   stays where it is while the head hardly moves: moving it doubles the key points' jitter (from
   0.5 to 1 % of the eye distance on single_face.mp4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from affectscope.preprocessing.face import FaceDetection, FaceDetector, align_face, face_quality
from affectscope.records import Frame, ImageArray, PersonRule

LONG_LOSS = 2.0
"""Seconds without the person after which the rule decides again."""
SCAN_INTERVAL = 1.0
"""Seconds between searches of the whole picture while the person is in sight."""
_STEP = 0.6
"""How far a face may move between two sightings, in face sizes ..."""
_SPEED = 1.0
"""... plus this for each second between them ..."""
_FURTHEST = 1.5
"""... but no further than this: the next person's face is at least two away."""
_SIZE_RATIO = 1.6
"""How much larger or smaller a face may have become."""
_REGION_KEPT = 0.2
"""The searched region stays while the face moves and grows less than this share of its size."""
_OTHERS_CONFIRMED = 2
"""Sightings of another face beside the person that make it a second person, no error."""


class FaceTracker:
    """Chooses a person by ``rule`` and says which of a picture's faces is that person."""

    def __init__(self, rule: PersonRule) -> None:
        self.rule = rule
        self._last: FaceDetection | None = None
        self._last_time = 0.0
        self._others = 0

    def update(self, faces: list[FaceDetection], time: float) -> FaceDetection | None:
        """The person among the faces of the picture at ``time`` (seconds, rising), or None."""
        if self._last is None:
            person = self._chosen(faces)
        else:
            away = max(0.0, time - self._last_time)
            reach = min(_STEP + _SPEED * away, _FURTHEST)
            person = self._continued(faces, reach)
            if person is None and away > LONG_LOSS and self._others < _OTHERS_CONFIRMED:
                person = self._chosen(faces)
        if person is not None:
            self._last, self._last_time = person, time
        return person

    def note_others(self, faces: list[FaceDetection]) -> None:
        """Takes account of all faces of a picture that shows the person."""
        self._others += len(faces) > 1

    def _chosen(self, faces: list[FaceDetection]) -> FaceDetection | None:
        if self.rule == "largest":
            return max(faces, key=lambda face: face.size, default=None)
        side = 1.0 if self.rule == "left" else -1.0
        return min(faces, key=lambda face: side * float(face.centre[0]), default=None)

    def _continued(self, faces: list[FaceDetection], reach: float) -> FaceDetection | None:
        assert self._last is not None
        best, lowest = None, np.inf
        for face in faces:
            distance = float(np.hypot(*(face.centre - self._last.centre))) / self._last.size
            growth = abs(float(np.log(face.size / self._last.size)))
            if distance <= reach and growth <= np.log(_SIZE_RATIO) and distance + growth < lowest:
                best, lowest = face, distance + growth
        return best


@dataclass(frozen=True, eq=False)
class FaceSample:
    """What one frame shows of the chosen person.

    Attributes:
        time: of the frame, seconds on the session's axis.
        crop: (size, size, 3) aligned face; None where the person is not seen, or not well enough.
        quality: of ``face.face_quality``; 0.0 where the person is not seen.
        box: x, y, width, height in pixels; None where the person is not seen.
        faces_seen: faces found when the whole picture was last searched, the person included.
    """

    time: float
    crop: ImageArray | None
    quality: float
    box: tuple[float, float, float, float] | None
    faces_seen: int


def follow_face(
    frames: Iterable[Frame],
    detector: FaceDetector,
    *,
    rule: PersonRule,
    crop_size: int,
    minimum_quality: float,
) -> Iterator[FaceSample]:
    """One sample per frame, in constant memory.

    ``crop_size``: side of a crop, pixels; ``minimum_quality``: below it a sample has no crop.
    """
    tracker = FaceTracker(rule)
    place: tuple[float, float, float, float] | None = None
    searched, seen = -np.inf, 0
    for frame in frames:
        found = detector.detect_around(frame.rgb, place) if place is not None else []
        person = tracker.update(found, frame.time)
        if person is None or frame.time - searched >= SCAN_INTERVAL:
            faces = detector.detect(frame.rgb)
            person = person if person is not None else tracker.update(faces, frame.time)
            if person is not None:
                tracker.note_others(faces)
            searched, seen = frame.time, max(len(faces), int(person is not None))
        place = _region(place, person)
        yield _sample(frame, person, seen, crop_size, minimum_quality)


def _region(
    place: tuple[float, float, float, float] | None, person: FaceDetection | None
) -> tuple[float, float, float, float] | None:
    """The box to search around in the next frame: the last one, while the face hardly moves."""
    if person is None or place is None:
        return person.box if person is not None else None
    x, y, width, height = place
    moved = np.hypot(*(person.centre - (x + width / 2, y + height / 2))) / person.size
    grown = abs(np.log(person.size / max(width, height)))
    return place if max(moved, grown) < _REGION_KEPT else person.box


def _sample(
    frame: Frame, person: FaceDetection | None, seen: int, crop_size: int, minimum_quality: float
) -> FaceSample:
    if person is None:
        return FaceSample(frame.time, None, 0.0, None, seen)
    crop = align_face(frame.rgb, person.key_points, crop_size)
    quality = face_quality(crop, person)
    kept = crop if quality >= minimum_quality else None
    return FaceSample(frame.time, kept, quality, person.box, seen)
