"""Video: true time stamps, orientation, and every way in which a file can be broken.

Each picture carries its own time as a barcode: an independent witness of a frame's time.
"""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import threading
import wave
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io import video, video_process
from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.video_clock import Clock
from affectscope.picture import ImageArray
from affectscope.records import Frame

WIDTH, HEIGHT, BITS = 160, 120, 16
TICKS = 90_000
TEXTURE = np.kron(
    np.random.default_rng(0).integers(40, 200, (HEIGHT // 8, WIDTH // 8, 3)), np.ones((8, 8, 1))
).astype(np.uint8)
SECONDS_2 = np.arange(60) / 30


def picture(time: float) -> ImageArray:
    """A moving texture whose upper 24 rows hold the time in ms, one bit per 10 columns."""
    rgb = np.roll(TEXTURE, round(time * 60), axis=1)
    bits = (round(time * 1000) >> np.arange(BITS)) & 1
    rgb[:24] = np.repeat(bits * 200 + 20, WIDTH // BITS)[None, :, None]
    return rgb


def barcode(rgb: ImageArray) -> float:
    """The time in seconds that a picture carries."""
    columns = rgb[4:20].mean(axis=(0, 2)).reshape(BITS, -1).mean(axis=1)
    return float((columns > 120) @ (1 << np.arange(BITS))) / 1000


def write_video(
    path: Path,
    times: NDArray[np.float64],
    *,
    offset: float = 0.0,
    pictures: list[ImageArray] | None = None,
    movflags: str | None = None,
    codec: str = "libx264",
    b_frames: int = 0,
) -> Path:
    """Encode one picture per time; the time stamps are ``offset`` + time."""
    shown = pictures if pictures is not None else [picture(time) for time in times]
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        h264 = {"preset": "veryfast" if b_frames else "ultrafast", "x264-params": "log-level=none"}
        stream = container.add_stream(codec, rate=30, options=h264 if codec == "libx264" else {})
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "yuvj420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.gop_size = 15
        stream.codec_context.max_b_frames = b_frames
        for time, rgb in zip(times, shown, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = round((offset + time) * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path, *, rate: float | None = None) -> tuple[list[Frame], FrameReader]:
    reader = FrameReader(inspect_video(path), rate=rate)
    return list(reader), reader


def codes(reader: FrameReader) -> list[str]:
    return [notice.code for notice in reader.notices]


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        inspect_video(path)
    return caught.value


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    shorter = path.with_name(f"cut_{share}_{path.name}")
    shorter.write_bytes(data[: int(len(data) * share)])
    return shorter


# --- whole files


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_every_frame_comes_with_the_time_that_it_carries(tmp_path: Path, name: str) -> None:
    # MPEG-TS has no edit list, so B-frames would shift its time stamps by their delay.
    path = write_video(tmp_path / name, SECONDS_2, b_frames=0 if name == "a.ts" else 2)
    track = inspect_video(path)
    frames, reader = read(path)
    assert (track.width, track.height, track.codec) == (WIDTH, HEIGHT, "h264")
    assert track.frame_rate == pytest.approx(30, rel=0.02)
    assert track.duration == pytest.approx(2.0, abs=0.034)
    assert [frame.index for frame in frames] == list(range(60))
    np.testing.assert_allclose([barcode(f.rgb) for f in frames], SECONDS_2, atol=0.0006)
    np.testing.assert_allclose([frame.time for frame in frames], SECONDS_2, atol=0.001)
    assert reader.notices == ()
    assert reader.damaged_spans == ()
    assert reader.frames_read == 60
    assert reader.last_time == frames[-1].time


def test_a_second_pass_gives_the_same(tmp_path: Path) -> None:
    reader = FrameReader(inspect_video(write_video(tmp_path / "a.mp4", SECONDS_2[:10])))
    first, second = list(reader), list(reader)
    assert reader.frames_read == 10
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, second, strict=True))


def test_thinning_takes_the_frame_nearest_to_each_grid_point(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.017, 0.09, 60)).round(3)
    path = write_video(tmp_path / "a.mp4", times)
    frames, reader = read(path, rate=5.0)
    position = (times - times[0]) * 5
    cell = np.floor(position + 0.5)
    nearest = [times[cell == c][np.argmin(abs(position - c)[cell == c])] for c in np.unique(cell)]
    np.testing.assert_allclose([frame.time for frame in frames], nearest, atol=1e-6)
    np.testing.assert_allclose([barcode(frame.rgb) for frame in frames], nearest, atol=0.0006)
    assert reader.frames_read == 60


def test_thinning_follows_a_given_origin(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2)
    times = [frame.time for frame in FrameReader(inspect_video(path), rate=5.0, origin=0.1)]
    np.testing.assert_allclose(times, 0.1 + np.arange(10) / 5, atol=1e-6)  # the grid's own frames


def test_a_rate_above_the_videos_changes_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2[:20])
    frames, _ = read(path, rate=100.0)
    assert [frame.index for frame in frames] == list(range(20))


