"""Faces: found at any size and orientation, aligned whole, rated honestly, one person followed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from affectscope.datasets.synthetic import random_course, synthetic_person
from affectscope.datasets.synthetic_face import face_course, frames
from affectscope.errors import MissingExtraError, ModelError
from affectscope.io.model_files import face_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray, Picture, Planes
from affectscope.preprocessing.chosen_person import PersonTracker
from affectscope.preprocessing.face import (
    EYE_DISTANCE,
    EYE_ROW,
    LEFT_EYE,
    NOSE,
    RIGHT_EYE,
    FaceDetection,
    FaceDetector,
    align_face,
)
from affectscope.preprocessing.face_quality import face_quality
from affectscope.preprocessing.face_tracking import FaceSample, PersonSearch, follow_face
from affectscope.records import FloatArray, Frame, PersonChoice, PersonRule


@pytest.fixture(scope="module")
def model() -> tuple[bytes, bytes]:
    try:
        return face_model()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """Grace Hopper, 512 x 600, which Matplotlib ships; her face is about 190 pixels wide."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return Image.open(path).convert("RGB")


def texture(index: int, width: int = 640, height: int = 360) -> Image.Image:
    """A wall of soft blotches, another one for each index."""
    chance = np.random.default_rng(index)
    cells = chance.integers(60, 160, (height // 40, width // 40, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def scene(*people: tuple[Image.Image, tuple[int, int]], index: int = 0) -> ImageArray:
    picture = texture(index)
    for person, place in people:
        picture.paste(person, place)
    return np.asarray(picture)


def scaled(picture: Image.Image, share: float) -> Image.Image:
    size = (round(picture.width * share), round(picture.height * share))
    return picture.resize(size, Image.Resampling.LANCZOS)


def follow(
    pictures: list[ImageArray],
    detector: FaceDetector,
    rule: PersonRule = "largest",
    rate: float = 10.0,
) -> list[FaceSample]:
    frames = (Frame(i, i / rate, Picture(rgb)) for i, rgb in enumerate(pictures))
    search = PersonSearch(detector, PersonTracker(PersonChoice(rule)))
    return list(follow_face(frames, search, crop_size=112, minimum_quality=0.3))


def clip(
    real_data: Path, name: str, detector: FaceDetector, rate: float | None = None
) -> list[FaceSample]:
    frames = FrameReader(inspect_video(real_data / "faces" / name), rate=rate)
    search = PersonSearch(detector, PersonTracker(PersonChoice("largest")))
    return list(follow_face(frames, search, crop_size=224, minimum_quality=0.3))


def coverage(samples: list[FaceSample]) -> float:
    return float(np.mean([sample.crop is not None for sample in samples]))


# --- real clips


@pytest.mark.parametrize(
    ("name", "rate"), [("WolfgangLanger_Pexels.mp4", 4.0), ("single_face.mp4", 15.0)]
)
def test_a_visible_face_is_followed_throughout(
    real_data: Path, detector: FaceDetector, name: str, rate: float | None
) -> None:
    samples = clip(real_data, name, detector, rate)
    assert all(sample.box is not None for sample in samples)
    if name.startswith("Wolfgang"):  # hands are before the face from 2.4 to 10.1 s
        samples = [sample for sample in samples if not 2.4 <= sample.time <= 10.1]
    qualities = [sample.quality.overall for sample in samples]
    assert coverage(samples) >= 0.98
    assert np.percentile(qualities, 5) > 0.6
    assert np.median(qualities) > 0.85
    assert {sample.faces_seen for sample in samples} == {1}


def test_a_still_head_gives_steady_crops(real_data: Path, detector: FaceDetector) -> None:
    samples = clip(real_data, "single_face.mp4", detector)
    crops = [sample.crop.astype(int) for sample in samples if sample.crop is not None]
    steps = [abs(a - b).mean() for a, b in pairwise(crops)]
    assert np.median(steps) < 5  # of 255; a shift by 2 pixels gives 9
    shifted = abs(crops[0][:, 2:] - crops[0][:, :-2]).mean()
    assert np.median(steps) < shifted / 2


def test_a_face_that_leaves(real_data: Path, detector: FaceDetector) -> None:
    samples = clip(real_data, "face_noface.mov", detector)
    assert 0.40 <= coverage(samples) <= 0.60
    seen = [sample.crop is not None for sample in samples]
    assert seen == sorted(seen, reverse=True), "seen until the face leaves, and not again"


def test_V12_no_face_in_a_real_clip(real_data: Path, detector: FaceDetector) -> None:
    samples = clip(real_data, "no_face.mp4", detector, 12.0)
    assert len(samples) >= 46
    assert coverage(samples) < 0.05


def test_every_face_of_a_group_is_found(real_data: Path, detector: FaceDetector) -> None:
    group = np.asarray(Image.open(real_data / "faces" / "multi_face.jpg").convert("RGB"))
    faces = detector.detect(group)
    assert len(faces) == 5
    assert [face.size for face in faces] == sorted([face.size for face in faces], reverse=True)


# --- detection


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5, 0.3])
def test_faces_are_found_at_any_size(
    detector: FaceDetector, portrait: Image.Image, share: float
) -> None:
    (alone,) = detector.detect(np.asarray(portrait))
    picture = texture(1, 1280, 720)
    picture.paste(scaled(portrait, share), (400, 50))
    (face,) = detector.detect(np.asarray(picture))
    expected = alone.key_points * share + (400, 50)
    assert np.hypot(*(face.key_points[:4] - expected[:4]).T).max() < 0.08 * alone.size * share
    (again,) = detector.detect_around(np.asarray(picture), face.box)
    assert np.hypot(*(again.centre - face.centre)) < 0.1 * face.size


