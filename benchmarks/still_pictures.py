"""How far a frozen picture and a person who hardly moves get from their first picture (V18).

    .venv/bin/python benchmarks/still_pictures.py

Prints the largest change of a cell (``picture_checks.cell_levels``, grey levels) within 10 s: the
lowest and the highest over all starts. Frozen: one frame of a real clip, held. Swaying: the same
person, with a face of about 60 pixels, moved up and down in front of a made-up wall with noise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift

from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray
from affectscope.preprocessing.picture_checks import STILL_SECONDS, cell_levels

CLIP = Path(__file__).resolve().parents[2] / "shared/data/faces/WolfgangLanger_Pexels.mp4"
RATE = 8
QUIET = {"preset": "veryfast", "x264-params": "log-level=none"}
CODINGS: dict[str, tuple[str, dict[str, str], int]] = {  # codec, options, frames to a key frame
    "x264 crf 23": ("libx264", {**QUIET, "crf": "23"}, RATE),
    "x264 crf 35": ("libx264", {**QUIET, "crf": "35"}, 4 * RATE),
    "x264 crf 40": ("libx264", {**QUIET, "crf": "40"}, 4 * RATE),
    "x264 200 kb/s": ("libx264", {**QUIET, "b": "200000"}, 2 * RATE),
    "MPEG-4": ("mpeg4", {}, 12),
    "VP9 300 kb/s": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "b": "300000"}, 128),
    "HEVC": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}, 2 * RATE),
}


def resized(rgb: ImageArray, width: int, height: int) -> ImageArray:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(width, height, "rgb24")
    return np.asarray(frame.to_ndarray(), dtype=np.uint8)


def frozen(clip: list[ImageArray]) -> Iterator[ImageArray]:
    """Three seconds of the clip, then one frame for 14 s."""
    for index in range(17 * RATE):
        yield resized(clip[min(index, 3 * RATE)], 480, 270)


def swaying(clip: list[ImageArray], pixels: float) -> Iterator[ImageArray]:
    """17 s of a small person who moves ``pixels`` up and down, four seconds to a sway."""
    chance = np.random.default_rng(0)
    room = np.kron(chance.integers(60, 160, (18, 32, 3)), np.ones((40, 40, 1)))
    person = resized(clip[50], 320, 180).astype(np.float64)
    for index in range(17 * RATE):
        moved = pixels * np.sin(2 * np.pi * 0.25 * index / RATE)
        picture = room.copy()
        picture[300:480, 400:720] = shift(person, (moved, 0, 0), order=1, mode="nearest")
        noisy = picture + chance.normal(0, 1.5, picture.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def coded(pictures: list[ImageArray], path: Path, coding: str) -> NDArray[np.float32]:
    """(F, R, C) cells of the pictures as the codec brings them back, without the first 3 s."""
    codec, options, key_frames = CODINGS[coding]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", key_frames
        for rgb in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    cells = [cell_levels(frame.picture) for frame in FrameReader(inspect_video(path))]
    return np.stack(cells[3 * RATE + 1 :])


def main() -> None:
    clip = [
        frame.rgb for frame, _ in zip(FrameReader(inspect_video(CLIP)), range(60), strict=False)
    ]
    scenes = {"frozen": list(frozen(clip))}
    scenes |= {f"sways by {pixels}": list(swaying(clip, pixels)) for pixels in (0.6, 1.2, 2.5)}
    length = round(STILL_SECONDS * RATE)
    with tempfile.TemporaryDirectory() as folder:
        for scene, pictures in scenes.items():
            for coding in CODINGS if scene == "frozen" else ("x264 crf 23", "x264 crf 35"):
                cells = coded(pictures, Path(folder) / "clip.mkv", coding)
                starts = range(0, len(cells) - length, RATE // 2)
                change = [abs(cells[s : s + length] - cells[s]).max() for s in starts]
                print(f"{scene}, {coding}: {min(change):.1f} to {max(change):.1f}", flush=True)


if __name__ == "__main__":
    main()
