"""The video of the session page: true times, any source, and a real browser that plays it."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from affectscope.errors import AffectScopeError
from affectscope.io.browser_video import write_browser_video
from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray
from affectscope.records import FloatArray

TICKS = 90_000
UNEVEN = 1.5 + np.cumsum(np.random.default_rng(3).uniform(0.034, 0.15, 40))
"""Times of a camera whose rate varies; none lies closer than a thirtieth of a second."""


def grey(index: int, width: int = 320, height: int = 240) -> ImageArray:
    """A picture whose level tells its number, from 0 to 43."""
    return np.full((height, width, 3), 20 + 5 * index, np.uint8)


def level(rgb: ImageArray) -> int:
    """The number that a picture's level tells."""
    return round((float(rgb.mean()) - 20) / 5)


def write(
    path: Path,
    times: FloatArray,
    picture: Callable[[int], ImageArray] = grey,
    *,
    codec: str = "libx264",
) -> Path:
    """One picture per time."""
    with av.open(str(path), "w") as container:
        quiet = {"preset": "ultrafast", "x264-params": "log-level=none"}
        stream = container.add_stream(codec, rate=30, options=quiet if codec == "libx264" else {})
        stream.height, stream.width = picture(0).shape[:2]
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "yuvj444p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 8, 0
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = round(float(time) * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def played(path: Path) -> tuple[FloatArray, list[ImageArray]]:
    """Times and pictures of what was written, which is checked to be what browsers play."""
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "Main", "yuv420p")
        assert context.width % 2 == context.height % 2 == 0
        frames = list(container.decode(stream))
        times = [float(frame.pts * frame.time_base) for frame in frames]
        return np.array(times), [frame.to_ndarray(format="rgb24") for frame in frames]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def refusal(source: Path, target: Path) -> AffectScopeError:
    with pytest.raises(AffectScopeError) as caught:
        write_browser_video(source, target)
    assert leftovers(target.parent) == []
    return caught.value


