"""The factors of a face's quality: what covers a face is seen, and a bare face is not masked."""

from __future__ import annotations

from itertools import pairwise, takewhile
from pathlib import Path

import av
import matplotlib
import numpy as np
import pytest
from PIL import Image

from affectscope.datasets.synthetic import random_course, synthetic_person
from affectscope.datasets.synthetic_face import face_course, frames
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetection, FaceDetector, align_face, crop_points
from affectscope.preprocessing.face_occlusion import _likeness, hidden_measures
from affectscope.preprocessing.face_quality import FACTORS, UNSEEN, FaceQuality, face_quality
from affectscope.records import FloatArray
from face_covers import COVERS, cover

LIMIT = 0.3


@pytest.fixture(scope="module")
def portrait() -> ImageArray:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(path).convert("RGB"))


def rated(detector: FaceDetector, rgb: ImageArray) -> FaceQuality:
    """Of the largest face; ``UNSEEN`` where none is found."""
    found = detector.detect(rgb)
    return face_quality(align_face(rgb, found[0].key_points, 224), found[0]) if found else UNSEEN


@pytest.mark.parametrize("kind", COVERS)
@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_V16_a_covered_face_is_masked(
    detector: FaceDetector, portrait: ImageArray, kind: str, mirrored: bool
) -> None:
    picture = np.ascontiguousarray(portrait[:, ::-1]) if mirrored else portrait
    (face,) = detector.detect(picture)
    painted = cover(picture, face.key_points, kind, np.random.default_rng(1))
    found = detector.detect_around(painted, face.box)
    assert all(
        face_quality(align_face(painted, one.key_points, 224), one).overall < LIMIT for one in found
    )


@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_V16_glasses_and_a_hat_cover_nothing(
    detector: FaceDetector, portrait: ImageArray, mirrored: bool
) -> None:
    quality = rated(detector, np.ascontiguousarray(portrait[:, ::-1]) if mirrored else portrait)
    assert quality.occlusion > 0.9
    assert quality.overall > 0.8


def test_V16_real_hands_over_an_eye_are_masked_and_the_bare_face_is_not(
    real_data: Path, detector: FaceDetector
) -> None:
    """In the clip a hand covers the right eye from 4.6 to 5.5 s, and nothing from 10.2 s on."""
    video = inspect_video(real_data / "faces" / "WolfgangLanger_Pexels.mp4")
    reader = FrameReader(video, rate=4.0)
    early = takewhile(lambda frame: frame.time < 12.0, reader)
    picked = [frame for frame in early if 4.6 < frame.time < 5.5 or frame.time > 10.2]
    covered = [rated(detector, frame.rgb).overall for frame in picked if frame.time < 6.0]
    bare = [rated(detector, frame.rgb) for frame in picked if frame.time > 6.0]
    assert np.mean(np.array(covered) < LIMIT) >= 0.6
    assert len(bare) >= 6
    assert all(quality.occlusion > 0.7 and quality.overall > LIMIT for quality in bare)


def test_simulated_faces_are_not_taken_for_covered(detector: FaceDetector) -> None:
    generator = np.random.default_rng(2)
    person, course = synthetic_person("simulated", 2), random_course(10.0, 2)
    shown = face_course(person.face, course.labels(), duration=10.0, generator=generator)
    times, visible = np.array([1.0, 7.0]), np.ones(2, dtype=bool)
    (batch,) = frames(person.face, shown, times=times, visible=visible, generator=generator)
    for picture in batch:
        stored = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="yuv420p")
        assert rated(detector, stored.to_ndarray(format="rgb24")).occlusion > 0.9


