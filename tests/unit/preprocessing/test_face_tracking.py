"""Detection every few pictures: which pictures are detected after all, and what comes between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import FaceDetector
from affectscope.preprocessing.face_tracking import FaceSample, PersonSearch, follow_face
from affectscope.records import Frame, PersonBox, PersonChoice

RATE = 25.0
Place = tuple[float, float]


@pytest.fixture(scope="module")
def person() -> Image.Image:
    """Grace Hopper, whom Matplotlib ships, her face about 80 pixels wide."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return Image.open(path).convert("RGB").resize((215, 252), Image.Resampling.LANCZOS)


def pictures(person: Image.Image, *paths: Callable[[int], Place], count: int) -> list[ImageArray]:
    """Copies of the person on paths (corner by the picture's number) before a grey wall."""
    made = []
    for index in range(count):
        scene = Image.new("RGB", (800, 300), (110, 120, 130))
        for path in paths:
            x, y = path(index)
            # With fractions of a pixel, as a head moves.
            rows = (1, 0, int(x) - x, 0, 1, int(y) - y)
            part = person.transform(
                person.size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC
            )
            scene.paste(part.crop((2, 2, 213, 250)), (int(x) + 2, int(y) + 2))
        made.append(np.asarray(scene))
    return made


def sways(index: int) -> Place:
    return 100 + 2 * np.sin(index / 6), 20.0


def followed(
    shown: Sequence[ImageArray],
    search: PersonSearch,
    rate: float = RATE,
    excluded: Callable[[float], bool] = lambda _time: False,
) -> tuple[list[FaceSample], list[int]]:
    """The samples, and the numbers of the pictures in which faces were searched for."""
    samples, detected = [], []
    frames = (Frame(index, index / rate, Picture(rgb)) for index, rgb in enumerate(shown))
    before = 0
    for sample in follow_face(
        frames, search, crop_size=112, minimum_quality=0.3, excluded=excluded
    ):
        if search.detected > before:
            detected.append(len(samples))
        before = search.detected
        samples.append(sample)
    return samples, detected


def search(detector: FaceDetector, choice: PersonChoice | None = None) -> PersonSearch:
    return PersonSearch(detector, PersonTracker(choice or PersonChoice()))


def test_a_quiet_face_is_detected_in_every_fourth_picture(
    detector: FaceDetector, person: Image.Image
) -> None:
    shown = pictures(person, sways, count=26)
    samples, detected = followed(shown, search(detector))
    # The second picture confirms the track.
    assert detected == [0, *range(1, 26, 4)]
    every = PersonSearch(detector, PersonTracker(PersonChoice()), every_frame=True)
    plain, all_of_them = followed(shown, every)
    assert all_of_them == list(range(26))
    for one, other in zip(samples, plain, strict=True):
        assert one.crop is not None
        assert one.box is not None
        assert other.box is not None
        np.testing.assert_allclose(one.box, other.box, atol=4)
        assert one.faces_seen == other.faces_seen == 1
    quality = [[sample.quality.overall for sample in way] for way in (samples, plain)]
    assert np.median(quality[0]) == pytest.approx(np.median(quality[1]), abs=0.03)


def test_pictures_that_come_slowly_are_all_detected(
    detector: FaceDetector, person: Image.Image
) -> None:
    assert followed(pictures(person, sways, count=6), search(detector), 10.0)[1] == list(range(6))


def test_a_face_that_moves_fast_is_detected_in_every_picture(
    detector: FaceDetector, person: Image.Image
) -> None:
    shown = pictures(person, lambda index: (20 + 8.0 * index, 20), count=25)
    samples, detected = followed(shown, search(detector))
    assert detected == list(range(25))
    assert all(sample.box is not None for sample in samples)


def test_V14_while_somebody_else_is_near_every_picture_is_detected(
    detector: FaceDetector, person: Image.Image
) -> None:
    shown = pictures(person, sways, lambda _: (380, 20), count=12)
    samples, detected = followed(shown, search(detector, PersonChoice("left")))
    assert detected == list(range(12))
    assert all(sample.faces_seen == 2 for sample in samples)


def test_a_stated_box_is_looked_for_in_its_own_picture(
    detector: FaceDetector, person: Image.Image
) -> None:
    shown = pictures(person, sways, count=24)
    (face,) = detector.detect(shown[0])
    boxes = (PersonBox(0.0, face.box), PersonBox(15 / RATE, face.box))
    asked = search(detector, PersonChoice("box", boxes))
    _, detected = followed(shown, asked)
    assert 15 in detected
    assert 14 not in detected
    assert asked.tracker.notices() == []


def test_what_is_left_out_ends_following(detector: FaceDetector, person: Image.Image) -> None:
    shown = pictures(person, sways, count=12)
    samples, detected = followed(
        shown, search(detector), excluded=lambda time: abs(time - 6 / RATE) < 1e-6
    )
    assert samples[6].box is None
    assert detected == [0, 1, 5, 7, 11]


@pytest.mark.parametrize("grey", [0, 200])
def test_a_face_that_is_gone_at_once_is_not_followed(
    detector: FaceDetector, person: Image.Image, grey: int
) -> None:
    shown = pictures(person, sways, count=8)
    shown[6] = np.full_like(shown[6], grey)
    samples, detected = followed(shown, search(detector))
    assert [sample.box is not None for sample in samples] == [True] * 6 + [False, True]
    assert {6, 7} <= set(detected)


@pytest.mark.parametrize(
    ("name", "part"), [("single_face.mp4", range(72)), ("face_noface.mov", range(50, 76))]
)
def test_following_agrees_with_detection_in_every_frame(
    real_data: Path, detector: FaceDetector, name: str, part: range
) -> None:
    """In the second clip the face is gone from picture 72 on: a black one, then a landscape."""
    frames = [
        frame
        for frame in FrameReader(inspect_video(real_data / "faces" / name))
        if frame.index in part
    ]
    ways = [
        PersonSearch(detector, PersonTracker(PersonChoice()), every_frame=every_frame)
        for every_frame in (True, False)
    ]
    found = [[way.look(frame) for frame in frames] for way in ways]
    assert [face is None for face in found[0]] == [face is None for face in found[1]]
    assert ways[1].detected < 0.6 * len(frames)
    apart = [
        np.median(np.hypot(*(one.key_points - other.key_points)[:4].T))
        / np.hypot(*(one.key_points[1] - one.key_points[0]))
        for one, other in zip(*found, strict=True)
        if one is not None and other is not None
    ]
    assert np.median(apart) < 0.015
    assert max(apart) < 0.06