def test_every_picture_keeps_its_own_time(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mkv", UNEVEN)
    reached: list[float] = []
    done = write_browser_video(source, tmp_path / "out.mp4", on_time=reached.append)
    times, pictures = played(tmp_path / "out.mp4")
    own = np.array([frame.time for frame in FrameReader(inspect_video(source))])
    assert done.first_time == own[0] == pytest.approx(UNEVEN[0], abs=0.001)
    assert (done.width, done.height, done.frames) == (320, 240, len(UNEVEN))
    assert done.notices == ()
    np.testing.assert_allclose(done.first_time + times, own, atol=0.0001)
    assert [level(rgb) for rgb in pictures] == list(range(len(UNEVEN)))
    assert reached == list(own)
    assert leftovers(tmp_path) == []


def test_at_most_thirty_pictures_a_second_and_a_camera_may_be_uneven(tmp_path: Path) -> None:
    fast = write(tmp_path / "fast.mp4", np.arange(41) / 60)
    assert write_browser_video(fast, tmp_path / "out.mp4").frames == 21
    times, pictures = played(tmp_path / "out.mp4")
    np.testing.assert_allclose(times, np.arange(0, 41, 2) / 60, atol=0.0001)
    assert [level(rgb) for rgb in pictures] == list(range(0, 41, 2))

    jitter = np.random.default_rng(5).uniform(-0.012, 0.012, 40)
    jitter[20:22] = 0.02, 0.0  # 13 ms apart
    shaky = write(tmp_path / "shaky.mp4", 0.1 + np.arange(40) / 30 + jitter)
    assert write_browser_video(shaky, tmp_path / "out.mp4").frames == 40

    lying = write(tmp_path / "lying.mkv", np.concatenate([np.arange(30) / 200, [4.0, 8.0, 12.0]]))
    assert inspect_video(lying).frame_rate < 32  # as the file states, whatever it does
    assert write_browser_video(lying, tmp_path / "out.mp4").frames <= 5 + 1 + 3


def test_a_restarted_clock_goes_on_behind(tmp_path: Path) -> None:
    part = write(tmp_path / "a.ts", np.arange(40) / 20).read_bytes()
    (tmp_path / "both.ts").write_bytes(part + part)
    done = write_browser_video(tmp_path / "both.ts", tmp_path / "out.mp4")
    times, pictures = played(tmp_path / "out.mp4")
    assert "W_TIME_RESET" in [notice.code for notice in done.notices]
    shown = [level(rgb) for rgb in pictures]
    assert shown[:35] == list(range(35))
    assert shown[-30:] == list(range(10, 40))
    steps = np.diff(times)
    assert steps.min() > 0.02
    assert np.median(steps) == pytest.approx(0.05, abs=0.001)


def quarters(width: int, height: int) -> ImageArray:
    """Upright: red, green / blue, white."""
    rgb = np.zeros((height, width, 3), np.uint8)
    middle, half = height // 2, width // 2
    rgb[:middle, :half, 0] = rgb[:middle, half:, 1] = rgb[middle:, :half, 2] = 255
    rgb[middle:, half:] = 255
    return rgb


def corners(rgb: ImageArray) -> NDArray[np.float64]:
    """The middle of each quarter."""
    height, width = rgb.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array(
        [rgb[y - 2 : y + 2, x - 2 : x + 2].mean(axis=(0, 1)) for y in rows for x in columns]
    )


def test_a_phone_held_upright_is_shown_upright_and_small_enough(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(quarters(560, 1000)))
    source = write(tmp_path / "a.mp4", np.arange(3) / 30, lambda _: stored)
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the matrix of a version 0 track header: 90 clockwise
    one = 1 << 16
    data[place : place + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    source.write_bytes(data)
    done = write_browser_video(source, tmp_path / "out.mp4")
    assert (done.width, done.height) == (402, 720)
    _, pictures = played(tmp_path / "out.mp4")
    assert pictures[0].shape == (720, 402, 3)
    np.testing.assert_allclose(corners(pictures[0]), corners(quarters(560, 1000)), atol=12)


@pytest.mark.parametrize(
    ("stored", "shown"), [((97, 65), (96, 64)), ((3000, 500), (1280, 212)), ((60, 1500), (28, 720))]
)
def test_any_size_becomes_even_and_fits(
    tmp_path: Path, stored: tuple[int, int], shown: tuple[int, int]
) -> None:
    source = write(
        tmp_path / "a.mkv", np.arange(2) / 30, lambda _: quarters(*stored), codec="mjpeg"
    )
    done = write_browser_video(source, tmp_path / "out.mp4")
    assert (done.width, done.height) == shown
    _, pictures = played(tmp_path / "out.mp4")
    np.testing.assert_allclose(corners(pictures[0]), corners(quarters(*stored)), atol=20)


def test_of_a_cut_file_the_whole_part_is_written_or_the_reason_told(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mkv", UNEVEN).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: int(0.6 * len(whole))])
    done = write_browser_video(tmp_path / "cut.mkv", tmp_path / "out.mp4")
    times, pictures = played(tmp_path / "out.mp4")
    assert 5 < done.frames == len(times) < len(UNEVEN)
    assert [level(rgb) for rgb in pictures] == list(range(done.frames))
    np.testing.assert_allclose(done.first_time + times, UNEVEN[: done.frames], atol=0.001)
    assert "W_VIDEO_TRUNCATED" in [notice.code for notice in done.notices]

    whole = write(tmp_path / "a.mp4", UNEVEN).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(0.6 * len(whole))])
    assert refusal(tmp_path / "cut.mp4", tmp_path / "none.mp4").code == "E_VIDEO_NO_INDEX"
    assert not (tmp_path / "none.mp4").exists()


def with_broken_packet(source: Path, number: int) -> Path:
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = places[number]
    data = bytearray(source.read_bytes())
    whole = 7 * size // 8
    data[position + whole : position + size] = np.random.default_rng(1).bytes(size - whole)
    source.write_bytes(data)
    return source


def test_damage_in_the_middle_leaves_the_pictures_out_that_hang_on_it(tmp_path: Path) -> None:
    source = with_broken_packet(write(tmp_path / "a.mp4", UNEVEN, noisy), 12)
    done = write_browser_video(source, tmp_path / "out.mp4")
    times, _ = played(tmp_path / "out.mp4")
    left_out = [k for k, time in enumerate(UNEVEN) if abs(UNEVEN[0] + times - time).min() > 0.002]
    assert left_out == [12, 13, 14, 15]  # a key frame stands at every eighth
    assert [notice.code for notice in done.notices] == ["W_VIDEO_DAMAGED"]


def test_a_video_without_a_whole_picture_is_refused(tmp_path: Path) -> None:
    source = with_broken_packet(write(tmp_path / "a.mp4", UNEVEN[:7], noisy), 0)
    assert inspect_video(source).width == 160  # libav shows what it makes of it
    error = refusal(source, tmp_path / "out.mp4")
    assert error.code == "E_VIDEO_DAMAGED"
    assert "holds no picture" in error.sentence


def noisy(index: int) -> ImageArray:
    return np.random.default_rng(index).integers(0, 255, (120, 160, 3)).astype(np.uint8)


def test_V29_a_decoder_that_dies_on_the_way_costs_what_lies_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mkv", UNEVEN, lambda k: grey(k, 640, 480))
    killed: list[int] = []

    def kill_decoder(_time: float) -> None:
        if not killed:
            killed.extend(set(children()) - before)
            for process in killed:
                os.kill(process, signal.SIGKILL)

    before = set(children()) - set(children_that_decode())
    done = write_browser_video(source, tmp_path / "out.mp4", on_time=kill_decoder)
    assert len(killed) == 1
    times, _ = played(tmp_path / "out.mp4")
    assert 1 <= done.frames == len(times) < len(UNEVEN)
    (notice,) = done.notices
    assert notice.code == "E_DECODER_CRASH"
    assert "SIGKILL" in notice.sentence


def children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def children_that_decode() -> list[int]:
    """A decoder that waits for its next order belongs to what is looked at here."""
    return [
        pid for pid in children() if b"video_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "E_FILE_MISSING"),
        (b"", "E_FILE_EMPTY"),
        (b"<html>" + b"x" * 100, "E_TYPE_MISMATCH"),
        (b"\x1aE\xdf\xa3" + b"\x9f" * 400, "E_VIDEO_DAMAGED"),
    ],
)
def test_what_is_no_video_is_refused_and_nothing_written(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "out.mp4").write_bytes(b"the old one")
    assert refusal(tmp_path / "a.mp4", tmp_path / "out.mp4").code == code
    assert (tmp_path / "out.mp4").read_bytes() == b"the old one"


