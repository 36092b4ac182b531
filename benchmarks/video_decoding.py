"""How fast frames come from the decoder's process, as a ratio to decoding in this process (V29).

    .venv/bin/python benchmarks/video_decoding.py [--seconds 8]

One clip per size, made here; both ways alternate three times, the best of each counts. Only the
ratio says something on a busy machine. Also: how long a new process needs for its first frame.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
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


def frames_per_second(frames: Iterable[Frame]) -> float:
    began = time.perf_counter()
    count = sum(1 for _ in frames)
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder) / f"{size[0]}.mp4"
            write_clip(path, size, seconds)
            track = inspect_video(path)
            here, there = [], []
            for _ in range(3):
                here.append(frames_per_second(Decoding(track, None, None, lambda: None)))
                there.append(frames_per_second(FrameReader(track)))
            print(
                f"{size[0]} x {size[1]}: {max(there) / max(here):.2f} of the rate in this process"
            )
        video_process._waiting.end()
        began = time.perf_counter()
        next(iter(FrameReader(track)))
        print(f"first frame of a new process: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
