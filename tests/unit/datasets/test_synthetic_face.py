"""The synthetic face, measured on its own pixels and by an independent face detector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets import synthetic_portrait
from affectscope.datasets.synthetic import affect_labels, random_course, synthetic_person
from affectscope.datasets.synthetic_face import (
    FaceCourse,
    FaceRenderer,
    FaceTraits,
    face_course,
    frames,
    movement_coefficients,
    write_video,
)
from affectscope.datasets.synthetic_look import LATTICE, build_face, frame_position
from affectscope.errors import InputError
from affectscope.picture import ImageArray
from affectscope.records import FloatArray, Labels

MOUTH_CORNERS = ((226.0, 280.0), (305.0, 278.0))  # on the portrait, measured by hand
CHIN = (266.0, 306.0)


def still(valence: float, arousal: float, *, lids: float = 0.0) -> FaceCourse:
    """A face that holds one expression."""
    return FaceCourse(
        np.full(3, valence), np.full(3, arousal), np.full(3, lids), np.zeros((3, 5)), np.ones(3)
    )


def luma(renderer: FaceRenderer, course: FaceCourse) -> FloatArray:
    picture = renderer.render(course, np.zeros(1), np.ones(1, dtype=np.bool_))[0]
    return picture[:360].astype(np.float64)


def moved_by(before: FloatArray, after: FloatArray, point: tuple[float, float]) -> FloatArray:
    """(dx, dy) of the patch around a point, by normalised cross-correlation within 12 pixels."""
    x, y = (round(p) for p in point)
    half = 9
    patch = before[y - half : y + half + 1, x - half : x + half + 1]
    patch = (patch - patch.mean()) / patch.std()
    scores = np.zeros((25, 25))
    for dy in range(-12, 13):
        for dx in range(-12, 13):
            other = after[y + dy - half : y + dy + half + 1, x + dx - half : x + dx + half + 1]
            scores[dy + 12, dx + 12] = (patch * (other - other.mean()) / other.std()).mean()
    best = np.unravel_index(scores.argmax(), scores.shape)
    return np.array([best[1] - 12, best[0] - 12], dtype=np.float64)


@pytest.fixture(scope="module", params=[11, 12])
def traits(request: pytest.FixtureRequest) -> FaceTraits:
    return synthetic_person("x", request.param).face


@pytest.fixture(scope="module")
def renderer(traits: FaceTraits) -> FaceRenderer:
    return FaceRenderer(traits, np.random.default_rng(1))


def test_mouth_corners_rise_with_valence(renderer: FaceRenderer, traits: FaceTraits) -> None:
    neutral = luma(renderer, still(0.0, 0.0))
    heights = []
    for valence in (-0.8, -0.4, 0.0, 0.4, 0.8):
        picture = luma(renderer, still(valence, 0.0))
        moves = [moved_by(neutral, picture, frame_position(traits.look, p)) for p in MOUTH_CORNERS]
        heights.append(-np.mean([move[1] for move in moves]))
    assert np.all(np.diff(heights) > 0), heights
    assert heights[-1] - heights[0] > 6.0
    assert heights[2] == 0.0


def test_the_chin_sinks_with_arousal(renderer: FaceRenderer, traits: FaceTraits) -> None:
    neutral = luma(renderer, still(0.0, 0.0))
    place = frame_position(traits.look, CHIN)
    depths = [
        moved_by(neutral, luma(renderer, still(0.0, arousal)), place)[1]
        for arousal in (0.0, 0.35, 0.7, 1.0)
    ]
    assert np.all(np.diff(depths) > 0), depths


def test_low_arousal_and_blinks_cover_the_dark_of_the_eyes(
    renderer: FaceRenderer, traits: FaceTraits
) -> None:
    def darkness(course: FaceCourse) -> float:
        picture = luma(renderer, course)
        eyes = [frame_position(traits.look, p) for p in ((222.0, 190.0), (304.0, 187.0))]
        return float(
            np.mean([picture[round(y) - 5 : round(y) + 6, round(x) - 8 : round(x) + 9].min()
                     for x, y in eyes])
        )  # fmt: skip

    assert darkness(still(0, 0.5)) < darkness(still(0, 0)) + 8
    assert darkness(still(0, 0, lids=1.0)) > darkness(still(0, 0)) + 12


def test_a_frame_is_repeatable_and_people_look_different(traits: FaceTraits) -> None:
    def first(person: FaceTraits) -> ImageArray:
        renderer = FaceRenderer(person, np.random.default_rng(1))
        return renderer.render(still(0.3, 0.3), np.zeros(1), np.ones(1, dtype=np.bool_))

    picture = first(traits)
    assert picture.shape == (1, 540, 640)
    np.testing.assert_array_equal(picture, first(traits))
    other = first(synthetic_person("x", 99).face)
    assert np.abs(picture.astype(int) - other.astype(int)).mean() > 5


def test_the_head_box_leaves_no_seam(renderer: FaceRenderer) -> None:
    """At its border the moved box continues the still picture, whatever the head does."""
    moved = still(1.0, 1.0)
    moved.head[:] = (4.0, 3.0, 2.0, 1.2, 1.0)
    left, top, right, bottom = renderer.face.box
    rest, now = luma(renderer, still(0.0, 0.0)), luma(renderer, moved)
    for rim in (
        np.s_[top:bottom, left],
        np.s_[top:bottom, right - 1],
        np.s_[bottom - 1, left:right],
    ):
        difference = np.abs(now[rim] - rest[rim])
        assert difference.mean() < 3.0
        assert np.quantile(difference, 0.95) < 10.0  # camera noise has a deviation of 0.9


@pytest.mark.parametrize("seed", range(5))
def test_the_picture_never_folds(seed: int) -> None:
    traits = synthetic_person("x", seed).face
    valence, arousal = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1.6, 1.6, 5)] * 2))
    weights, _ = movement_coefficients(valence, arousal, traits.style)
    weights[:, -2:] = np.sign(valence)[:, None] * [1.5, 1.25]  # turn and nod at their limits
    fields = build_face(traits.look).movements
    shift = torch.einsum("bk,kchw->bchw", torch.from_numpy(weights).float(), fields).numpy()
    by_y, by_x = np.gradient(shift / LATTICE, axis=(2, 3))
    determinant = (1 - by_x[:, 0]) * (1 - by_y[:, 1]) - by_x[:, 1] * by_y[:, 0]
    assert determinant.min() > 0.03


def test_expression_follows_affect_with_half_a_second_of_delay() -> None:
    traits = synthetic_person("x", 3).face
    times = np.array([0.0, 9.99, 10.0, 20.0])
    labels = Labels(times, affect_labels(np.array([-1.0, -1.0, 1.0, 1.0]), np.zeros(4)))
    shown = np.mean(
        [
            face_course(traits, labels, duration=20.0, generator=np.random.default_rng(s)).valence
            for s in range(200)
        ],
        axis=0,
    )
    shown /= traits.expressiveness
    assert shown[490] == pytest.approx(-1.0, abs=0.05)
    assert shown[525] == pytest.approx(1 - 2 * np.exp(-1), abs=0.08)  # one time constant later
    assert shown[-1] == pytest.approx(1.0, abs=0.05)


def test_expression_is_not_affect_alone() -> None:
    person, course = synthetic_person("x", 4), random_course(60.0, 1)
    shown = face_course(
        person.face, course.labels(), duration=60.0, generator=np.random.default_rng(1)
    )
    truth = np.interp(np.arange(len(shown.valence)) / 50.0, course.times, course.valence)
    assert 0.9 < np.corrcoef(shown.valence, truth)[0, 1] < 0.995


@pytest.mark.parametrize("per_minute", [8.0, 25.0])
def test_blinks_come_at_the_persons_rate(per_minute: float) -> None:
    traits = synthetic_person("x", 5).face
    traits = FaceTraits(traits.look, traits.expressiveness, traits.style, per_minute)
    labels = Labels(np.array([0.0, 1200.0]), affect_labels(np.zeros(2), np.zeros(2)))
    lids = face_course(traits, labels, duration=1200.0, generator=np.random.default_rng(6)).lids
    closings = ((lids[1:] >= 0.99) & (lids[:-1] < 0.99)).sum()
    assert closings / 20.0 == pytest.approx(per_minute, rel=0.2)
    assert lids.mean() < 0.12


def test_frames_come_in_small_batches_as_they_are_asked_for() -> None:
    person, course = synthetic_person("x", 6), random_course(5.0, 1)
    shown = face_course(
        person.face, course.labels(), duration=5.0, generator=np.random.default_rng(1)
    )
    batches = frames(
        person.face,
        shown,
        times=np.full(10_000_000, 1.0),  # a film of this length would never fit into memory
        visible=np.ones(10_000_000, dtype=np.bool_),
        generator=np.random.default_rng(1),
    )
    assert isinstance(batches, Iterator)
    assert all(next(batches).shape == (8, 540, 640) for _ in range(2))


@pytest.mark.parametrize("frame_rate", [5.0, 25.0, 29.97])
def test_video_has_the_frames_at_their_times(tmp_path: Path, frame_rate: float) -> None:
    import av

    pictures = np.full((7, 540, 640), 128, dtype=np.uint8)
    pictures[:, :360] = (np.arange(7) * 30 + 20)[:, None, None]
    before = torch.get_num_threads()
    write_video(tmp_path / "x.mp4", iter([pictures[:4], pictures[4:]]), frame_rate)
    assert torch.get_num_threads() == before
    with av.open(tmp_path / "x.mp4") as container:
        video = container.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        decoded = list(container.decode(video))
    times = [frame.time for frame in decoded]
    np.testing.assert_allclose(times, np.arange(7) / frame_rate, atol=1e-3)
    means = [frame.to_ndarray()[:360].mean() for frame in decoded]
    np.testing.assert_allclose(means, np.arange(7) * 30 + 20, atol=2)


def test_a_face_is_found_where_it_is_and_nowhere_else() -> None:
    """Twenty-four moments of each of three people: at least 99 % while there, never while away."""
    import av

    from affectscope.errors import ModelError
    from affectscope.io.model_files import face_model
    from affectscope.preprocessing.face import FaceDetector

    try:
        model = face_model()
    except ModelError as error:
        pytest.skip(str(error))
    seen, expected = [], []
    with FaceDetector(model) as detector:
        for seed in range(30, 33):
            person, course = synthetic_person("x", seed), random_course(60.0, seed)
            times = np.arange(0.0, 60.0, 2.5)
            visible = (times < 30.0) | (times >= 40.0)
            shown = face_course(
                person.face, course.labels(), duration=60.0, generator=np.random.default_rng(seed)
            )
            generator = np.random.default_rng(1)
            for batch, there in zip(
                frames(person.face, shown, times=times, visible=visible, generator=generator),
                np.split(visible, 3),
                strict=True,
            ):
                for picture in batch:
                    frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                    seen.append(len(detector.detect(frame.to_ndarray(format="rgb24"))))
                expected += list(there)
    found = np.array(seen)[np.array(expected)]
    assert (found == 1).mean() >= 0.99
    assert np.array(seen)[~np.array(expected)].sum() == 0


def test_a_missing_or_wrong_portrait_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.cbook

    right = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    other = matplotlib.cbook.get_sample_data("logo2.png", asfileobj=False)
    for path, code in (("/nowhere/at/all.jpg", "E_FILE_MISSING"), (other, "E_TYPE_MISMATCH")):
        monkeypatch.setattr(matplotlib.cbook, "get_sample_data", lambda *_, path=path, **__: path)
        synthetic_portrait.portrait.cache_clear()
        with pytest.raises(InputError) as caught:
            synthetic_portrait.portrait()
        assert caught.value.code == code
    monkeypatch.setattr(matplotlib.cbook, "get_sample_data", lambda *_, **__: right)
    synthetic_portrait.portrait.cache_clear()
    assert synthetic_portrait.portrait().shape == (600, 512, 3)