def test_real_clips_are_read_without_a_notice(real_data: Path) -> None:
    counts = {}
    for name in ("single_face.mp4", "no_face.mp4"):
        frames = FrameReader(inspect_video(real_data / "faces" / name))
        counts[name] = sum(1 for _ in frames)
        assert frames.notices == ()
    assert counts == {"single_face.mp4": 72, "no_face.mp4": 95}


# --- cuts


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_V01_mp4_cut_before_its_index(tmp_path: Path, share: float) -> None:
    error = refusal(cut(write_video(tmp_path / "a.mp4", SECONDS_2), share))
    assert error.code == "E_VIDEO_NO_INDEX"
    assert "stopped hard" in error.sentence
    assert "record fragmented" in error.remedy


@pytest.mark.parametrize("movflags", ["+faststart", "+frag_keyframe+empty_moov"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_V02_mp4_cut_behind_its_index(tmp_path: Path, movflags: str, share: float) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2, movflags=movflags)
    shorter = cut(path, share)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size and p.pos is not None]
    whole = sum(p.pos + p.size <= shorter.stat().st_size for p in packets)
    frames, reader = read(shorter)
    assert 0 < whole < 60
    np.testing.assert_allclose([barcode(f.rgb) for f in frames], SECONDS_2[:whole], atol=0.0006)
    assert codes(reader) == ["W_VIDEO_TRUNCATED"]
    assert reader.notices[0].modality == "face"
    assert reader.notices[0].start == frames[-1].time == reader.last_time


def test_V03_every_cut_mkv_is_flagged(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", SECONDS_2)
    for share in np.linspace(0.1, 0.97, 12):
        shorter = cut(path, float(share))
        frames, reader = read(shorter)
        assert 0 < len(frames) < 60
        assert codes(reader) == ["W_VIDEO_TRUNCATED"], share
        assert reader.notices[0].start == frames[-1].time
        assert reader.notices[0].end == pytest.approx(2.0, abs=0.05)


# --- damage


@pytest.mark.parametrize("b_frames", [0, 2])
def test_V04_damaged_spans_are_never_yielded(tmp_path: Path, b_frames: int) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2, movflags="+faststart", b_frames=b_frames)
    clean = {frame.time: frame.rgb.astype(int) for frame in read(path)[0]}
    data = path.read_bytes()
    # The noise must hit a picture, not the text in which x264 describes itself.
    start = data.index(b"mdat") + 1000
    chance = random.Random(4)
    for _ in range(8):
        broken = bytearray(data)
        position = chance.randrange(start, len(data) - 600)
        broken[position : position + 512] = chance.randbytes(512)
        path.write_bytes(broken)
        frames, reader = read(path)
        assert "W_VIDEO_DAMAGED" in codes(reader)
        assert reader.damaged_spans
        missing = set(clean) - {frame.time for frame in frames}
        for frame in frames:
            assert abs(frame.rgb - clean[frame.time]).mean() < 1.0, frame.time
        for time in missing:
            assert any(a <= time <= b for a, b in reader.damaged_spans)


