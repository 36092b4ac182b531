"""Which track is the chosen person's, and from when to when that is not sure.

The rule decides once. When the person's track ends (``preprocessing.face_tracks``), nobody is
taken for the person until it is sure again who that is:

- the next box that the user stated, or the reference photo, says so;
- nobody else was ever seen, nor is in this picture: its only face is the person's;
- the person was away for a short while, everybody else was in the picture all that time, and a face
  came back where the person had been.

After two faces could have been exchanged only a box or the photo can say who is who. A wrong person
is worse than a gap: every gap becomes a notice with its span and with what the user can do.

Where the literature is silent, and what we do:
1. The three rules without a box or photo decide at the first picture that shows a face.
2. With a photo the faces in the picture, also other people's, are compared with it while it is not
   sure who is the person: there is no other way to find somebody by looks. It happens in memory,
   and nothing of it is kept. With every other rule no face but the person's is ever compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.face import SAME_FACE, FaceDetection, box_overlap
from affectscope.preprocessing.face_tracks import (
    CONFIRMED,
    FURTHEST,
    SIZE_RATIO,
    FaceTrack,
    FaceTracks,
    Sighting,
)
from affectscope.records import Notice, PersonBox, PersonChoice

PATIENCE = 1.0
"""Seconds after a stated box's time within which its face must be seen."""
_SHORT_ABSENCE = 10.0
"""Seconds; within them nobody else comes in and sits down in the person's place."""
_PHOTO_INTERVAL = 0.25
"""Seconds between comparisons with the photo."""
_PHOTO_MATCHES = 2
"""How often in a row one track must be the only one that matches the photo."""

REMEDY = (
    'State where the person is after that: person = "box" and person_boxes = [[time, x, y, width,'
    " height]] in session.toml; affectscope people SESSION --out DIR writes these lines."
)


@dataclass(frozen=True)
class PhotoCheck:
    """``distance`` between a face in a picture and the photo; the same person up to ``limit``."""

    distance: Callable[[ImageArray, FaceDetection], float]
    limit: float


Doubt = Literal["unknown", "lost", "crossing", "stated"]
"""Why it is not sure who the person is: nothing said it yet; out of sight; another face came near;
the user's box is on another face."""
Proof = Literal["none", "rule", "stated", "photo", "alone", "elsewhere", "returned"]
"""What made it sure: nobody else was ever seen and the face came back in its place, or elsewhere;
it came back in its place with everybody else in view."""


@dataclass(frozen=True)
class PersonBreak:
    """A span without a sure person, seconds; ``end`` is None where nothing made it sure again."""

    start: float
    end: float | None
    why: Doubt
    resumed: Proof = "none"


@dataclass
class _Photo:
    """How often in a row one track alone matched the photo."""

    check: PhotoCheck
    looked: float = -np.inf
    track: FaceTrack | None = None
    matches: int = 0

    def decide(
        self, seen: Sequence[Sighting], time: float, picture: ImageArray | Picture
    ) -> FaceTrack | None:
        if time - self.looked < _PHOTO_INTERVAL:
            return None
        self.looked = time
        rgb = Picture.of(picture).rgb
        alike = [s.track for s in seen if self.check.distance(rgb, s.face) <= self.check.limit]
        only = alike[0] if len(alike) == 1 else None
        self.matches = self.matches + 1 if only is not None and only is self.track else 1
        self.track = only
        return only if self.matches >= _PHOTO_MATCHES else None


