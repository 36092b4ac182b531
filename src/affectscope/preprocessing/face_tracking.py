"""Following one chosen person's face through a video; nobody else's face is ever cropped.

Where faces are searched for, frame by frame; ``preprocessing.chosen_person`` then says which of
them is the person.

Where the literature is silent, and what we do:
1. The whole picture is searched once a second, and whenever the person is not found in the region
   around the last place, or has moved or grown much at once; in between only that region is
   searched, which costs a fifth. The region stays where it is while the head hardly moves: moving
   it doubles the key points' jitter (from 0.5 to 1 % of the eye distance on single_face.mp4).
2. While somebody else is near, the regions around them are searched in every frame too, and the
   whole picture four times a second: two faces must not come together unseen.
3. A crop that holds a part of another head is thrown away at once.
4. Between detections the face's motion is followed (``preprocessing.face_motion``), for 0.16 s at
   most and only where that cannot touch the question who it is: a sure person, seen twice in a
   track, with nobody near, no stated box due, no picture left out. The tracker is told detections
   only, so that its limits, which grow with time, mean what they did. So that the whole picture is
   still searched once a second, a detection that comes shortly before does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from affectscope.picture import ImageArray
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import (
    SAME_FACE,
    Box,
    FaceDetection,
    FaceDetector,
    align_face,
    box_overlap,
)
from affectscope.preprocessing.face_motion import LONGEST_GAP, FaceFollower
from affectscope.preprocessing.face_quality import UNSEEN, FaceQuality, face_quality
from affectscope.preprocessing.face_tracks import CONFIRMED, LONG_LOSS, FaceTrack, is_near
from affectscope.records import Frame

SCAN_INTERVAL = 1.0
"""Seconds between searches of the whole picture while the person is in sight ..."""
NEAR_SCAN_INTERVAL = 0.25
"""... and while somebody else is near."""
_NEAR = 4.0
"""Face sizes up to which somebody else is near."""
_REGION_KEPT = 0.2
"""The searched region stays while the face moves and grows less than this share of its size."""
_LEAP = 0.35
"""Movement or growth between two frames, in face sizes, after which the whole picture is seen."""
_CENTRAL = 1.0
"""A region's faces count up to so many sizes from its centre: what its edge cuts is misplaced."""
_IN_CROP = 1.45
"""Mean sizes of two faces up to which the crop of one, 1.5 faces wide, holds the other's head."""


@dataclass(frozen=True, eq=False)
class FaceSample:
    """What one frame shows of the chosen person.

    Attributes:
        time: of the frame, seconds on the session's axis.
        crop: (size, size, 3) aligned face; None where the person is not seen, or not well enough.
        quality: all factors 0 where the person is not seen.
        box: x, y, width, height in pixels; None where the person is not seen.
        faces_seen: faces found when the whole picture was last searched, the person included.
    """

    time: float
    crop: ImageArray | None
    quality: FaceQuality
    box: tuple[float, float, float, float] | None
    faces_seen: int