def test_V04_decoding_goes_on_at_the_next_key_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2, movflags="+faststart")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        hurt = packets[20]
        data = bytearray(path.read_bytes())
        data[hurt.pos : hurt.pos + hurt.size] = bytes(hurt.size)
    path.write_bytes(data)
    frames, reader = read(path)
    assert [frame.index for frame in frames][:20] == list(range(20))
    np.testing.assert_allclose([barcode(f.rgb) for f in frames[20:]], SECONDS_2[30:], atol=0.0006)
    (span,) = reader.damaged_spans
    assert span == (pytest.approx(20 / 30), pytest.approx(1.0))
    assert (reader.notices[0].start, reader.notices[0].end) == span


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_mutated_files_end_in_frames_or_in_a_typed_error(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, SECONDS_2[:20])
    data = path.read_bytes()
    chance = random.Random(7)
    for _ in range(25):
        broken = bytearray(data[: chance.randrange(1, len(data) + 1)])
        for _ in range(chance.choice([0, 1, 8, 64])):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            frames, _ = read(path)
        except InputError:
            continue
        assert all(frame.rgb.dtype == np.uint8 and frame.rgb.ndim == 3 for frame in frames)


# --- time


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_V05_variable_frame_rate(tmp_path: Path, name: str) -> None:
    chance = np.random.default_rng(5)
    steps = 1 / chance.uniform(5, 60, 60)
    steps[[11, 30]] = 0.7  # dropped frames
    times = np.cumsum(steps).round(3)
    pictures = [picture(time) for time in times]
    pictures[41] = pictures[40]  # a camera that repeats a picture
    frames, reader = read(write_video(tmp_path / name, times, pictures=pictures, b_frames=2))
    assert len(frames) == 60
    seen = np.array([barcode(frame.rgb) for frame in frames])
    error = abs(seen - [frame.time for frame in frames])
    assert np.delete(error, 41).max() <= 0.001
    assert reader.notices == ()


def test_V06_restarted_clock(tmp_path: Path) -> None:
    first = write_video(tmp_path / "1.ts", SECONDS_2, offset=5.0)
    both = tmp_path / "both.ts"
    # The second run's stamps start again at zero; its barcodes do not.
    second = write_video(
        tmp_path / "2.ts", SECONDS_2, pictures=[picture(time + 10) for time in SECONDS_2]
    )
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames, reader = read(both)
    seen = np.array([barcode(frame.rgb) for frame in frames])
    times = np.array([frame.time for frame in frames])
    assert len(frames) >= 110  # the joint itself is damage
    assert (np.diff(seen) > 0).all(), "order kept"
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times[seen < 10], seen[seen < 10] + 5, atol=0.001)
    np.testing.assert_allclose(times[seen >= 10] - seen[seen >= 10], -3.0, atol=0.002)
    (notice,) = [n for n in reader.notices if n.code == "W_TIME_RESET"]
    assert notice.start == pytest.approx(7.0, abs=0.04)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e5)), max_size=40), st.floats(-1e4, 1e4))
def test_V06_session_time_never_goes_back(stamps: list[float | None], offset: float) -> None:
    clock = Clock(offset, 0.04)
    times = [clock.time(stamp) for stamp in stamps]
    assert all(a <= b for a, b in pairwise(times))


@given(st.lists(st.floats(0, 1e5), unique=True, max_size=40), st.floats(-1e4, 1e4))
def test_rising_stamps_are_taken_as_they_are(stamps: list[float], offset: float) -> None:
    clock = Clock(offset, 0.04)
    expected = [offset + stamp for stamp in sorted(stamps)]
    assume(len(set(expected)) == len(expected))  # two stamps may round to one sum
    assert [clock.time(stamp) for stamp in sorted(stamps)] == expected
    assert clock.resets == []


def test_V06_repeated_stamps_keep_their_time() -> None:
    clock = Clock(0.0, 0.04)
    stamps = [0.0, 0.04, 0.04, 0.02, 0.12, 0.16]
    assert [clock.time(stamp) for stamp in stamps] == [0.0, 0.04, 0.04, 0.04, 0.12, 0.16]
    assert clock.resets == [0.04, 0.04]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_V07_start_offset_and_clock_offset(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, SECONDS_2, offset=2.5, b_frames=2)
    track = inspect_video(path, clock_offset=10.0)
    frames = list(FrameReader(track))
    assert track.start_time == pytest.approx(12.5, abs=0.001)
    assert track.duration == pytest.approx(2.0, abs=0.034)
    np.testing.assert_allclose([frame.time for frame in frames], 12.5 + SECONDS_2, atol=0.001)
    np.testing.assert_allclose([barcode(frame.rgb) for frame in frames], SECONDS_2, atol=0.0006)


