"""A small video whose every picture tells its number, and the number that a picture tells."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FRAMES, RATE = 40, 20
_WIDTH, _HEIGHT, _BITS = 96, 64, 6
_GROUP = 10  # pictures from one key frame to the next


def picture(number: int) -> NDArray[np.uint8]:
    """(64, 96, 3) bars that spell the number in binary over a texture that moves with it."""
    texture = np.kron(
        np.random.default_rng(1).integers(60, 190, (_HEIGHT // 8, _WIDTH // 8, 1)),
        np.ones((8, 8, 3)),
    ).astype(np.uint8)
    rgb = np.roll(texture, 2 * number, axis=1)
    bits = (number >> np.arange(_BITS)) & 1
    rgb[:24] = np.repeat(bits * 200 + 20, _WIDTH // _BITS)[None, :, None]
    return rgb


def told_number(rgb: NDArray[np.uint8]) -> int | None:
    """The number that a picture tells; None where the bars cannot be read."""
    if rgb.shape != (_HEIGHT, _WIDTH, 3):
        return None
    levels = rgb[4:20].mean(axis=(0, 2)).reshape(_BITS, -1).mean(axis=1)
    if ((levels > 80) & (levels < 160)).any():
        return None
    return int((levels > 120) @ (1 << np.arange(_BITS)))


def made_video(name: str, options: Mapping[str, str]) -> bytes:
    """40 pictures at 20 frames per second in H.264, in the container of the name's suffix."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with av.open(str(path), "w", options=dict(options)) as container:
            h264 = {"preset": "veryfast", "x264-params": "log-level=none"}
            stream = container.add_stream("libx264", rate=RATE, options=h264)
            stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = _GROUP, 2
            for number in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path.read_bytes()
