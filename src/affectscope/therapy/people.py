"""Who is in a session's video, for the user to confirm whom the program follows.

The same search as in an assessment, so that what is shown is what would be scored. Of people other
than the chosen one nothing is kept but their tracks' numbers, times and boxes: in the pictures of
the whole scene their faces are covered, and everything but the chosen person's head is reduced to
coarse grey blocks, in case a face turned away was not found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from affectscope.datasets.alignment import aligned
from affectscope.errors import SessionError
from affectscope.inference.person_photo import photo_check
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.io.video import FrameReader
from affectscope.picture import ImageArray
from affectscope.preprocessing.chosen_person import PersonBreak, PersonTracker
from affectscope.preprocessing.face import SAME_FACE, Box, FaceDetector, box_overlap
from affectscope.preprocessing.face_tracking import PersonSearch, look_at
from affectscope.preprocessing.face_tracks import FaceTrack
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Frame, Notice

RATE = 10.0
"""Pictures per second that are looked at, unless asked for."""
SHOWN = 12
"""Times that are shown, spread over the session."""
_SCENE_WIDTH = 360
_BLOCKS = 24
"""Grey blocks across the scene: a face that fills a quarter of the width gets six."""
_COVER = 0.6
"""How far a cover reaches beyond a face's box on each side, in sizes: over hair, ears and neck."""
_HEAD = 0.3
"""How far the chosen head is shown beyond its box."""
_GREY, _OUTLINE = (140, 140, 140), (0, 114, 178)


@dataclass(frozen=True, eq=False)
class Shown:
    """The chosen person at one time: the aligned face, and the scene with all else covered."""

    time: float
    face: ImageArray
    scene: ImageArray


@dataclass(frozen=True, eq=False)
class PeopleSeen:
    """Who was seen, when, and who is followed.

    Attributes:
        tracks: of all faces, those that are long enough to be told.
        picture_size: width and height of the video, pixels.
        own: numbers of the tracks that are taken for the person's.
        together: most people in one picture.
    """

    session: Session
    picture_size: tuple[int, int]
    tracks: tuple[FaceTrack, ...]
    own: frozenset[int]
    together: int
    breaks: tuple[PersonBreak, ...]
    notices: tuple[Notice, ...]
    shown: tuple[Shown, ...]


def find_people(
    session: Session,
    *,
    rate: float = RATE,
    on_time: Callable[[float], None] = lambda _time: None,
) -> PeopleSeen:
    """Walk once through the session's video.

    Raises:
        SessionError: E_NO_USABLE_MODALITY where the session has no video that can be read;
            E_PERSON where the reference photo does not show exactly one face.
        ModelError: a model file is missing; the remedy says how to fetch it.
    """
    session = aligned(session, on_time)
    video = session.recording.video
    if video is None:
        reasons = [n.sentence for n in session.recording.notices if n.modality == "face"]
        raise SessionError(
            "E_NO_USABLE_MODALITY",
            " ".join(["The session has no video that can be read.", *reasons]),
            "Name one under [face] in session.toml.",
        )
    reader = FrameReader(video, rate=min(rate, video.frame_rate))
    choice, preprocessing = session.person, Preprocessing()
    shown: dict[int, Shown] = {}
    with FaceDetector(face_model()) as detector:
        photo = None if choice.photo is None else photo_check(choice.photo, detector)
        tracker = PersonTracker(choice, photo)
        search = PersonSearch(detector, tracker)
        for frame in reader:
            sample = look_at(
                frame,
                search,
                crop_size=preprocessing.crop_size,
                minimum_quality=preprocessing.minimum_face_quality,
            )
            part = int(SHOWN * (frame.time - video.start_time) / max(video.duration, 1e-9))
            part = min(max(part, 0), SHOWN - 1)
            if sample.crop is not None and sample.box is not None and part not in shown:
                others = _others(frame, sample.box, search)
                scene = covered_scene(frame.rgb, sample.box, others)
                shown[part] = Shown(frame.time, sample.crop, scene)
            on_time(frame.time)
    return PeopleSeen(
        session=session,
        picture_size=(video.width, video.height),
        tracks=tuple(tracker.tracks.told),
        own=frozenset(tracker.own),
        together=tracker.together,
        breaks=tuple(each for each in tracker.breaks if tracker.is_told(each)),
        notices=(*reader.notices, *tracker.notices()),
        shown=tuple(shown[part] for part in sorted(shown)),
    )


def _others(frame: Frame, person: Box, search: PersonSearch) -> list[Box]:
    """Where everybody else is, or was a moment ago."""
    found = [face.box for face in search.detector.detect(frame.picture)]
    found += [track.face.box for track in search.others(frame.time)]
    return [box for box in found if box_overlap(box, person) < SAME_FACE]


def covered_scene(rgb: ImageArray, person: Box, others: list[Box]) -> ImageArray:
    """The whole picture, 360 pixels wide, with nothing to be recognised but the person's head."""
    from PIL import Image, ImageDraw

    height, width = rgb.shape[:2]
    scale = _SCENE_WIDTH / width
    size = (_SCENE_WIDTH, max(1, round(height * scale)))
    picture = Image.fromarray(rgb)
    blocks = (_BLOCKS, max(1, round(_BLOCKS * height / width)))
    scene = picture.convert("L").resize(blocks, Image.Resampling.BOX)
    scene = scene.resize(size, Image.Resampling.NEAREST).convert("RGB")
    head = _grown(person, _HEAD, scale)
    scene.paste(picture.resize(size, Image.Resampling.BOX).crop(head), head[:2])
    draw = ImageDraw.Draw(scene)
    for box in others:
        draw.rectangle(_grown(box, _COVER, scale), fill=_GREY)
    draw.rectangle(_grown(person, 0.0, scale), outline=_OUTLINE, width=2)
    return np.asarray(scene)


def _grown(box: Box, by: float, scale: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in the scene's pixels."""
    x, y, width, height = box
    more = by * max(width, height)
    edges = (x - more, y - more, x + width + more, y + height + more)
    left, top, right, bottom = (round(edge * scale) for edge in edges)
    return left, top, right, bottom