def test_V17_quality_falls_with_the_depth_of_flicker(
    detector: FaceDetector, portrait: ImageArray
) -> None:
    """Light of the mains seen by a shutter that beats with it: some pictures are dark, some glare.
    The mean falls with the depth, and the worst picture is not scored."""
    (face,) = detector.detect(portrait)
    gains = np.sin(2 * np.pi * 6.3 * np.arange(20) / 25)
    means, worst = [], []
    for depth in (0.0, 0.4, 0.8, 0.97):
        overall = []
        for gain in 1 + depth * gains:
            lit = np.clip(portrait * gain, 0, 255).astype(np.uint8)
            overall.append(face_quality(align_face(lit, face.key_points, 224), face).overall)
        means.append(np.mean(overall))
        worst.append(min(overall))
    assert all(a >= b - 0.01 for a, b in pairwise(means)), means
    assert means[0] - means[-1] > 0.2
    assert worst[-1] < LIMIT


def test_V17_light_from_behind_is_not_scored(detector: FaceDetector, portrait: ImageArray) -> None:
    (face,) = detector.detect(portrait)
    rows, columns = np.indices(portrait.shape[:2])
    distance = np.hypot(columns - face.centre[0], rows - face.centre[1]) / face.size
    values = []
    for depth in (0.0, 0.5, 0.8, 0.95):
        gain = np.where(distance < 0.9, 1 - depth, 1 + depth)[..., None]
        lit = np.clip(portrait * gain, 0, 255).astype(np.uint8)
        values.append(face_quality(align_face(lit, face.key_points, 224), face).overall)
    assert all(a >= b - 0.01 for a, b in pairwise(values)), values
    assert values[-1] < LIMIT


def test_each_factor_falls_alone(detector: FaceDetector, portrait: ImageArray) -> None:
    (face,) = detector.detect(portrait)
    crop = align_face(portrait, face.key_points, 224)
    plain = face_quality(crop, face)
    faint = face_quality(crop, FaceDetection(face.box, face.key_points, 0.6))
    dark = face_quality((crop * 0.05).astype(np.uint8), face)
    assert faint.detection < plain.detection
    assert faint.factors[1:] == plain.factors[1:]
    assert dark.light < 0.3 < plain.light
    assert len(plain.factors) == len(FACTORS)
    assert plain.overall == pytest.approx(np.prod(plain.factors))


def test_key_points_lie_in_the_crop_where_it_was_cut(portrait: ImageArray) -> None:
    places = ((220, 170), (300, 180), (262, 225), (255, 262), (170, 190), (350, 200))
    points = np.array(places, dtype=np.float64)
    marked = np.zeros_like(portrait)
    for x, y in points[:4].astype(int):
        marked[y - 2 : y + 3, x - 2 : x + 3] = 255
    crop = align_face(marked, points, 200)[:, :, 0]
    for x, y in crop_points(points, 200)[:4]:
        assert crop[round(y), round(x)] > 128


def test_an_evenly_grey_crop_shows_no_face() -> None:
    places = ((40, 40), (60, 40), (50, 50), (50, 62), (30, 42), (70, 42))
    grey = np.full((224, 224, 3), 128, np.uint8)
    assert min(hidden_measures(grey, np.array(places, dtype=np.float64)).values()) == 0.0


def test_the_likeness_of_two_patches_is_the_best_correlation_over_shifts() -> None:
    chance = np.random.default_rng(4)
    one, two = chance.uniform(1.6, 5.6, (2, 56, 56))
    for x, y in ((0.5, 0.4), (0.0, 1.0), (0.97, 0.03)):
        found = _likeness(one, two, places=((x, y), (1 - x, y)), half=(0.2, 0.1))
        width, height, shift = 11, 6, 3
        margin = width + shift
        padded = [np.pad(values, margin, mode="edge") for values in (one, two)]
        here, there, row = (min(round(share * 56), 55) + margin for share in (x, 1 - x, y))

        def patch(
            values: FloatArray, column: int, row: int, width: int = width, height: int = height
        ) -> FloatArray:
            rows = slice(row - height, row + height + 1)
            return values[rows, column - width : column + width + 1].ravel()

        wanted = patch(padded[0], here, row)
        moves = range(-shift, shift + 1)
        expected = max(
            np.corrcoef(wanted, patch(padded[1], there + right, row + down))[0, 1]
            for right in moves
            for down in moves
        )
        assert found == pytest.approx(expected, abs=1e-9)