def test_time_stamps_that_no_recording_has_are_refused(tmp_path: Path) -> None:
    """An MP4 holds no step of more than 2^31 ticks, and libav would write another one instead."""
    source = write(tmp_path / "a.mkv", np.array([0.0, 0.1, 20_000, 20_000.1, 3e7]))
    error = refusal(source, tmp_path / "out.mp4")
    assert error.code == "E_VIDEO_DAMAGED"
    assert "'a.mkv' leaps from 20000.1 to 30000000.0 s" in error.sentence
    source = write(tmp_path / "a.mkv", np.array([0.0, 0.1, 20_000, 20_000.1]))
    write_browser_video(source, tmp_path / "out.mp4")
    assert played(tmp_path / "out.mp4")[0] == pytest.approx([0.0, 0.1, 20_000, 20_000.1])


def test_a_full_disk_or_a_missing_folder_is_told_and_the_old_file_stays(
    tmp_path: Path, disk_of: Callable[[int], AbstractContextManager[None]]
) -> None:
    source = write(tmp_path / "a.mkv", UNEVEN, noisy)
    target = tmp_path / "out" / "preview.mp4"
    assert refusal_of_folder(source, target) == "E_OUTPUT"
    target.parent.mkdir()
    target.write_bytes(b"the old one")
    with disk_of(100_000):
        error = refusal(source, target)
    assert error.code == "E_OUTPUT"
    assert target.read_bytes() == b"the old one"