def test_a_region_outside_the_picture_holds_nothing(detector: FaceDetector) -> None:
    for place in (5000.0, -500.0):
        assert detector.detect_around(np.asarray(texture(1)), (place, place, 80.0, 80.0)) == []


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_V08_same_box_as_unrotated(
    tmp_path: Path, detector: FaceDetector, portrait: Image.Image, turns: int
) -> None:
    upright = np.asarray(portrait)
    one = 1 << 16
    # Track header matrices (a, b, c, d) that turn the stored picture clockwise by 90, 180, 270.
    a, b, c, d = {1: (0, one, -one, 0), 2: (-one, 0, 0, -one), 3: (0, -one, one, 0)}[turns]
    boxes = []
    for quarter in (0, turns):
        path = tmp_path / f"{quarter}.mp4"
        write_still(path, np.ascontiguousarray(np.rot90(upright, quarter)))
        if quarter:
            data = bytearray(path.read_bytes())
            place = data.index(b"tkhd") + 44
            data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
            path.write_bytes(data)
        frame = next(iter(FrameReader(inspect_video(path))))
        assert frame.rgb.shape == upright.shape
        (face,) = detector.detect(frame.rgb)
        boxes.append(face.box)
    np.testing.assert_allclose(boxes[1], boxes[0], atol=2)


def write_still(path: Path, rgb: ImageArray) -> None:
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "crf": "12", "x264-params": "log-level=none"}
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.height, stream.width = rgb.shape[:2]
        stream.pix_fmt = "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_without_mediapipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError) as caught:
        FaceDetector((b"", b""))
    assert caught.value.code == "E_EXTRA"
    assert "affectscope[face]" in caught.value.remedy


def test_a_model_that_is_none() -> None:
    before = [os.environ.get(name) for name in ("https_proxy", "no_proxy")]
    with pytest.raises(ModelError) as caught:
        FaceDetector((b"not a model" * 100, b""))
    assert caught.value.code == "E_MODEL_CHECKSUM"
    assert [os.environ.get(name) for name in ("https_proxy", "no_proxy")] == before


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (300, 2, 3)])
def test_odd_pictures_hold_no_face(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.full(shape, 128, np.uint8)) == []


IN_A_PROCESS_OF_ITS_OWN = """
import os, socket, threading
import numpy as np
from affectscope.io.model_files import face_model
from affectscope.preprocessing import face

listener = socket.create_server(("127.0.0.1", 0))
asked = []
def answer():
    while True:
        connection, _ = listener.accept()
        asked.append(connection.recv(100))
        connection.close()
threading.Thread(target=answer, daemon=True).start()

os.environ["https_proxy"] = "http://users.own.proxy:3128"
dead = face._ProcessSettings._blocked["https_proxy"]
assert dead == "http://127.0.0.1:9"
address = "http://127.0.0.1:%d" % listener.getsockname()[1]
face._ProcessSettings._blocked["https_proxy"] = address
first = face.FaceDetector(face_model())
with face.FaceDetector(face_model()) as second:
    second.detect(np.zeros((64, 64, 3), np.uint8))
assert os.environ["https_proxy"] == address
first.close()
first.close()
assert os.environ["https_proxy"] == "http://users.own.proxy:3128"
assert "no_proxy" not in os.environ
print(*sorted(set(asked)))
"""


