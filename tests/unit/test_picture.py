"""Pictures made of a decoder's planes: every part has the values that libav's conversion gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import SPARE_BYTES, ImageArray, Picture, Planes

HEIGHT, WIDTH = 62, 94
MATRICES = (1, 2, 5, 6, 9)
"""BT.709, unstated, BT.601 twice, BT.2020."""
RANGES = (0, 1, 2)


def content(seed: int = 0) -> ImageArray:
    """Noise of all values for the three planes."""
    size = HEIGHT * WIDTH * 3 // 2
    noise = np.random.default_rng(seed).integers(0, 256, size + SPARE_BYTES, dtype=np.uint8)
    return noise[:size]


def planes(matrix: int, color_range: int, seed: int = 0) -> Planes:
    return Planes.of_bytes(content(seed), (HEIGHT, WIDTH), matrix=matrix, color_range=color_range)


def converted(matrix: int, color_range: int, seed: int = 0) -> ImageArray:
    """The same as libav makes it in one piece."""
    stacked = content(seed).reshape(HEIGHT * 3 // 2, WIDTH)
    frame = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
    frame.colorspace, frame.color_range = matrix, color_range
    return np.asarray(frame.to_ndarray(format="rgb24"))


@pytest.mark.parametrize("color_range", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_planes_become_what_libav_makes_of_the_whole(matrix: int, color_range: int) -> None:
    picture = Picture(planes(matrix, color_range))
    expected = converted(matrix, color_range)
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(picture.rgb, expected)
    assert picture.rgb is picture.rgb, "made once"


@pytest.mark.parametrize("color_range", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_a_region_has_the_pixels_of_the_whole(matrix: int, color_range: int) -> None:
    whole = converted(matrix, color_range)
    chance = np.random.default_rng(matrix)
    boxes = [(0, 0, WIDTH, HEIGHT), (1, 1, 2, 2), (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
             (0, 3, 17, HEIGHT), (5, 0, WIDTH, 9), (33, 20, 34, 40)]  # fmt: skip
    for _ in range(40):
        left, right = sorted(chance.choice(WIDTH + 1, 2, replace=False))
        top, bottom = sorted(chance.choice(HEIGHT + 1, 2, replace=False))
        boxes.append((int(left), int(top), int(right), int(bottom)))
    picture = Picture(planes(matrix, color_range))
    for left, top, right, bottom in boxes:
        part = picture.region(left, top, right, bottom)
        np.testing.assert_array_equal(part, whole[top:bottom, left:right])


def test_a_region_of_rgb_is_a_part_of_it() -> None:
    rgb = converted(1, 1)
    np.testing.assert_array_equal(Picture(rgb).region(3, 5, 40, 31), rgb[5:31, 3:40])


def test_the_luminance_of_planes_is_not_copied() -> None:
    given = planes(1, 1)
    assert Picture(given).luminance is given.y
    grey = np.repeat(given.y[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(Picture(grey).luminance, given.y)


def test_threads_convert_side_by_side() -> None:
    expected = [converted(1, 1, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        shown = list(pool.map(lambda seed: Picture(planes(1, 1, seed)).rgb, range(8)))
    for one, other in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def written(path: Path, pixel_format: str, *, size: tuple[int, int] = (96, 64)) -> Path:
    """Twelve pictures of moving noise, with B frames."""
    chance = np.random.default_rng(2)
    base = np.kron(chance.integers(0, 256, (size[1] // 4, size[0] // 4, 3)), np.ones((4, 4, 1)))
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "x264-params": "log-level=none"}
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        for index in range(12):
            rgb = np.roll(base, 3 * index, axis=1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def by_libav(path: Path, count: int) -> list[ImageArray]:
    """Pictures as PyAV converts them where they are decoded."""
    with av.open(str(path)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(count), strict=False)]
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in frames]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize("width", [96, 100])  # of 100 libav keeps longer lines
def test_frames_come_as_planes_and_show_the_same(
    tmp_path: Path, pixel_format: str, width: int
) -> None:
    path = written(tmp_path / "a.mp4", pixel_format, size=(width, 64))
    frames = list(FrameReader(inspect_video(path)))
    assert len(frames) == 12
    for frame, expected in zip(frames, by_libav(path, 12), strict=True):
        assert frame.picture.planes is not None
        np.testing.assert_array_equal(frame.picture.region(3, 1, 60, 33), expected[1:33, 3:60])
        np.testing.assert_array_equal(frame.rgb, expected)


def test_frames_of_a_real_clip_show_the_same(real_data: Path) -> None:
    path = real_data / "faces" / "single_face.mp4"
    expected = by_libav(path, 5)
    for frame, rgb in zip(FrameReader(inspect_video(path)), expected, strict=False):
        assert frame.picture.planes is not None
        np.testing.assert_array_equal(frame.rgb, rgb)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_other_formats_come_as_rgb(tmp_path: Path, pixel_format: str) -> None:
    path = written(tmp_path / "a.mp4", pixel_format)
    frames = list(FrameReader(inspect_video(path)))
    assert all(frame.picture.planes is None for frame in frames)
    np.testing.assert_array_equal(frames[5].rgb, by_libav(path, 6)[5])
