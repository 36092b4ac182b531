"""One decoded picture -> upright, with square pixels, and what must be told about its colours.

What cameras write as a rule (8 bits, 4:2:0, square pixels, not turned) stays as the decoder gives
it, half the bytes of RGB; everything else becomes RGB here.

swscale applies the colour matrix (BT.601, BT.709, BT.2020) and the range (limited, full) that the
stream states, for 8 and 10 bits, 4:2:0 and 4:2:2; measured in docs/video.md.

Where a stream is silent, and what we do:
1. No matrix: BT.709 above 576 rows, BT.601 else, as broadcasters do.
2. No range: limited, swscale's own choice, except for the JPEG formats.
3. High dynamic range (PQ, HLG) or BT.2020 primaries: no tone mapping, the values are taken as they
   are, and that is told (W_HDR). No sensor or screen is known to map to.
4. Interlaced pictures are used with both fields as they are, and that is told (W_INTERLACED).

Legend: H, W height and width in pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from affectscope.io.video_container import MAXIMUM_SIDE
from affectscope.picture import FULL_RANGE, ImageArray, Picture, Planes
from affectscope.records import Notice

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

_STANDARD_ROWS = 576
"""Of the largest picture in standard definition, whose matrix is BT.601."""
_WIDEST_PIXEL = 4
"""A pixel that is stated to be wider, or taller, by more than this is a damaged header."""
_BT709_MATRIX, _NO_MATRIX, _BT2020_PRIMARIES = 1, 2, 9
_MATRICES, _RANGES = (0, 1, 2, 4, 5, 6, 7, 9), (0, 1, 2)
"""What swscale converts; it refuses others."""
_HIGH_RANGE = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
"""Transfer characteristics of ITU-T H.273, table 3; the numbers above are of its tables 4 and 2."""


@dataclass(frozen=True)
class _Orientation:
    """How a stored picture becomes upright: first rows and columns swap, then flips."""

    swapped: bool = False
    flip_columns: bool = False
    flip_rows: bool = False

    def upright(self, stored: ImageArray) -> ImageArray:
        """(H, W, 3) as stored -> as shown."""
        rgb = stored.transpose(1, 0, 2) if self.swapped else stored
        rgb = rgb[:, ::-1] if self.flip_columns else rgb
        rgb = rgb[::-1] if self.flip_rows else rgb
        return np.ascontiguousarray(rgb)


def _orientation(frame: VideoFrame) -> _Orientation:
    """From the display matrix (ISO 14496-12, 8.3.2.3): x' = a x + c y, y' = b x + d y.

    Right angles and mirrors are applied; another angle counts as the nearest of them.
    """
    # PyAV's types know of motion vectors only.
    data = cast("Mapping[str, SideData]", frame.side_data).get("DISPLAYMATRIX")
    if data is None:
        return _Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _Orientation(False, flip_columns=a < 0, flip_rows=d < 0)
    return _Orientation(True, flip_columns=c < 0, flip_rows=b < 0)


def square_size(frame: VideoFrame, pixel: Fraction | None) -> tuple[int, int]:
    """(width, height) of the stored picture with square pixels.

    ``pixel``: a stored pixel's width / height. The longer way is stretched, so nothing is lost.
    """
    width, height = frame.width, frame.height
    if pixel and 1 / _WIDEST_PIXEL <= pixel <= _WIDEST_PIXEL:
        if pixel > 1:
            width = round(width * pixel)
        else:
            height = round(height / pixel)
    if max(width, height) > MAXIMUM_SIDE:
        return frame.width, frame.height
    return width, height


@dataclass(frozen=True)
class Presentation:
    """How a video's stored pictures are shown; ``pixel``: see ``square_size``."""

    pixel: Fraction | None
    orientation: _Orientation

    @classmethod
    def of(cls, frame: VideoFrame, pixel: Fraction | None) -> Presentation:
        """Of a video's first picture, for all: PyAV keeps a picture whose side data were read until
        the garbage collector runs, which takes gigabytes if it is done for each."""
        return cls(pixel, _orientation(frame))

    def size(self, frame: VideoFrame) -> tuple[int, int]:
        """(width, height) of the upright picture with square pixels."""
        width, height = square_size(frame, self.pixel)
        return (height, width) if self.orientation.swapped else (width, height)

    def picture(self, frame: VideoFrame) -> Picture:
        """The picture as shown. Where it has planes, they are those of ``frame``, not copied."""
        if frame.colorspace == _NO_MATRIX and frame.height > _STANDARD_ROWS:
            frame.colorspace = _BT709_MATRIX
        width, height = square_size(frame, self.pixel)
        if (width, height) == (frame.width, frame.height) and self.orientation == _Orientation():
            planes = _planes(frame)
            if planes is not None:
                return Picture(planes)
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height, threads=1)
        return Picture(self.orientation.upright(rgb.astype(np.uint8, copy=False)))


def _planes(frame: VideoFrame) -> Planes | None:
    """None for a format that must be converted here: also an interlaced one, whose two fields
    swscale converts each for itself."""
    full = frame.format.name == "yuvj420p"
    color_range = FULL_RANGE if full else int(frame.color_range)
    if (
        not (full or frame.format.name == "yuv420p")
        or frame.interlaced_frame
        or frame.width % 2
        or frame.height % 2
        or int(frame.colorspace) not in _MATRICES
        or color_range not in _RANGES
        or any(plane.line_size < plane.width for plane in frame.planes)  # upside down
    ):
        return None
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        for plane in frame.planes
    )
    return Planes(y, u, v, int(frame.colorspace), color_range)


def picture_notices(frame: VideoFrame, time: float) -> list[Notice]:
    """What the first picture, at ``time``, tells of all: its dynamic range, its interlacing."""
    notices = []
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer in _HIGH_RANGE or primaries == _BT2020_PRIMARIES:
        what = _HIGH_RANGE.get(transfer, "BT.2020 primaries")
        sentence = (
            f"The video's colours are stated as {what}: they are used without tone mapping, so "
            "faces look paler or darker than those that networks learn from."
        )
        notices.append(Notice("W_HDR", sentence, "face", time))
    if frame.interlaced_frame:
        sentence = (
            "The video is interlaced: two moments alternate line by line in each picture, and "
            "movements show combs. Record progressive video where the camera allows it."
        )
        notices.append(Notice("W_INTERLACED", sentence, "face", time))
    return notices