def test_a_detector_is_silent_and_sends_nothing(
    model: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MediaPipe sends home ends at the proxy of our choice, here a listener of the test's."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("b'CONNECT play.googleapis.com:443")


# --- alignment


def key_points(eyes: FloatArray, distance: float, angle: float) -> FloatArray:
    """A frontal face's points: eyes around a middle, nose and mouth below, turned by ``angle``."""
    shape = np.array([[-0.5, 0], [0.5, 0], [0, 0.5], [0, 1.05], [-1, 0.2], [1, 0.2]])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(eyes + distance * shape @ turn)


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(25, 200), st.floats(300, 500), st.floats(200, 400))
def test_eyes_land_on_their_places(angle: float, distance: float, x: float, y: float) -> None:
    points = key_points(np.array([x, y]), distance, angle)
    rows, columns = np.mgrid[0:600, 0:800] + 0.5
    for eye, side in ((RIGHT_EYE, -1), (LEFT_EYE, 1)):
        # A soft spot, so that its centre of mass is known to a fraction of a pixel.
        spread = distance / 12
        away = (columns - points[eye, 0]) ** 2 + (rows - points[eye, 1]) ** 2
        spot = (250 * np.exp(-away / (2 * spread**2))).astype(np.uint8)
        crop = align_face(np.repeat(spot[:, :, None], 3, axis=2), points, 112)
        weight = crop[:, :, 0].astype(float)
        assert weight.shape == (112, 112)
        place = np.arange(112) + 0.5
        found = (weight.sum(axis=0) @ place, weight.sum(axis=1) @ place) / weight.sum()
        expected = (112 * (0.5 + side * EYE_DISTANCE / 2), 112 * EYE_ROW)
        np.testing.assert_allclose(found, expected, atol=0.6)


@pytest.mark.parametrize("angle", [-25, 15, 40])
def test_a_tilted_head_comes_out_upright_and_whole(
    detector: FaceDetector, portrait: Image.Image, angle: int
) -> None:
    picture = np.asarray(portrait.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)))
    (tilted,) = detector.detect(picture)
    crop = align_face(picture, tilted.key_points, 224)
    (face,) = detector.detect(crop)
    eyes = face.key_points[[RIGHT_EYE, LEFT_EYE]]
    places = [[224 * (0.5 + side * EYE_DISTANCE / 2), 224 * EYE_ROW] for side in (-1, 1)]
    np.testing.assert_allclose(eyes, places, atol=10)
    x, y, width, height = face.box
    assert x > 0
    assert y > 0
    assert x + width < 224
    assert y + height < 224


def test_a_turned_head_is_not_blown_up() -> None:
    frontal = key_points(np.array([200.0, 150.0]), 60, 0.0)
    turned = frontal.copy()
    turned[[RIGHT_EYE, LEFT_EYE], 0] = 190.0, 210.0  # close together; the mouth stays
    rgb = np.zeros((400, 400, 3), np.uint8)
    rgb[209:217, 196:204] = 255  # the mouth
    rows = [np.argwhere(align_face(rgb, points, 112)[:, :, 0] > 128)[:, 0].mean()
            for points in (frontal, turned)]  # fmt: skip
    assert rows[1] == pytest.approx(rows[0], abs=6)


def test_beyond_the_edge_is_black(portrait: Image.Image) -> None:
    points = key_points(np.array([5.0, 5.0]), 60, 0.0)
    crop = align_face(np.full((300, 300, 3), 200, np.uint8), points, 96)
    assert crop.shape == (96, 96, 3)
    assert (crop[:20, :20] == 0).all()
    assert (crop[60:, 60:] == 200).all()
    outside = align_face(np.full((300, 300, 3), 200, np.uint8), points - 4000, 96)
    assert (outside == 0).all()


