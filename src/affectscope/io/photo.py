"""A photo as an upright picture: the reference photo of the person to follow."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.files import check_file, shown
from affectscope.picture import ImageArray

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
LARGEST_SIDE = 10_000
"""Pixels; a larger picture is refused before it is decoded."""
_KEPT_SIDE = 1600
"""Pixels; faces are found and compared as well in a smaller copy."""


def read_photo(path: Path) -> ImageArray:
    """(H, W, 3) uint8 RGB, turned as its EXIF says, no side longer than 1600 pixels.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY or E_FILE_UNREADABLE; E_TYPE_UNKNOWN for what is
            none of ``FORMATS``; E_FILE_LIMIT for a side of more than ``LARGEST_SIDE`` pixels.
    """
    from PIL import Image, ImageOps

    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the sides are checked
            with Image.open(path, formats=FORMATS) as opened:
                if max(opened.size) > LARGEST_SIDE:
                    raise InputError(
                        "E_FILE_LIMIT",
                        f"The photo {shown(path)} has {opened.width} x {opened.height} pixels; at"
                        f" most {LARGEST_SIDE} a side are read.",
                        "Save a smaller copy of it.",
                    )
                upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            "E_TYPE_UNKNOWN",
            f"{shown(path)} cannot be read as a photo.",
            f"Save it as one of {', '.join(FORMATS)}.",
        ) from error
    upright.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
    return np.asarray(upright)
