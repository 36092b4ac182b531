"""Colours, depth, range and pixel shape of what cameras write; high range and interlacing told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from affectscope.errors import ModelError
from affectscope.io.model_files import face_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.video_picture import Presentation
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetector
from affectscope.records import Notice

PORTRAIT = np.asarray(
    Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").resize(
        (320, 376)
    )
)
LUMA = {  # ITU-T H.273, table 4: K_R and K_B of each matrix
    1: (0.2126, 0.0722),  # BT.709
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    9: (0.2627, 0.0593),  # BT.2020
}
LIMITED, FULL = 1, 2
QUIET = {"preset": "ultrafast", "crf": "12", "x264-params": "log-level=none"}


def plane_values(codes: tuple[int, int, int], matrix: int, *, full: bool) -> NDArray[np.float64]:
    """RGB 0-255 of 8-bit Y, Cb, Cr by the equations of ITU-T H.273, 8.3."""
    red, blue = LUMA[matrix]
    scale = (255, 255) if full else (219, 224)
    y = (codes[0] - (0 if full else 16)) / scale[0]
    cb, cr = ((code - 128) / scale[1] for code in codes[1:])
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(255 * np.array([r, g, b]), 0, 255)


def plain(codes: tuple[int, int, int], pixel_format: str, side: int = 64) -> av.VideoFrame:
    """A picture of one colour."""
    frame = av.VideoFrame(side, side, pixel_format)
    deep = "10" in pixel_format
    for plane, code in zip(frame.planes, codes, strict=True):
        count = plane.buffer_size // (2 if deep else 1)
        plane.update(np.full(count, code * (4 if deep else 1), "<u2" if deep else "u1").tobytes())
    return frame


def shown(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The colour of a picture's middle."""
    return Presentation.of(frame, None).picture(frame).rgb[32, 32]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le"])
@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_V09_the_stated_matrix_and_range_are_applied(
    pixel_format: str, matrix: int, color_range: int
) -> None:
    for codes in ((100, 100, 170), (180, 120, 140), (60, 150, 110)):
        frame = plain(codes, pixel_format)
        frame.colorspace, frame.color_range = matrix, color_range
        expected = plane_values(codes, matrix, full=color_range == FULL)
        # swscale works in whole numbers; the two matrices lie up to 14 levels apart.
        np.testing.assert_allclose(shown(frame), expected, atol=3.5)


@pytest.mark.parametrize(("side", "matrix"), [(576, 6), (720, 1)])
def test_V09_an_unstated_matrix_follows_the_pictures_height(side: int, matrix: int) -> None:
    codes = (100, 100, 170)
    expected = plane_values(codes, matrix, full=False)
    np.testing.assert_allclose(shown(plain(codes, "yuv420p", side)), expected, atol=3.5)


def write_portrait(
    path: Path,
    codec: str = "libx264",
    *,
    pixel_format: str = "yuv420p",
    colours: dict[str, int] | None = None,
    options: dict[str, str] | None = None,
    pixel: Fraction | None = None,
    picture: ImageArray = PORTRAIT,
) -> Path:
    """A clip of three times the portrait."""
    quiet = {"preset": "ultrafast", "x265-params": "log-level=none:crf=12"}
    chosen = QUIET if codec == "libx264" else quiet
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={**chosen, **(options or {})})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = pixel_format
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for name, value in (colours or {}).items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path) -> tuple[ImageArray, list[Notice]]:
    """The last picture and all notices."""
    reader = FrameReader(inspect_video(path))
    frames = list(reader)
    assert len(frames) == 3
    return frames[-1].rgb, list(reader.notices)


TWINS = [
    ("libx265", "yuv420p10le"),
    ("libx265", "yuv422p10le"),
    ("libx264", "yuv422p"),
    ("libx264", "yuvj420p"),
]


@pytest.mark.parametrize(("codec", "pixel_format"), TWINS)
def test_V09_deep_and_wide_colours_give_the_landmarks_of_the_plain_twin(
    tmp_path: Path, codec: str, pixel_format: str
) -> None:
    try:
        model = face_model()
    except ModelError as error:
        pytest.skip(f"no face model on this machine: {error}")
    twin, _ = read(write_portrait(tmp_path / "twin.mp4"))
    rgb, notices = read(write_portrait(tmp_path / "deep.mp4", codec, pixel_format=pixel_format))
    with FaceDetector(model) as detector:
        (face,), (expected,) = detector.detect(rgb), detector.detect(twin)
    assert np.hypot(*(face.key_points - expected.key_points).T).max() <= 1.0
    assert abs(rgb.astype(int) - twin).mean() < 3
    assert notices == []


@pytest.mark.parametrize(
    ("transfer", "primaries", "named"), [(16, 9, "PQ"), (18, 9, "HLG"), (1, 9, "BT.2020")]
)
def test_V09_a_high_dynamic_range_is_told(
    tmp_path: Path, transfer: int, primaries: int, named: str
) -> None:
    colours = {"color_trc": transfer, "color_primaries": primaries, "colorspace": 9}
    path = write_portrait(
        tmp_path / "a.mp4", "libx265", pixel_format="yuv420p10le", colours=colours
    )
    (notice,) = read(path)[1]
    assert (notice.code, notice.modality) == ("W_HDR", "face")
    assert named in notice.sentence
    assert "tone mapping" in notice.sentence


def test_V10_interlaced_video_is_told(tmp_path: Path) -> None:
    options = {"x264-params": "log-level=none:interlaced=1:tff=1"}
    (notice,) = read(write_portrait(tmp_path / "a.mp4", options=options))[1]
    assert notice.code == "W_INTERLACED"


def test_V10_interlaced_video_is_converted_where_it_is_decoded(tmp_path: Path) -> None:
    """swscale converts its two fields each for itself, which planes do not tell."""
    options = {"x264-params": "log-level=none:interlaced=1:tff=1"}
    path = write_portrait(tmp_path / "a.mp4", options=options)
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        expected = first.to_ndarray(format="rgb24")
        assert first.interlaced_frame
    frame = next(iter(FrameReader(inspect_video(path))))
    assert frame.picture.planes is None
    np.testing.assert_array_equal(frame.rgb, expected)


@pytest.mark.parametrize("pixel", [Fraction(4, 3), Fraction(1, 2), Fraction(16, 11)])
def test_V10_pixels_become_square(tmp_path: Path, pixel: Fraction) -> None:
    narrow = Image.fromarray(PORTRAIT)
    size = (320, round(376 * pixel)) if pixel < 1 else (round(320 / pixel / 2) * 2, 376)
    squeezed = np.asarray(narrow.resize((size[0], size[1] // 2 * 2)))
    path = write_portrait(tmp_path / "a.mp4", pixel=pixel, picture=squeezed)
    track = inspect_video(path)
    rgb, notices = read(path)
    assert rgb.shape == (track.height, track.width, 3)
    assert (track.width, track.height) == (pytest.approx(320, abs=2), pytest.approx(376, abs=2))
    again = np.asarray(Image.fromarray(rgb).resize((320, 376)))
    assert abs(again.astype(int) - PORTRAIT).mean() < 7  # it was made smaller and larger again
    assert notices == []


def test_V10_an_impossible_pixel_shape_is_ignored(tmp_path: Path) -> None:
    path = write_portrait(tmp_path / "a.mp4", pixel=Fraction(1000, 1))
    assert read(path)[0].shape == PORTRAIT.shape
