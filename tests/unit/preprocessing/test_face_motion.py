"""A face's motion: found where there is one, refused where something else changed."""

from __future__ import annotations

import cmath
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.face import FaceDetection
from affectscope.preprocessing.face_motion import (
    LONGEST_GAP,
    FaceFollower,
    FaceMotion,
    FacePatch,
)

CENTRE = complex(200, 150)


@cache
def wall(seed: int = 0) -> Image.Image:
    """400 x 300 of soft blotches, with detail of a few pixels."""
    noise = np.random.default_rng(seed).normal(0, 1, (300, 400))
    blotches = sum(radius * gaussian_filter(noise, radius) for radius in (3, 8, 20))
    grey = 128 + 40 * blotches / np.std(blotches)
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def face(size: float = 120.0) -> FaceDetection:
    x, y = CENTRE.real, CENTRE.imag
    points = np.array([[-25, -20], [25, -20], [0, 5], [0, 30], [-55, -10], [55, -10.0]])
    return FaceDetection((x - size / 2, y - size / 2, size, size), points + np.array([x, y]), 0.9)


def moved(picture: Image.Image, turn: complex, shift: complex) -> ImageArray:
    """The whole picture turned and grown about ``CENTRE``, then shifted."""
    back = 1 / turn
    first = CENTRE - back * (CENTRE + shift)
    rows = (back.real, -back.imag, first.real, back.imag, back.real, first.imag)
    return np.asarray(
        picture.transform(picture.size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    )


def motion(luminance: ImageArray, size: float = 120.0) -> FaceMotion | None:
    return FacePatch(np.asarray(wall()), face(size)).motion(luminance, FaceMotion())


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-0.02, 0.02),
    st.floats(-0.03, 0.03),
    st.floats(-3, 3),
    st.floats(-3, 3),
    st.sampled_from([60.0, 120.0, 180.0]),
)
def test_a_known_motion_is_found(
    growth: float, angle: float, x: float, y: float, size: float
) -> None:
    turn, shift = cmath.rect(1 + growth, angle), complex(x, y)
    found = motion(moved(wall(), turn, shift), size)
    assert found is not None
    expected = FaceMotion(turn, shift).of(face(size)).key_points
    # A hundredth of the eyes' distance: the detector's key points jitter as much.
    assert np.hypot(*(found.of(face(size)).key_points - expected).T).max() < 0.5
    assert found.misfit < 0.15


def test_a_still_face_stays_exactly_where_it_is() -> None:
    found = motion(np.asarray(wall()))
    assert found is not None
    assert found == FaceMotion()
    assert found.is_sure(120)


def test_box_and_key_points_move_together_and_the_score_stays() -> None:
    after = FaceMotion(1.1 * cmath.rect(1, np.pi / 2), 7 + 3j).of(face())
    x, y = CENTRE.real + 7, CENTRE.imag + 3
    assert after.box == pytest.approx((x - 66, y - 66, 132, 132))
    # A quarter turn: what was left of the middle is above it, y counting downwards.
    np.testing.assert_allclose(after.key_points[0], [x + 22, y - 27.5])
    assert after.score == 0.9


def covered(grey: int) -> ImageArray:
    luminance = np.array(wall())
    luminance[160:180, 190:210] = grey  # a finger before the mouth
    return luminance


@pytest.mark.parametrize(
    "later",
    [
        covered(20),
        covered(240),
        np.zeros((300, 400), np.uint8),
        np.full((300, 400), 255, np.uint8),
        np.asarray(wall(1)),
        (0.7 * np.asarray(wall())).astype(np.uint8),
        moved(wall(), 1, 10 + 0j),
        moved(wall(), 1.06, 0j),
        moved(wall(), cmath.rect(1, 0.1), 0j),
    ],
    ids=["dark cover", "bright cover", "black", "white", "cut", "darker", "far", "grown", "turned"],
)
def test_what_the_detector_must_see_is_not_followed(later: ImageArray) -> None:
    found = motion(later)
    assert found is None or not found.is_sure(120)


def test_a_little_other_light_is_followed() -> None:
    found = motion((0.92 * np.asarray(wall()) + 6).astype(np.uint8))
    assert found is not None
    assert found.is_sure(120)
    assert abs(found.shift) < 0.2


@pytest.mark.parametrize("size", [3.0, 700.0])
@pytest.mark.parametrize("place", [0j, 5000 + 5000j, -300 - 300j])
def test_odd_places_and_sizes_are_no_error(size: float, place: complex) -> None:
    patch = FacePatch(np.asarray(wall()), face(size))
    found = patch.motion(np.asarray(wall(1)), FaceMotion(1, place))
    assert found is None or not found.is_sure(size)


def test_a_patch_without_contrast_is_not_followed_astray() -> None:
    patch = FacePatch(np.full((300, 400), 90, np.uint8), face())
    found = patch.motion(np.asarray(wall()), FaceMotion())
    assert found is None or not found.is_sure(120)


def detections(times: Iterable[float]) -> list[float]:
    """The times at which a still face is detected."""
    picture = Picture(np.asarray(wall().convert("RGB")))
    follower, found = FaceFollower(), []
    for time in times:
        if follower.follow(picture, time) is None:
            follower.start(picture, face(), time)
            found.append(time)
    return found


@pytest.mark.parametrize(("rate", "every"), [(10, 1), (12.5, 2), (25, 4), (30, 4), (60, 9)])
def test_detections_lie_at_most_0_16_s_apart(rate: float, every: int) -> None:
    times = [index / rate for index in range(31)]
    assert detections(times) == times[::every]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.005, 0.5), min_size=1, max_size=30))
def test_pictures_that_come_irregularly_are_followed_no_longer(steps: list[float]) -> None:
    times = np.cumsum([0.0, *steps])
    found = detections(times.tolist())
    for before, after in pairwise(found):
        inside = times[(times > before) & (times < after)]
        assert np.all(inside - before <= LONGEST_GAP)


def test_after_a_doubt_nothing_is_followed_until_the_next_detection() -> None:
    still = Picture(np.asarray(wall().convert("RGB")))
    follower = FaceFollower()
    assert follower.follow(still, 0.0) is None
    follower.start(still, face(), 0.0)
    assert follower.follow(Picture(np.zeros((300, 400, 3), np.uint8)), 0.04) is None
    assert follower.follow(still, 0.08) is None
    follower.start(still, face(), 0.08)
    assert follower.follow(still, 0.12) is not None
    follower.stop()
    assert follower.follow(still, 0.16) is None