class PersonSearch:
    """Finds the faces of one frame after the other and hands them to ``tracker``.

    ``every_frame``: detect in every frame, follow in none.

    Attributes:
        faces_seen: faces found when the whole picture was last searched, the person included.
        detected: in how many frames faces were searched for.
    """

    def __init__(
        self, detector: FaceDetector, tracker: PersonTracker, *, every_frame: bool = False
    ) -> None:
        self.detector = detector
        self.tracker = tracker
        self.every_frame = every_frame
        self.faces_seen = 0
        self.detected = 0
        self._follower = FaceFollower()
        self._quality: FaceQuality | None = None  # of the face as it was last detected
        self._place: Box | None = None
        self._searched = -np.inf

    def look(self, frame: Frame) -> FaceDetection | None:
        """The chosen person's face in the next frame, None where that is not sure."""
        if not self._must_detect(frame.time):
            followed = self._follower.follow(frame.picture, frame.time)
            if followed is not None:
                self._place = _region(self._place, followed)
                return followed
        person = self._detect(frame)
        self._quality = None
        self.forget()
        if person is not None and not self.every_frame:
            self._follower.start(frame.picture, person, frame.time)
        return person

    def rated(self, crop: ImageArray, person: FaceDetection) -> FaceQuality:
        """How well the face that ``look`` found can be read.

        A followed face is rated as it was when it was detected: one that changes is not followed.
        """
        self._quality = self._quality or face_quality(crop, person)
        return self._quality

    def forget(self) -> None:
        """Detect in the next frame: those between were not looked at."""
        self._follower.stop()

    def _must_detect(self, time: float) -> bool:
        """Whether it must be seen again who is who."""
        person = self.tracker.track
        return (
            self.every_frame
            or person is None
            or person.sightings < CONFIRMED
            or self.tracker.box_due(time)
            or bool(self._near(time))
        )

    def _detect(self, frame: Frame) -> FaceDetection | None:
        self.detected += 1
        faces = self._around(frame)
        if self._must_search(faces, frame.time):
            whole = self.detector.detect(frame.picture, known=faces)
            faces += [face for face in whole if _is_new(face, faces)]
            self._searched, self.faces_seen = frame.time, len(faces)
        person = self.tracker.update(faces, frame.time, frame.picture)
        self._place = _region(self._place, person)
        return person

    def others(self, time: float) -> list[FaceTrack]:
        """Everybody else's tracks that were seen up to ``LONG_LOSS`` ago."""
        tracker = self.tracker
        return [
            track
            for track in tracker.tracks.live
            if track is not tracker.track and time - track.end <= LONG_LOSS
        ]

    def _near(self, time: float) -> list[FaceTrack]:
        person = self.tracker.track
        if person is None:
            return []
        return [track for track in self.others(time) if is_near(track.face, person.face, _NEAR)]

    def _around(self, frame: Frame) -> list[FaceDetection]:
        """Faces around the places where the person and those near were last seen."""
        if self._place is None:
            return []
        found: list[FaceDetection] = []
        for box in (self._place, *(track.face.box for track in self._near(frame.time))):
            for face in self.detector.detect_around(frame.picture, box):
                if _is_central(face, box) and _is_new(face, found):
                    found.append(face)
        return found

    def _must_search(self, found: list[FaceDetection], time: float) -> bool:
        """Whether the whole picture must be searched."""
        person = self.tracker.track
        if person is None or self.tracker.box_due(time):
            return True
        rest = 0.0 if self.every_frame else LONGEST_GAP
        interval = NEAR_SCAN_INTERVAL if self._near(time) else SCAN_INTERVAL - rest
        return time - self._searched >= interval or not any(
            _steady(face, person.face) for face in found
        )


def follow_face(
    frames: Iterable[Frame],
    search: PersonSearch,
    *,
    crop_size: int,
    minimum_quality: float,
    excluded: Callable[[float], bool] = lambda _time: False,
) -> Iterator[FaceSample]:
    """One sample per frame, in constant memory; then the tracker's notices are complete.

    ``crop_size``: side of a crop, pixels; ``minimum_quality``: below it a sample has no crop.
    Frames at ``excluded`` times are not looked at: to the tracker the video has a hole there, and
    what it shows decides nothing about who is the person afterwards.
    """
    for frame in frames:
        if excluded(frame.time):
            search.forget()
            yield unseen(frame.time)
        else:
            yield look_at(frame, search, crop_size=crop_size, minimum_quality=minimum_quality)


def unseen(time: float) -> FaceSample:
    """A time without a picture, or with one that is not looked at."""
    return FaceSample(time, None, UNSEEN, None, 0)


def look_at(
    frame: Frame, search: PersonSearch, *, crop_size: int, minimum_quality: float
) -> FaceSample:
    """What the next frame of a search shows of the person, as ``follow_face``."""
    person = search.look(frame)
    if person is None:
        return FaceSample(frame.time, None, UNSEEN, None, search.faces_seen)
    crop = align_face(frame.picture, person.key_points, crop_size)
    quality = search.rated(crop, person)
    others = search.others(frame.time)
    alone = not any(is_near(person, other.face, _IN_CROP) for other in others)
    kept = crop if alone and quality.overall >= minimum_quality else None
    return FaceSample(frame.time, kept, quality, person.box, search.faces_seen)


def _is_new(face: FaceDetection, known: Iterable[FaceDetection]) -> bool:
    return all(box_overlap(face.box, other.box) < SAME_FACE for other in known)


def _is_central(face: FaceDetection, box: Box) -> bool:
    x, y, width, height = box
    away = abs(face.centre - (x + width / 2, y + height / 2)).max()
    return bool(away <= _CENTRAL * max(width, height))


def _steady(face: FaceDetection, before: FaceDetection) -> bool:
    moved = float(np.hypot(*(face.centre - before.centre))) / before.size
    return max(moved, abs(float(np.log(face.size / before.size)))) <= _LEAP


def _region(place: Box | None, person: FaceDetection | None) -> Box | None:
    """The box to search around in the next frame: the last one, while the face hardly moves."""
    if person is None or place is None:
        return person.box if person is not None else None
    x, y, width, height = place
    moved = np.hypot(*(person.centre - (x + width / 2, y + height / 2))) / person.size
    grown = abs(np.log(person.size / max(width, height)))
    return place if max(moved, grown) < _REGION_KEPT else person.box