def planar(rgb: ImageArray, color_range: int = 1) -> Picture:
    """The picture as a decoder gives it."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format="yuv420p", dst_color_range=color_range
    )
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8)
        .reshape(plane.height, plane.line_size)[:, : plane.width]
        .copy()
        for plane in frame.planes
    )
    return Picture(Planes(y, u, v, matrix=2, color_range=color_range))


@pytest.mark.parametrize("share", [0.5, 1.0, 2.6])  # enlarged; nearly as it is; reduced first
@pytest.mark.parametrize("angle", [0, 17])
@pytest.mark.parametrize("color_range", [1, 2])
def test_a_crop_of_planes_is_like_that_of_their_colours(
    portrait: Image.Image, share: float, angle: int, color_range: int
) -> None:
    size = (round(portrait.width * share) // 2 * 2, round(portrait.height * share) // 2 * 2)
    turned = portrait.rotate(angle, Image.Resampling.BICUBIC).resize(size)
    points = key_points(np.array([265.0, 190.0]) * share, 87 * share, np.radians(angle))
    picture = planar(np.asarray(turned), color_range)
    crop = align_face(picture, points, 224).astype(int)
    expected = align_face(Picture(picture.rgb.copy()), points, 224)
    difference = abs(crop - expected)
    assert crop.shape == (224, 224, 3)
    assert difference.mean() < 2
    assert np.percentile(difference, 99) < 16


def test_a_real_crop_of_planes_is_like_that_of_their_colours(
    real_data: Path, detector: FaceDetector
) -> None:
    path = real_data / "faces" / "single_face.mp4"
    frame = next(iter(FrameReader(inspect_video(path))))
    assert frame.picture.planes is not None
    (face,) = detector.detect(frame.picture)
    (again,) = detector.detect(frame.rgb)
    np.testing.assert_array_equal(face.key_points, again.key_points)
    (near,) = detector.detect_around(frame.picture, face.box)
    (near_again,) = detector.detect_around(frame.rgb, face.box)
    np.testing.assert_array_equal(near.key_points, near_again.key_points)
    crop = align_face(frame.picture, near.key_points, 224).astype(int)
    expected = align_face(frame.rgb, near.key_points, 224)
    assert abs(crop - expected).mean() < 2
    qualities = [face_quality(one.astype(np.uint8), near).overall for one in (crop, expected)]
    assert qualities[0] == pytest.approx(qualities[1], abs=0.02)


def test_a_simulated_crop_of_planes_is_like_that_of_their_colours() -> None:
    generator = np.random.default_rng(2)
    person, course = synthetic_person("simulated", 2), random_course(10.0, 2)
    shown = face_course(person.face, course.labels(), duration=10.0, generator=generator)
    (batch,) = frames(
        person.face, shown, times=np.array([1.0]), visible=np.ones(1, bool), generator=generator
    )
    stored = av.VideoFrame.from_ndarray(np.ascontiguousarray(batch[0]), format="yuv420p")
    rgb = np.asarray(stored.to_ndarray(format="rgb24"))
    points = key_points(np.array(rgb.shape[1::-1]) / (2, 2.5), rgb.shape[0] / 6, 0.1)
    picture = planar(rgb)
    crop = align_face(picture, points, 112).astype(int)
    assert abs(crop - align_face(Picture(picture.rgb.copy()), points, 112)).mean() < 2


@pytest.mark.parametrize("color_range", [1, 2])
def test_beyond_the_edge_of_planes_is_black(color_range: int) -> None:
    points = key_points(np.array([5.0, 5.0]), 60, 0.0)
    picture = planar(np.full((300, 300, 3), 200, np.uint8), color_range)
    crop = align_face(picture, points, 96)
    assert (crop[:20, :20] == 0).all()
    assert (abs(crop[60:, 60:].astype(int) - 200) <= 2).all()
    assert (align_face(picture, points - 4000, 96) == 0).all()


# --- quality


def quality_of(detector: FaceDetector, rgb: ImageArray, face: FaceDetection | None = None) -> float:
    found = detector.detect(rgb)
    if not found and face is None:
        return 0.0
    person = found[0] if found else face
    assert person is not None
    return face_quality(align_face(rgb, person.key_points, 224), person).overall


def assert_falls(values: list[float]) -> None:
    assert values[0] > 0.8
    assert values[-1] < 0.3
    assert all(a >= b - 0.02 for a, b in pairwise(values)), values


def test_V17_quality_falls_with_blur(detector: FaceDetector, portrait: Image.Image) -> None:
    blurred = [portrait.filter(ImageFilter.GaussianBlur(sigma)) for sigma in (0, 2, 4, 6, 8, 12)]
    assert_falls([quality_of(detector, np.asarray(picture)) for picture in blurred])


def test_V17_quality_falls_with_size(detector: FaceDetector, portrait: Image.Image) -> None:
    shares = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18)  # a face of 194 down to 35 pixels
    assert_falls([quality_of(detector, np.asarray(scaled(portrait, s))) for s in shares])


def test_V17_quality_falls_with_darkness(detector: FaceDetector, portrait: Image.Image) -> None:
    bright = np.asarray(portrait)
    (face,) = detector.detect(bright)
    gains = (1.0, 0.5, 0.3, 0.2, 0.12, 0.06)
    assert_falls(
        [
            face_quality(
                align_face((bright * gain).astype(np.uint8), face.key_points, 224), face
            ).overall
            for gain in gains
        ]
    )


def test_V16_quality_falls_as_the_head_turns(portrait: Image.Image) -> None:
    points = key_points(np.array([265.0, 190.0]), 87, 0.0)
    crop = align_face(np.asarray(portrait), points, 224)
    values = []
    for degrees in (0, 20, 40, 60):
        turned = points.copy()
        turned[:, 0] = 265 + (points[:, 0] - 265) * np.cos(np.radians(degrees))
        turned[NOSE, 0] += 0.45 * 87 * np.sin(np.radians(degrees))  # the tip stands out
        values.append(face_quality(crop, FaceDetection((170, 140, 190, 190), turned, 0.95)).overall)
    assert_falls(values)


@given(
    st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(1, 2000), st.sampled_from([48, 112, 224])
)
@settings(max_examples=25, deadline=None)
def test_quality_lies_between_0_and_1(seed: int, score: float, width: float, size: int) -> None:
    chance = np.random.default_rng(seed)
    crop = chance.integers(0, chance.integers(1, 256), (size, size, 3), dtype=np.uint8)
    face = FaceDetection((0, 0, width, width), chance.uniform(0, 50, (6, 2)), score)
    quality = face_quality(crop, face)
    assert all(0 <= factor <= 1 for factor in (*quality.factors, quality.overall))


# --- following one person


def test_one_sample_per_frame_also_without_frames(detector: FaceDetector) -> None:
    assert follow([], detector) == []


def test_V12_no_face_no_crop(detector: FaceDetector) -> None:
    samples = follow([np.asarray(texture(index)) for index in range(40)], detector)
    assert len(samples) == 40
    assert all(sample.crop is None and sample.box is None for sample in samples)
    assert all(sample.quality.overall == 0 and sample.faces_seen == 0 for sample in samples)


def test_V13_face_leaves_three_times(detector: FaceDetector, portrait: Image.Image) -> None:
    person = scaled(portrait, 0.55)
    times = np.arange(120) / 6
    gaps = ((3.0, 5.5), (8.0, 11.0), (14.0, 16.5))  # 8 of 20 seconds
    away = np.array([any(start <= time < end for start, end in gaps) for time in times])
    pictures = [
        scene(*([] if gone else [(person, (150 + round(20 * np.sin(time)), 20))]), index=3)
        for time, gone in zip(times, away, strict=True)
    ]
    samples = follow(pictures, detector, rate=6.0)
    masked = np.array([sample.crop is None for sample in samples])
    assert coverage(samples) == pytest.approx(0.60, abs=0.02)
    edges = np.array(gaps).ravel()
    clear = np.array([abs(edges - time).min() > 0.2 for time in times])
    np.testing.assert_array_equal(masked[clear], away[clear])


def test_V14_only_the_chosen_person_is_cropped(
    detector: FaceDetector, portrait: Image.Image
) -> None:
    client, therapist = scaled(portrait, 0.4), scaled(portrait, 0.55).transpose(
        Image.Transpose.FLIP_LEFT_RIGHT
    )  # fmt: skip
    pictures = []
    for index in range(60):
        beside = [(therapist, (350, 10))]
        if not 20 <= index < 50:  # the client is away for 3 s
            beside.append((client, (40, 60)))
        pictures.append(scene(*beside, index=5))
    left = follow(pictures, detector, "left")
    assert all(sample.box is None or sample.box[0] < 250 for sample in left)
    assert [sample.crop is not None for sample in left] == [
        not 20 <= index <= 50
        for index in range(60)  # once the face was seen twice again
    ]
    assert {sample.faces_seen for sample in left[:20]} == {2}
    largest = follow(pictures, detector, "largest")
    assert all(sample.box is not None and sample.box[0] > 350 for sample in largest)