def refusal_of_folder(source: Path, target: Path) -> str:
    with pytest.raises(AffectScopeError) as caught:
        write_browser_video(source, target)
    return caught.value.code


@pytest.mark.parametrize("name", ["no_face.mp4", "single_face.mp4"])
def test_real_recordings_keep_all_their_pictures(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    """A phone's, whose rate varies, and one at 30 pictures a second."""
    source = real_data / "faces" / name
    done = write_browser_video(source, tmp_path / "out.mp4")
    with av.open(str(source)) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None and not p.is_discard]
        own = [float(packet.pts * packet.time_base) for packet in packets]
    times, pictures = played(tmp_path / "out.mp4")
    assert done.frames == len(own)
    np.testing.assert_allclose(done.first_time + times, sorted(own), atol=0.001)
    first = next(iter(FrameReader(inspect_video(source)))).rgb
    assert first.shape == pictures[0].shape
    assert abs(first.astype(int) - pictures[0]).mean() < 6  # lossy coding


PLAY = """async ([content, places]) => {
  const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  const video = document.createElement('video');
  document.body.append(video);
  video.muted = true;
  const shown = () => new Promise(done => video.requestVideoFrameCallback((_, m) => done(m)));
  const ready = shown();
  video.src = URL.createObjectURL(new Blob([bytes], {type: 'video/mp4'}));
  await ready;
  const canvas = document.createElement('canvas').getContext('2d');
  const seen = [];
  for (const place of places) {
    const next = shown();
    video.currentTime = place;
    const {mediaTime} = await next;
    canvas.drawImage(video, 0, 0);
    seen.push([mediaTime, ...canvas.getImageData(20, 20, 1, 1).data.slice(0, 3)]);
  }
  video.currentTime = 0;
  await video.play();
  await new Promise(done => video.addEventListener('ended', done));
  return {seen, duration: video.duration, size: [video.videoWidth, video.videoHeight],
          state: video.readyState, end: video.currentTime, error: video.error};
}"""


def in_chromium(script: str, values: list[Any]) -> dict[str, Any]:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as started:
        window = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            page = window.new_page()
            page.set_default_timeout(60_000)
            found: dict[str, Any] = page.evaluate(script, values)
        finally:
            window.close()
    return found


def test_chromium_plays_it_and_jumps_to_the_right_picture(tmp_path: Path) -> None:
    times = UNEVEN[:14]
    source = write(
        tmp_path / "a.mkv",
        times,
        lambda k: np.full((144, 256, 3), (18 * k, 0, 255 - 18 * k), np.uint8),
    )
    target = tmp_path / "out.mp4"
    done = write_browser_video(source, target)
    asked = [11, 3, 8, 7, 12]
    places = [float((times[k] + times[k + 1]) / 2 - done.first_time) for k in asked]
    found = in_chromium(PLAY, [base64.b64encode(target.read_bytes()).decode(), places])
    assert found["error"] is None
    assert found["size"] == [256, 144]
    assert found["state"] >= 2
    shown = np.array(found["seen"])
    np.testing.assert_allclose(done.first_time + shown[:, 0], times[asked], atol=0.001)
    colours = [(18 * k, 0, 255 - 18 * k) for k in asked]
    np.testing.assert_allclose(shown[:, 1:], colours, atol=14)
    assert found["duration"] == pytest.approx(found["end"], abs=0.01)
    assert found["duration"] > times[-1] - times[0]
