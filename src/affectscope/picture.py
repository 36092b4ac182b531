"""One upright picture: its colours where they are asked for, its luminance, parts of it.

Legend: H, W height and width in pixels.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

ImageArray: TypeAlias = NDArray[np.uint8]


class Picture:
    """A picture with square pixels.

    Args:
        rgb: (H, W, 3) uint8.
    """

    def __init__(self, rgb: ImageArray) -> None:
        self._rgb = rgb
        self.height, self.width = rgb.shape[:2]

    @classmethod
    def of(cls, picture: ImageArray | Picture) -> Picture:
        """What is given, as a picture."""
        return picture if isinstance(picture, Picture) else cls(picture)

    @property
    def rgb(self) -> ImageArray:
        """(H, W, 3) uint8, made once."""
        return self._rgb

    def region(self, left: int, top: int, right: int, bottom: int) -> ImageArray:
        """(bottom - top, right - left, 3) RGB of a part; 0 <= left < right <= W, same for rows."""
        return self._rgb[top:bottom, left:right]

    @cached_property
    def luminance(self) -> ImageArray:
        """(H, W) uint8, in whatever range it is stored."""
        from PIL import Image

        return np.asarray(Image.fromarray(self._rgb).convert("L"))
