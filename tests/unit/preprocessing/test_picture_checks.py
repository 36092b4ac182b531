"""A frozen camera, a lens cap and a test card are no calm person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import matplotlib
import numpy as np
import pytest
from PIL import Image

from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.errors import ModelError
from affectscope.io.model_files import face_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray, Picture, Planes
from affectscope.preprocessing.face_quality import UNSEEN
from affectscope.preprocessing.face_tracking import FaceSample
from affectscope.preprocessing.picture_checks import PictureChecks, cell_levels, shows_nothing
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import Frame, Notice, Recording

RATE = 2.0
CROP = np.zeros((8, 8, 3), np.uint8)
PORTRAIT = (
    Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    .crop((60, 0, 460, 480))
    .resize((200, 240))
)
NOISE = np.random.default_rng(0).normal(0, 2, (5, 240, 320, 3)).round().astype(np.int16)


def noisy(picture: ImageArray, index: int) -> ImageArray:
    """As a camera's sensor sees it."""
    return np.clip(picture + NOISE[index % len(NOISE)], 0, 255).astype(np.uint8)


def swaying(seconds: float, pixels: float = 2.0) -> Iterator[ImageArray]:
    """A person in front of a wall who sways to the right and the left."""
    for index in range(round(seconds * RATE)):
        picture = Image.fromarray(np.full((240, 320, 3), 150, np.uint8))
        shift = round(pixels * np.sin(2 * np.pi * 0.25 * index / RATE))
        picture.paste(PORTRAIT, (60 + shift, 0))
        yield noisy(np.asarray(picture), index)


def flat(seconds: float, level: int) -> list[ImageArray]:
    even = np.full((240, 320, 3), level, np.uint8)
    return [noisy(even, index) for index in range(round(seconds * RATE))]


def test_card(seconds: float) -> list[ImageArray]:
    bars = np.repeat(np.arange(8) * 36, 40).astype(np.uint8)
    card = np.stack([bars, bars[::-1], np.roll(bars, 80)], axis=-1)[None].repeat(240, axis=0)
    return [card] * round(seconds * RATE)


test_card.__test__ = False  # a picture, not a test