# --- orientation

ONE = 1 << 16
ORIENTATIONS = {
    # name: (a, b, c, d) of the track header, and how the upright picture lies in the file
    "90 clockwise": ((0, ONE, -ONE, 0), lambda rgb: np.rot90(rgb, 1)),
    "180": ((-ONE, 0, 0, -ONE), lambda rgb: np.rot90(rgb, 2)),
    "270 clockwise": ((0, -ONE, ONE, 0), lambda rgb: np.rot90(rgb, -1)),
    "mirrored": ((-ONE, 0, 0, ONE), lambda rgb: rgb[:, ::-1]),
    "upside down mirrored": ((ONE, 0, 0, -ONE), lambda rgb: rgb[::-1]),
    "transposed": ((0, ONE, ONE, 0), lambda rgb: rgb.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_V08_rotated_and_mirrored(tmp_path: Path, name: str) -> None:
    matrix, stored = ORIENTATIONS[name]
    upright = [picture(time) for time in SECONDS_2[:5]]
    path = write_video(
        tmp_path / "a.mp4",
        SECONDS_2[:5],
        pictures=[np.ascontiguousarray(stored(rgb)) for rgb in upright],
    )
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the matrix of a version 0 track header
    a, b, c, d = matrix
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    track = inspect_video(path)
    frames, _ = read(path)
    assert (track.width, track.height) == (WIDTH, HEIGHT)
    for frame, rgb in zip(frames, upright, strict=True):
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
        assert abs(frame.rgb.astype(int) - rgb).mean() < 12  # lossy coding
        assert barcode(frame.rgb) == pytest.approx(barcode(rgb))


# --- not a video that can be read


@pytest.mark.parametrize("fourcc", [b"encv", b"zzzz"])
def test_V11_codec_that_cannot_be_decoded(tmp_path: Path, fourcc: bytes) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2[:5])
    path.write_bytes(path.read_bytes().replace(b"avc1", fourcc))
    error = refusal(path)
    assert error.code == "E_VIDEO_CODEC"
    assert fourcc.decode() in error.sentence


def write_sound(path: Path, *, with_video: bool = False) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30) if with_video else None
        sound = container.add_stream("aac", rate=44100)
        if video is not None:
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.options = {"preset": "ultrafast", "x264-params": "log-level=none"}
            for time in SECONDS_2:
                rgb = picture(time)
                container.mux(video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            container.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, 88200), np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def test_V20_sound_alone(tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    with wave.open(str(wav), "wb") as stream:
        stream.setparams((1, 2, 8000, 0, "NONE", ""))
        stream.writeframes(bytes(16000))
    for path in (wav, write_sound(tmp_path / "a.mp4"), write_sound(tmp_path / "a.mkv")):
        error = refusal(path)
        assert error.code == "E_VIDEO_NO_STREAM"
        assert path.name in error.sentence


def test_V21_video_with_and_without_sound(tmp_path: Path) -> None:
    without, _ = read(write_video(tmp_path / "a.mp4", SECONDS_2))
    beside, reader = read(write_sound(tmp_path / "b.mp4", with_video=True))
    assert [frame.time for frame in without] == pytest.approx([frame.time for frame in beside])
    assert reader.notices == ()


def test_V22_empty_and_header_only(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", SECONDS_2[:5]).read_bytes()
    parts = write_video(
        tmp_path / "b.mp4", SECONDS_2[:5], movflags="+frag_keyframe+empty_moov"
    ).read_bytes()
    mkv = write_video(tmp_path / "c.mkv", SECONDS_2[:5]).read_bytes()
    contents = {
        "nothing": b"",
        "one byte": b"\x00",
        "ftyp": whole[: whole.index(b"ftyp") + 28],
        "an empty mdat": whole[: whole.index(b"mdat") + 4],
        "moov without frames": parts[: parts.index(b"moof") - 4],
        "mkv without clusters": mkv[: mkv.index(b"\x1f\x43\xb6\x75")],
    }
    for name, content in contents.items():
        path = tmp_path / "header.mp4"
        path.write_bytes(content)
        assert refusal(path).code == "E_FILE_EMPTY", name


def test_V22_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.mp4").code == "E_FILE_MISSING"
    assert refusal(tmp_path).code == "E_FILE_MISSING"


def test_V23_content_decides_not_the_name(tmp_path: Path) -> None:
    mp4 = write_video(tmp_path / "a.mp4", SECONDS_2[:5]).read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("a.txt", "text" * 100)
    page = b"<!DOCTYPE html>\n<html><body>" + b"x" * 500
    foreign = {
        "web page": page,
        "ZIP": archive.getvalue() + bytes(300),
        "PDF": b"%PDF-1.7\n" + bytes(300),
        "JPEG": b"\xff\xd8\xff\xe0" + bytes(300),
        "playlist": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n",
        "nothing known": b"just some words " * 40,
    }
    path = tmp_path / "wrong.mp4"
    for name, content in foreign.items():
        path.write_bytes(content)
        error = refusal(path)
        assert error.code == "E_TYPE_MISMATCH", name
        assert name in error.sentence
    path.write_bytes(page + mp4)
    assert refusal(path).code == "E_TYPE_MISMATCH"
    for name in ("right.txt", "right.avi", "right"):
        (tmp_path / name).write_bytes(mp4 + archive.getvalue())  # an MP4 with a ZIP behind it
        assert len(read(tmp_path / name)[0]) == 5


@pytest.mark.parametrize("side", [65535, 9000])
def test_V24_pixel_flood(tmp_path: Path, side: int) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2[:3], codec="mjpeg")
    data = path.read_bytes()
    harmless = tmp_path / "harmless.mp4"
    harmless.write_bytes(data)
    # Sample description (width, height) and the JPEG header of each picture (height, width).
    for sizes in ((WIDTH, HEIGHT), (HEIGHT, WIDTH)):
        data = data.replace(struct.pack(">HH", *sizes), struct.pack(">HH", side, side))
    path.write_bytes(data)
    script = (
        "import resource, sys; from pathlib import Path; import av\n"
        "from affectscope.errors import InputError; from affectscope.io.video import *\n"
        "from affectscope.io.video_process import _waiting\n"
        "codes = []\n"
        "for path in sys.argv[1:]:\n"
        "    try: list(FrameReader(inspect_video(Path(path))))\n"
        "    except InputError as error: codes.append(error.code)\n"
        "    _waiting.end()\n"  # so that its peak counts among the children's
        "    peak = lambda who: resource.getrusage(who).ru_maxrss // 1024\n"
        "    print(peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN))\n"
        "print(*codes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(harmless), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    *peaks, code = done.stdout.splitlines()
    before, after = ([int(peak) for peak in line.split()] for line in peaks)
    assert code == "E_VIDEO_DAMAGED"
    assert all(b - a <= 64 for a, b in zip(before, after, strict=True))
    assert done.stderr == ""


def test_V24_ten_thousand_frames_per_second(tmp_path: Path) -> None:
    error = refusal(write_video(tmp_path / "a.mp4", np.arange(50) / 10_000))
    assert error.code == "E_VIDEO_DAMAGED"
    assert "frames per second" in error.sentence


def test_V25_mp4_header_states_ten_hours(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SECONDS_2)
    data = bytearray(path.read_bytes())
    hours = 36_000
    for box, timescale, duration in ((b"mvhd", 16, 20), (b"mdhd", 16, 20), (b"tkhd", None, 24)):
        place = data.index(box)
        scale = 1000 if timescale is None else int.from_bytes(data[place + 16 : place + 20])
        stated = min(hours * scale, 2**32 - 1)
        data[place + duration : place + duration + 4] = stated.to_bytes(4)
    path.write_bytes(data)
    frames, reader = read(path)
    assert inspect_video(path).duration == pytest.approx(2.0, abs=0.04)
    assert len(frames) == 60
    assert reader.last_time == pytest.approx(59 / 30)


def test_V25_mkv_header_states_ten_hours(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", SECONDS_2)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3  # Segment Info, Duration, 8 bytes
    assert struct.unpack(">d", data[place : place + 8])[0] == pytest.approx(2000)
    data[place : place + 8] = struct.pack(">d", 36_000_000.0)
    data = data.replace(b"00:00:02.0", b"10:00:00.0")
    path.write_bytes(data)
    frames, reader = read(path)
    assert inspect_video(path).duration == pytest.approx(2.0, abs=0.04)
    assert len(frames) == 60
    assert codes(reader) == ["W_VIDEO_TRUNCATED"]
    assert reader.last_time == pytest.approx(1.967)


# --- a file that somebody still writes


@pytest.mark.parametrize("stops", [True, False])
def test_V28_a_growing_file_is_waited_for_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    path = write_video(tmp_path / "a.mkv", SECONDS_2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    ended, waits = threading.Event(), []

    def write_on() -> None:
        with path.open("ab", buffering=0) as stream:
            while not ended.wait(0.001):
                stream.write(b"\0")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        video_process._waiting.end()  # inspecting then takes long enough to see the file grow
        if stops and len(waits) == 2:
            ended.set()
            writer.join()
            path.write_bytes(content)

    monkeypatch.setattr(video, "time", SimpleNamespace(sleep=sleep))
    video_process._waiting.end()
    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        if stops:
            assert inspect_video(path).duration == pytest.approx(2.0, abs=0.034)
        else:
            monkeypatch.setattr(video, "SETTLING_TRIES", 3)
            error = refusal(path)
            assert error.code == "E_INPUT_CHANGED"
            assert "ended" in error.remedy
    finally:
        ended.set()
        writer.join()
    assert len(waits) == (2 if stops else 3)


@pytest.mark.parametrize("change", ["append", "unlink", "truncate"])
def test_V28_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, change: str) -> None:
    path = write_video(tmp_path / "a.mkv", SECONDS_2)
    clean = {frame.time: frame.rgb.astype(int) for frame in read(path)[0]}
    seen = []

    def watched() -> Iterator[Frame]:
        for frame in FrameReader(inspect_video(path)):
            if frame.index == 5 and change == "append":
                path.write_bytes(path.read_bytes() + b"more")
            elif frame.index == 5 and change == "unlink":
                path.unlink()
            elif frame.index == 5:
                os.truncate(path, path.stat().st_size // 2)
            seen.append(frame)
            yield frame

    with pytest.raises(InputError) as caught:
        list(watched())
    assert caught.value.code == "E_INPUT_CHANGED"
    for frame in seen:  # no torn frame
        assert abs(frame.rgb - clean[frame.time]).mean() < 1.0


def test_no_stated_duration(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    data = write_video(path, SECONDS_2).read_bytes()
    place = data.index(b"\x44\x89\x88")
    # The element becomes padding (EBML Void), and the tag loses its name.
    data = data[:place] + b"\xec\x89" + bytes(9) + data[place + 11 :]
    data = data.replace(b"\xbf\x84", b"\xec\x84")  # neither are there check sums to contradict
    path.write_bytes(data.replace(b"DURATION", b"DURATIOX"))
    frames, reader = read(path)
    assert inspect_video(path).duration == 0.0
    assert len(frames) == 60
    assert reader.notices == ()


def test_V26_a_slow_matroska_video_ends_where_its_header_says(tmp_path: Path) -> None:
    """One picture a second: libav then guesses a start behind the first picture."""
    pictures = [np.full((HEIGHT, WIDTH, 3), 40 + second // 10, np.uint8) for second in range(60)]
    path = tmp_path / "slow.mkv"
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x264-params": "log-level=none"}
        stream = container.add_stream("libx264", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for second, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = second, Fraction(1, 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames, reader = read(path)
    assert [frame.time for frame in frames] == list(range(60))
    assert reader.notices == ()
