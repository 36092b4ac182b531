"""The decoder's process: it may crash, hang or swell, and everything else goes on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io import video_process
from affectscope.io.video import FrameReader, inspect_video
from affectscope.records import VideoTrack

WIDTH, HEIGHT, COUNT = 96, 64, 40


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Forty pictures; the level of each is its number times five."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(COUNT):
            rgb = np.full((HEIGHT, WIDTH, 3), 5 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoders of our own, which do real damage behind the tenth frame."""
    (tmp_path / "strange_decoders.py").write_text(
        "import os, signal, time\n"
        "import numpy as np\n"
        "from affectscope.io.video_decoding import decode\n"
        "from affectscope.records import Frame\n"
        "def after_ten(order, alive):\n"
        "    items = decode(order, alive)\n"
        "    yield from (next(items) for _ in range(10 if order['task'] == 'frames' else 0))\n"
        "def crash(order, alive):\n"
        "    yield from after_ten(order, alive)\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def hang(order, alive):\n"
        "    yield from after_ten(order, alive)\n"
        "    time.sleep(600)\n"
        "def swell(order, alive):\n"
        "    yield from after_ten(order, alive)\n"
        "    kept = [np.empty(1 << 27) for _ in range(64)]\n"
        "def slow(order, alive):\n"
        "    for item in decode(order, alive):\n"
        "        if getattr(item, 'index', 0) == 10:\n"
        "            for _ in range(8):\n"
        "                time.sleep(0.3); alive()\n"
        "        yield item\n"
        "def leave(order, alive):\n"
        "    yield from after_ten(order, alive)\n"
        "    os.write(1, b'noise'); os._exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield
    video_process._waiting.end()


def use(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(video_process, "DECODER", f"strange_decoders:{name}")


def read_until_the_error(track: VideoTrack) -> tuple[list[int], InputError]:
    seen: list[int] = []
    frames = (seen.append(frame.index) for frame in FrameReader(track))
    with pytest.raises(InputError) as caught:
        list(frames)
    return seen, caught.value


def children() -> list[int]:
    """Processes of this one, zombies too."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return sorted(int(pid) for task in tasks for pid in (task / "children").read_text().split())


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("name", "told"),
    [("crash", "signal SIGSEGV"), ("swell", "MemoryError"), ("leave", "status 3")],
)
def test_V29_a_decoder_that_crashes_costs_what_lies_behind(
    video: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    track = inspect_video(video)
    use(monkeypatch, name)
    seen, error = read_until_the_error(track)
    assert seen == list(range(10))
    assert error.code == "E_DECODER_CRASH"
    assert told in error.sentence
    assert "behind 0.45 s" in error.sentence
    monkeypatch.undo()
    assert len(list(FrameReader(track))) == COUNT  # the next job lives


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("task", ["inspect", "frames"])
def test_V29_a_decoder_that_hangs_is_ended(
    video: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    track = inspect_video(video)
    use(monkeypatch, "hang")
    monkeypatch.setattr(video_process, "PATIENCE", 0.8)
    before = children()
    if task == "inspect":
        with pytest.raises(InputError) as caught:
            inspect_video(video)
        error = caught.value
    else:
        monkeypatch.setattr(video_process, "PATIENCE", 3.0)
        seen, error = read_until_the_error(track)
        assert seen == list(range(10))
    assert error.code == "E_DECODER_TIMEOUT"
    assert "was ended" in error.sentence
    assert not set(children()) - set(before)


@pytest.mark.usefixtures("decoder")
def test_V29_a_slow_decoder_that_shows_life_is_waited_for(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = inspect_video(video)
    use(monkeypatch, "slow")
    frames = iter(FrameReader(track))
    next(frames)  # the process has started
    monkeypatch.setattr(video_process, "PATIENCE", 1.8)  # frame 10 takes 2.4 s
    assert len(list(frames)) == COUNT - 1


@pytest.mark.usefixtures("decoder")
def test_V29_a_crash_while_inspecting_is_an_error_of_the_file(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "crash")
    with pytest.raises(InputError) as caught:
        inspect_video(video)
    assert caught.value.code == "E_DECODER_CRASH"
    assert "'a.mp4'" in caught.value.sentence


def test_V29_a_decoder_killed_from_outside_is_told(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = inspect_video(video)
    monkeypatch.setattr(video_process, "_PIPE", 1 << 12)  # else all may be written by then
    video_process._waiting.end()
    before = set(children())
    frames = iter(FrameReader(track))
    next(frames)
    (pid,) = set(children()) - before
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(InputError) as caught:
        list(frames)
    assert caught.value.code == "E_DECODER_CRASH"
    assert "SIGKILL" in caught.value.sentence


def test_frames_that_nobody_wants_any_more_end_the_decoder(video: Path) -> None:
    track = inspect_video(video)
    video_process._waiting.end()
    before = children()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            frames = iter(FrameReader(track))
            assert next(frames).index == 0
            assert len(children()) == len(before) + 1
            del frames
            gc.collect()
            for _ in range(100):  # the kernel's list lags behind on a busy machine
                if children() == before:
                    break
                time.sleep(0.1)
            assert children() == before


def resident(pid: int) -> int:
    """KiB that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))


def test_V26_memory_is_flat_over_hours_of_video(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        for _ in range(5400):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    video_process._waiting.end()
    before = set(children())
    held = []
    for frame in FrameReader(inspect_video(path)):
        if frame.index % 1800 == 900:
            (decoder,) = set(children()) - before
            held.append((resident(os.getpid()), resident(decoder)))
    assert frame.time == 5399
    growth = np.subtract(held[-1], held[0])  # in an hour
    assert (growth < 1024).all(), growth


def test_one_process_serves_one_video_after_the_other(video: Path) -> None:
    track = inspect_video(video)
    served = children()
    assert len(list(FrameReader(track))) == COUNT
    assert len(list(FrameReader(track, rate=5.0))) < COUNT
    with pytest.raises(InputError):  # a refusal ends an order, not the process
        inspect_video(Path(__file__))
    assert children() == served


def test_two_videos_are_read_side_by_side(video: Path) -> None:
    track = inspect_video(video)
    pairs = list(zip(FrameReader(track), FrameReader(track), strict=True))
    assert len(pairs) == COUNT
    assert all(a.index == b.index and np.array_equal(a.rgb, b.rgb) for a, b in pairs)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_daemonic_worker_reads_videos_too(video: Path, method: str) -> None:
    inspect_video(video)  # a process waits here, which a forked worker must not use
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads
        with get_context(method).Pool(1) as pool:  # its workers are daemonic
            track = pool.apply_async(inspect_video, (video,)).get(60)
    assert track == inspect_video(video)
    assert len(list(FrameReader(track))) == COUNT


def test_a_program_that_is_killed_leaves_no_decoder_behind(video: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from affectscope.io.video import FrameReader, inspect_video\n"
        "frames = iter(FrameReader(inspect_video(Path(sys.argv[1]))))\n"
        "next(frames); print('reading', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(video)], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"reading\n"
        (decoder,) = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        program.kill()
    place = Path(f"/proc/{decoder}")
    for _ in range(100):
        if not place.exists() or "Z (zombie)" in (place / "status").read_text():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the decoder outlived its program")


def test_a_program_ends_without_a_word_about_its_decoder(video: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from affectscope.io.video import FrameReader, inspect_video\n"
        "print(sum(1 for _ in FrameReader(inspect_video(Path(sys.argv[1])))))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script, str(video)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{COUNT}\n", "")
