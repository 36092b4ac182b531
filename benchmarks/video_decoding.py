"""What frames from the decoder's process cost, beside decoding in this process (V29).

    .venv/bin/python benchmarks/video_decoding.py [--seconds 8]

One clip per size, made here; processor time per frame, the best of three, which a busy machine
changes less than rates. Also: how long a new process needs for its first frame.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np

from affectscope.io import video_process
from affectscope.io.video import FrameReader, inspect_video
from affectscope.io.video_decoding import Decoding
from affectscope.records import Frame

SIZES = ((320, 240), (640, 360), (1280, 720), (1920, 1080))


def write_clip(path: Path, size: tuple[int, int], seconds: float) -> None:
    """Moving texture with noise, 25 frames per second."""
    chance = np.random.default_rng(0)
    width, height = size
    base = np.kron(chance.integers(40, 200, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    noise = chance.integers(-4, 5, (height, width, 3))
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x264-params": "log-level=none"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(round(25 * seconds)):
            moved = np.roll(base, 3 * index, axis=1) + np.roll(noise, 7 * index, axis=0)
            rgb = np.clip(moved, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())


def spent(run: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of this process, and of the decoder's, which is new and then ended."""
    video_process._waiting.end()
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    run()
    video_process._waiting.end()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, child = (
        b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime
        for a, b in zip(before, after, strict=True)
    )
    return own, child


def count(frames: Iterable[Frame]) -> int:
    return sum(1 for _ in frames)


def costs(path: Path) -> tuple[float, float, float]:
    """Milliseconds a frame: decoding here; the decoder's process without its start; receiving."""
    track = inspect_video(path)
    frames = count(FrameReader(track))
    here = [spent(lambda: count(Decoding(track, None, None, lambda: None))) for _ in range(3)]
    start = [spent(lambda: inspect_video(path)) for _ in range(3)]
    there = [spent(lambda: count(FrameReader(track))) for _ in range(3)]
    own, child = (min(times) for times in zip(*there, strict=True))
    decoder = child - min(time for _, time in start)
    decoding = min(time for time, _ in here)
    return 1000 * decoding / frames, 1000 * decoder / frames, 1000 * own / frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder) / f"{size[0]}.mp4"
            write_clip(path, size, seconds)
            here, decoder, receiving = costs(path)
            print(
                f"{size[0]} x {size[1]}: decoding here {here:.2f} ms a frame; the decoder's"
                f" process {decoder:.2f}, receiving {receiving:.2f}",
                flush=True,
            )
        video_process._waiting.end()
        began = time.perf_counter()
        next(iter(FrameReader(inspect_video(path))))
        print(f"first frame of a new process: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
