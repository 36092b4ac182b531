"""Pictures: a possible photo of the person to follow, so its size and how many faces it shows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from affectscope.errors import AffectScopeError, InputError
from affectscope.inspection.facts import PictureFacts
from affectscope.io.files import shown
from affectscope.io.model_files import face_model
from affectscope.io.video_container import MAXIMUM_SIDE
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetector

_FORMATS = ("JPEG", "PNG")
_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def is_picture(path: Path) -> bool:
    """Whether a file's first bytes are those of a JPEG or PNG picture."""
    with path.open("rb") as stream:
        return stream.read(8).startswith(_HEADS)


def picture_facts(path: Path) -> PictureFacts:
    """A picture's size as shown, and its faces where the face model is there.

    Raises:
        InputError: E_FILE_UNREADABLE for a damaged or too large picture.
    """
    rgb = _upright(path)
    height, width = rgb.shape[:2]
    try:
        with FaceDetector(face_model()) as detector:
            return PictureFacts(width, height, len(detector.detect(rgb)))
    except AffectScopeError as error:
        return PictureFacts(width, height, None, f"{error.code}: {error.sentence} {error.remedy}")


def _upright(path: Path) -> ImageArray:
    """(height, width, 3) uint8, turned as its EXIF data say."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
            with Image.open(path, formats=_FORMATS) as picture:
                if max(picture.size) > MAXIMUM_SIDE:
                    raise _unreadable(path, f"it has {picture.size[0]} x {picture.size[1]} pixels")
                return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, ArithmeticError,
            Image.DecompressionBombError) as error:  # fmt: skip
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(
        "E_FILE_UNREADABLE",
        f"{shown(path)} cannot be read as a picture: {why}.",
        f"Save it again as JPEG or PNG of at most {MAXIMUM_SIDE} pixels a side.",
    )
