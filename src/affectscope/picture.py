"""One upright picture: its colours where they are asked for, its luminance, parts of it.

A picture comes as RGB, or as the three planes that a decoder gives; then only what is asked for is
converted, by swscale, to the same values that converting the whole gives.

Legend: H, W height and width in pixels.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.reformatter import VideoReformatter

ImageArray: TypeAlias = NDArray[np.uint8]

SPARE_BYTES = 64
"""That must lie behind the planes in memory: swscale reads whole vectors, also at the end."""
FULL_RANGE = 2
_LIMITED_BLACK, _LIMITED_WHITE = 16, 235


@dataclass(frozen=True, eq=False)
class Planes:
    """A picture with 8 bits a value and 4:2:0 colours, as decoders give it.

    Attributes:
        y: (H, W) uint8, H and W even.
        u: (H / 2, W / 2) uint8; u and v may be written to, as y.
        v: (H / 2, W / 2) uint8.
        matrix: coefficients, ITU-T H.273 table 4; 2 (unstated) is read as BT.601.
        color_range: 1 limited, 2 full; 0 (unstated) is read as limited.
    """

    y: ImageArray
    u: ImageArray
    v: ImageArray
    matrix: int
    color_range: int

    @classmethod
    def of_bytes(
        cls, content: ImageArray, size: tuple[int, int], *, matrix: int, color_range: int
    ) -> Planes:
        """Of y, u, v one behind the other; ``size``: H, W; ``SPARE_BYTES`` must lie behind them."""
        height, width = size
        half, count = (height // 2, width // 2), height * width
        u, v = content[count : count * 5 // 4], content[count * 5 // 4 :]
        y = content[:count].reshape(height, width)
        return cls(y, u.reshape(half), v.reshape(half), matrix, color_range)

    @property
    def black_and_white(self) -> tuple[int, int]:
        """The values of y that are black and white."""
        return (0, 255) if self.color_range == FULL_RANGE else (_LIMITED_BLACK, _LIMITED_WHITE)

    def part(self, left: int, top: int, right: int, bottom: int) -> Planes:
        """Of even borders, without a copy."""
        rows, columns = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
        return Planes(
            self.y[top:bottom, left:right],
            self.u[rows, columns],
            self.v[rows, columns],
            self.matrix,
            self.color_range,
        )

    def to_rgb(self) -> ImageArray:
        """(H, W, 3) uint8; its lines may lie apart in memory."""
        from av import VideoFrame

        frame = VideoFrame.from_dlpack((self.y, self.u, self.v), format="yuv420p")
        frame.colorspace, frame.color_range = self.matrix, self.color_range
        # One thread: starting more takes longer than the conversion.
        converted = _own.reformatter().reformat(frame, format="rgb24", threads=1)
        return cast("ImageArray", converted.to_ndarray())


class _Own(threading.local):
    """Of each thread: a reformatter keeps what it set up for pictures of the same size."""

    _made: VideoReformatter | None = None

    def reformatter(self) -> VideoReformatter:
        from av.video.reformatter import VideoReformatter

        self._made = self._made or VideoReformatter()
        return self._made


_own = _Own()


class Picture:
    """A picture with square pixels.

    Args:
        content: RGB (H, W, 3) uint8, or planes.

    Attributes:
        planes: what it was made of; None where that was RGB.
    """

    def __init__(self, content: ImageArray | Planes) -> None:
        self.planes = content if isinstance(content, Planes) else None
        self._rgb = None if isinstance(content, Planes) else content
        shown = content.y if isinstance(content, Planes) else content
        self.height, self.width = shown.shape[:2]

    @classmethod
    def of(cls, picture: ImageArray | Picture) -> Picture:
        """What is given, as a picture."""
        return picture if isinstance(picture, Picture) else cls(picture)

    @property
    def rgb(self) -> ImageArray:
        """(H, W, 3) uint8, made once."""
        if self._rgb is None:
            assert self.planes is not None
            self._rgb = np.ascontiguousarray(self.planes.to_rgb())
        return self._rgb

    def region(self, left: int, top: int, right: int, bottom: int) -> ImageArray:
        """(bottom - top, right - left, 3) RGB of a part; 0 <= left < right <= W, same for rows."""
        if self.planes is None or self._rgb is not None:
            return self.rgb[top:bottom, left:right]
        x, y = left - left % 2, top - top % 2  # two by two pixels share their colour
        part = self.planes.part(x, y, right + right % 2, bottom + bottom % 2).to_rgb()
        return part[top - y : bottom - y, left - x : right - x]

    @cached_property
    def luminance(self) -> ImageArray:
        """(H, W) uint8, in whatever range it is stored."""
        if self.planes is not None:
            return self.planes.y
        from PIL import Image

        return np.asarray(Image.fromarray(self.rgb).convert("L"))
