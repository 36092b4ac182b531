"""Scenes of two people put together from two videos of one each, so that the truth is known.

For tests and measurements of whom the program follows: heads are cut out of real videos as
ellipses and moved on paths over a plain wall.

Legend: H, W height and width of the scene, F frames of a head, S side of a head's picture, pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from affectscope.io.video import FrameReader, inspect_video
from affectscope.picture import ImageArray, Picture
from affectscope.preprocessing.face import FaceDetector
from affectscope.records import Frame

Place = Callable[[float], tuple[float, float] | None]
"""Seconds -> the centre of a face in pixels; None while the person is away."""

_HEAD = 1.9
"""Side of a head's picture in face sizes."""
_ELLIPSE = (0.62, 0.80)
"""Half width and half height of what is cut out, in face sizes."""
_WALL = (96, 104, 110)


@dataclass(frozen=True, eq=False)
class Head:
    """A head cut out of a video: frames (F, S, S, 3) uint8, mask (S, S) in [0, 1], face side px."""

    frames: ImageArray
    mask: ImageArray
    face: float


@dataclass(frozen=True, eq=False)
class Actor:
    """A head and where it is."""

    head: Head
    place: Place


def cut_head(video: Path, detector: FaceDetector, *, face: float, count: int = 30) -> Head:
    """The head of the first face of a video, its face ``face`` pixels wide, ``count`` frames."""
    from PIL import Image

    side = round(_HEAD * face)
    frames = []
    for frame in FrameReader(inspect_video(video), rate=10.0):
        found = detector.detect(frame.rgb)
        if found:
            (x, y), half = found[0].centre, _HEAD * found[0].size / 2
            box = (round(x - half), round(y - half), round(x + half), round(y + half))
            part = Image.fromarray(frame.rgb).crop(box)
            frames.append(np.asarray(part.resize((side, side), Image.Resampling.BOX)))
        if len(frames) == count:
            break
    across, down = np.meshgrid(*[(np.arange(side) - side / 2 + 0.5) / face] * 2)
    radius = np.hypot(across / _ELLIPSE[0], (down + 0.05) / _ELLIPSE[1])
    return Head(np.stack(frames), np.where(radius <= 1, 255, 0).astype(np.uint8), face)


def tinted(head: Head) -> Head:
    """The head in magenta, which no skin, wall or drawing has: its pixels can be searched for."""
    light = head.frames.mean(axis=3, keepdims=True)
    return Head((light * (1.0, 0.25, 1.0)).astype(np.uint8), head.mask, head.face)


def tinted_pixels(picture: ImageArray) -> int:
    """How many pixels of (..., 3) are magenta."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return int(((np.minimum(red, blue) > 50) & (green < 0.6 * np.minimum(red, blue))).sum())


def scene(
    actors: Sequence[Actor], *, seconds: float, rate: float, size: tuple[int, int]
) -> Iterator[Frame]:
    """Frames of ``size`` (width, height); later actors are in front of earlier ones."""
    from PIL import Image

    for index in range(round(seconds * rate)):
        time = index / rate
        picture = Image.new("RGB", size, _WALL)
        for actor in actors:
            centre = actor.place(time)
            if centre is None:
                continue
            head = actor.head
            turn = index % (2 * len(head.frames) - 2)  # forth and back
            shown = head.frames[min(turn, 2 * len(head.frames) - 2 - turn)]
            corner = [round(value - len(head.mask) / 2) for value in centre]
            mask = Image.fromarray(head.mask)
            picture.paste(Image.fromarray(shown), (corner[0], corner[1]), mask)
        yield Frame(index, time, Picture(np.asarray(picture)))


def write_scene(path: Path, frames: Iterator[Frame], *, rate: float, size: tuple[int, int]) -> None:
    """Encode a scene as H.264 in MP4."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "16", "preset": "veryfast"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def path(*points: tuple[float, float, float], away: Sequence[tuple[float, float]] = ()) -> Place:
    """A path through (seconds, x, y), straight in between; absent in the spans ``away``."""
    times, across, down = np.array(points, dtype=np.float64).T

    def place(time: float) -> tuple[float, float] | None:
        if any(start <= time < end for start, end in away):
            return None
        sway = 2 * float(np.sin(2.1 * time + points[0][1]))
        x = float(np.interp(time, times, across)) + sway
        return x, float(np.interp(time, times, down))

    return place