def encoded(path: Path, pictures: list[ImageArray], crf: int = 23) -> list[Frame]:
    """The pictures as H.264 brings them back, with a key frame every 5 s."""
    options = {"preset": "veryfast", "crf": str(crf), "x264-params": "log-level=none"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", round(5 * RATE)
        for rgb in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return list(FrameReader(inspect_video(path)))


def checked(
    frames: list[Frame], sees: Callable[[Frame], bool] = lambda _frame: True
) -> tuple[list[FaceSample], list[Notice]]:
    """Samples as a tracker makes them, one per frame, masked by the checks."""
    checks = PictureChecks()
    samples = (
        FaceSample(frame.time, CROP if sees(frame) else None, UNSEEN, None, 1)
        for frame in checks.watched(frames)
    )
    return list(checks.masked(samples)), checks.notices


def as_frames(pictures: list[ImageArray]) -> list[Frame]:
    return [Frame(index, index / RATE, Picture(rgb)) for index, rgb in enumerate(pictures)]


def masked_times(samples: list[FaceSample]) -> list[float]:
    return [sample.time for sample in samples if sample.crop is None]


@pytest.mark.parametrize("crf", [18, 28])
def test_V18_a_frozen_camera_is_masked_within_a_second(tmp_path: Path, crf: int) -> None:
    alive = list(swaying(16))
    pictures = alive[:16] + [alive[15]] * round(30 * RATE) + alive[16:]
    samples, notices = checked(encoded(tmp_path / "a.mp4", pictures, crf))
    assert len(samples) == len(pictures)
    (notice,) = notices
    assert (notice.code, notice.modality) == ("W_FROZEN", "face")
    assert "froze" in notice.sentence
    assert (notice.start, notice.end) == (pytest.approx(8, abs=1), pytest.approx(38, abs=1))
    times = masked_times(samples)
    assert (times[0], times[-1]) == (notice.start, notice.end)
    assert len(times) == round((times[-1] - times[0]) * RATE) + 1


@pytest.mark.parametrize(("crf", "pixels"), [(23, 2.0), (35, 2.0), (23, 1.0)])
def test_V18_a_person_who_hardly_moves_is_not_frozen(
    tmp_path: Path, crf: int, pixels: float
) -> None:
    samples, notices = checked(encoded(tmp_path / "a.mp4", list(swaying(30, pixels)), crf))
    assert notices == []
    assert masked_times(samples) == []


def test_V18_a_short_stop_is_no_freeze() -> None:
    alive = list(swaying(8))
    samples, notices = checked(as_frames(alive + [alive[-1]] * round(8 * RATE) + alive))
    assert notices == []
    assert masked_times(samples) == []


def test_V18_a_real_face_is_never_frozen(real_data: Path) -> None:
    reader = FrameReader(inspect_video(real_data / "faces" / "WolfgangLanger_Pexels.mp4"), rate=4.0)
    frames = list(reader)
    assert frames[-1].time > 19
    assert checked(frames)[1] == []


def test_V18_a_real_face_that_freezes_is_masked(real_data: Path) -> None:
    reader = FrameReader(inspect_video(real_data / "faces" / "WolfgangLanger_Pexels.mp4"), rate=4.0)
    frames = list(reader)
    held = [
        replace(frame, picture=frames[40].picture if frame.time > 5 else frame.picture)
        for frame in frames
    ]
    (notice,) = checked(held)[1]
    assert (notice.start, notice.end) == (pytest.approx(5, abs=0.3), held[-1].time)


@pytest.mark.parametrize(
    ("level", "what"), [(0, "black"), (16, "lens cap"), (128, "grey"), (252, "white")]
)
def test_V19_an_empty_picture_is_masked(tmp_path: Path, level: int, what: str) -> None:
    alive = list(swaying(6))
    pictures = alive + flat(7, level) + alive
    samples, notices = checked(encoded(tmp_path / "a.mp4", pictures))
    (notice,) = notices
    assert notice.code == "W_NO_PICTURE", what
    assert (notice.start, notice.end) == (pytest.approx(6, abs=1), pytest.approx(13, abs=1))
    assert masked_times(samples)[0] == notice.start


def test_V19_a_clock_in_a_black_picture_is_no_picture() -> None:
    black = flat(1, 3)[0]
    black[4:14, 4:70] = 255
    assert shows_nothing(cell_levels(black))
    assert not shows_nothing(cell_levels(next(swaying(1))))


@pytest.mark.parametrize(("height", "width"), [(240, 320), (250, 334), (30, 20)])
def test_cells_hold_the_mean_luminance_of_either_range(height: int, width: int) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    rows, columns = min(36, height), min(64, width)
    tall, wide = height // rows, width // columns
    kept = grey[: rows * tall, : columns * wide].astype(float)
    expected = kept.reshape(rows, tall, columns, wide).mean(axis=(1, 3))
    even = np.full((height // 2, width // 2), 128, np.uint8)
    full = Planes(grey, even, even, matrix=1, color_range=2)
    limited = Planes(grey, even, even, matrix=1, color_range=1)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_allclose(cell_levels(rgb), expected, atol=1e-4)
    np.testing.assert_allclose(cell_levels(Picture(full)), expected, atol=1e-4)
    np.testing.assert_allclose(
        cell_levels(Picture(limited)), (expected - 16) * 255 / 219, atol=1e-4
    )


def test_the_largest_cells_do_not_overflow() -> None:
    white = np.full((8192, 64), 255, np.uint8)
    even = np.full((4096, 32), 128, np.uint8)
    levels = cell_levels(Picture(Planes(white, even, even, matrix=1, color_range=2)))
    assert (levels == 255).all()


def test_V19_a_test_card_is_told_and_never_scored(tmp_path: Path) -> None:
    alive = list(swaying(6))
    pictures = alive + test_card(20) + alive
    frames = encoded(tmp_path / "a.mp4", pictures)
    samples, (notice,) = checked(frames, lambda frame: not 6 <= frame.time < 26)
    assert notice.code == "W_FROZEN"
    assert "Nothing moves" in notice.sentence
    assert (notice.start, notice.end) == (pytest.approx(6, abs=1), pytest.approx(26, abs=1))
    assert masked_times(samples)[0] == notice.start


def test_samples_wait_only_while_the_picture_stands_still() -> None:
    alive = as_frames(list(swaying(10)))
    checks = PictureChecks()
    ahead = []

    def track(frames: Iterator[Frame]) -> Iterator[FaceSample]:
        for frame in frames:
            ahead.append(frame.time)
            yield FaceSample(frame.time, CROP, UNSEEN, None, 1)

    waits = [ahead[-1] - sample.time for sample in checks.masked(track(checks.watched(alive)))]
    assert max(waits) <= 3.0


def test_V18_a_frozen_camera_gives_no_face_rows(tmp_path: Path) -> None:
    try:
        face_model()
    except ModelError as error:
        pytest.skip(f"no face model on this machine: {error}")
    alive = list(swaying(8))
    encoded(tmp_path / "a.mp4", alive + [alive[-1]] * round(14 * RATE))
    recording = Recording("P01", "frozen", False, video=inspect_video(tmp_path / "a.mp4"))
    stream = WindowStream(
        recording=recording,
        body=analyse_body(recording),
        preprocessing=Preprocessing(),
        face_model=face_model,
        settings=StreamSettings(rate=2.0),
    )
    batches = list(stream)
    times = np.concatenate([batch.times for batch in batches])
    present = np.concatenate([batch.present["face"] for batch in batches])
    assert present[times < 7].mean() > 0.9
    assert not present[times > 9].any()
    assert [notice.code for notice in stream.notices] == ["W_FROZEN"]