class PersonTracker:
    """Builds the tracks and says which face of a picture is the chosen person's.

    ``photo`` must be there for the rule "photo".

    Attributes:
        tracks: of all faces.
        track: the person's, None while it is not sure.
        own: the numbers of all tracks that were the person's.
        breaks: the spans without a sure person, the last one perhaps open.
    """

    def __init__(self, choice: PersonChoice, photo: PhotoCheck | None = None) -> None:
        assert choice.rule != "photo" or photo is not None
        self.choice = choice
        self.tracks = FaceTracks()
        self.track: FaceTrack | None = None
        self.own: list[int] = []
        self.breaks: list[PersonBreak] = []
        self._pictures: list[int] = []  # [n]: pictures with more than n faces
        self._photo = None if photo is None else _Photo(photo)
        self._boxes = list(choice.boxes)
        self._missed: list[PersonBox] = []
        self._last: FaceTrack | None = None
        self._time = 0.0

    def box_due(self, time: float) -> bool:
        """Whether a stated box is to be found in the picture at ``time``."""
        return bool(self._boxes) and time >= self._boxes[0].time - 1e-3

    def update(
        self,
        faces: Sequence[FaceDetection],
        time: float,
        picture: ImageArray | Picture | None = None,
    ) -> FaceDetection | None:
        """The person among the faces of the picture at ``time`` (seconds, rising), or None.

        ``faces`` must be all of the picture wherever the person is not known or not among them;
        ``picture``, or its RGB (H, W, 3), is needed for the rule "photo".
        """
        if self._last is None and not self.breaks:
            self.breaks.append(PersonBreak(time, None, "unknown"))
        self._time = time
        seen = self.tracks.update(faces, time)
        self._count(len(seen))
        if self.track is not None and self.track.ended is not None:
            self._lose(self.track.end, self.track.ended)
        free = [s for s in seen if s.track.ended is None and not s.touched]
        if self.box_due(time):
            self._take_stated(free, time)
        if self.track is None and free:
            self._decide(free, time, picture)
        return next((s.face for s in seen if s.track is self.track), None)

    @property
    def together(self) -> int:
        """Most people in one picture; two pictures must show them: one may be an error."""
        return sum(pictures >= CONFIRMED for pictures in self._pictures)

    def _count(self, faces: int) -> None:
        missing = faces - len(self._pictures)
        self._pictures += [0] * missing
        for number in range(faces):
            self._pictures[number] += 1

    def _lose(self, start: float, why: Doubt) -> None:
        self.breaks.append(PersonBreak(start, None, why))
        self.track = None

    def _take(self, track: FaceTrack, time: float, proof: Proof) -> None:
        if self.breaks and self.breaks[-1].end is None:
            self.breaks[-1] = replace(self.breaks[-1], end=time, resumed=proof)
        self.track = self._last = track
        self.own.append(track.number)

    def _take_stated(self, free: Sequence[Sighting], time: float) -> None:
        stated = self._boxes[0]
        best = max(free, key=lambda s: box_overlap(s.face.box, stated.box), default=None)
        if best is not None and box_overlap(best.face.box, stated.box) >= SAME_FACE:
            if self.track is not None and self.track is not best.track:
                self._lose(time, "stated")
            if self.track is None:
                self._take(best.track, time, "stated")
            del self._boxes[0]
        elif time > stated.time + PATIENCE:
            self._missed.append(self._boxes.pop(0))

    def _decide(
        self, free: Sequence[Sighting], time: float, picture: ImageArray | Picture | None
    ) -> None:
        if self._photo is not None:
            assert picture is not None, "the photo's rule looks at the picture"
            track = self._photo.decide(free, time, picture)
            if track is not None:
                self._take(track, time, "photo")
        elif self._last is None:
            if self.choice.rule != "box":
                self._take(self._by_rule(free), time, "rule")
        elif self.together <= 1 and self.breaks[-1].why != "crossing":
            if len(free) == 1:
                self._take_again(free[0].track, time)
        else:
            returned = self._returned(free, time)
            if returned is not None:
                self._take(returned, time, "returned")

    def _take_again(self, track: FaceTrack, time: float) -> None:
        self._take(track, time, "alone" if self._in_place(track.face) else "elsewhere")

    def _by_rule(self, free: Sequence[Sighting]) -> FaceTrack:
        if self.choice.rule in ("left", "right"):
            side = 1.0 if self.choice.rule == "left" else -1.0
            return min(free, key=lambda s: side * float(s.face.centre[0])).track
        return max(free, key=lambda s: s.face.size).track

    def _returned(self, free: Sequence[Sighting], time: float) -> FaceTrack | None:
        """The one new face in the person's place while all others were in view all along."""
        assert self._last is not None
        lost, gone = self._last.end, self.breaks[-1]
        if gone.why != "lost" or time - lost > _SHORT_ABSENCE or len(free) != self.together:
            return None
        new = [s for s in free if s.track.start > lost]
        if len(new) != 1 or new[0].track.sightings < CONFIRMED:
            return None
        return new[0].track if self._in_place(new[0].face) else None

    def _in_place(self, face: FaceDetection) -> bool:
        """Whether a face is where and as large as the person was when last seen."""
        assert self._last is not None
        last = self._last.face
        distance = float(np.hypot(*(face.centre - last.centre))) / last.size
        return distance <= FURTHEST and abs(np.log(face.size / last.size)) <= np.log(SIZE_RATIO)

    def notices(self) -> list[Notice]:
        """What is to be told once the video was seen to its end."""
        told = [
            Notice("W_PERSON_LOST", _sentence(each), "face", each.start, self._end(each))
            for each in self.breaks
            if self.is_told(each)
        ]
        return told + [_not_found(box) for box in (*self._missed, *self._boxes)]

    def _end(self, each: PersonBreak) -> float:
        return self._time if each.end is None else each.end

    def is_told(self, each: PersonBreak) -> bool:
        """Whether a span is worth a notice."""
        if each.why == "unknown":
            stated = self.choice.rule in ("box", "photo")
            return stated and self._end(each) - each.start >= PATIENCE
        return self.together > 1 or each.resumed == "elsewhere"


_WHY: dict[Doubt, str] = {
    "unknown": "Nothing said yet which face is the person's.",
    "lost": "The person's face was out of sight, and others had been seen.",
    "crossing": "Another face came so near that the two could have been exchanged.",
    "stated": "The stated box is on another face than the one that was followed until then, so that"
    " what came before may be about somebody else.",
}
_RESUMED: dict[Proof, str] = {
    "none": f"Nobody is scored from then on. {REMEDY}",
    "rule": "",
    "stated": "Nobody is scored until the box that session.toml states next.",
    "photo": "Nobody is scored until a face matched the reference photo.",
    "alone": "The only face that was ever seen was then taken for the person again.",
    "elsewhere": "The only face in the picture was then taken for the person again, although it"
    " came back at another place. Check it with: affectscope people SESSION --out DIR",
    "returned": "A face that came back to the same place was then taken for the person's, since"
    " everybody else was in the picture all that time. Check it with: affectscope people SESSION"
    " --out DIR",
}


def _sentence(each: PersonBreak) -> str:
    if each.why == "lost" and each.resumed in ("alone", "elsewhere"):
        return f"The person's face was out of sight. {_RESUMED[each.resumed]}"
    return f"{_WHY[each.why]} {_RESUMED[each.resumed] if each.why != 'stated' else ''}".strip()


def _not_found(box: PersonBox) -> Notice:
    x, y, width, height = box.box
    sentence = (
        f"No face was found at {box.time:g} s in the box [{x:g}, {y:g}, {width:g}, {height:g}] that"
        f" session.toml states, nor within {PATIENCE:g} s after; it is left out. Correct"
        " person_boxes; affectscope people SESSION --out DIR lists the faces that were found."
    )
    return Notice("E_PERSON", sentence, "face", box.time, box.time)
