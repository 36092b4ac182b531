"""Reference photos: upright, bounded, and refused in one sentence where they are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectscope.errors import InputError
from affectscope.io.photo import LARGEST_SIDE, read_photo


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    stored = Image.new("RGB", (40, 20), "white")
    stored.paste((255, 0, 0), (0, 0, 10, 20))  # the stored left becomes the top
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "photo.png", exif=exif)
    picture = read_photo(tmp_path / "photo.png")
    assert picture.shape == (40, 20, 3)
    assert picture.dtype == np.uint8
    assert (picture[:8] == (255, 0, 0)).all()
    assert (picture[12:] == 255).all()


def test_a_large_photo_is_made_smaller(tmp_path: Path) -> None:
    Image.new("L", (3200, 100)).save(tmp_path / "wide.png")
    assert read_photo(tmp_path / "wide.png").shape == (50, 1600, 3)


@pytest.mark.parametrize("content", [b"no photo", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_what_is_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"E_TYPE_UNKNOWN.*'photo.jpg'"):
        read_photo(tmp_path / "photo.jpg")


def test_V24_a_flood_of_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (LARGEST_SIDE + 1, 8)).save(tmp_path / "flood.png")
    with pytest.raises(InputError, match=f"E_FILE_LIMIT.*{LARGEST_SIDE + 1} x 8 pixels"):
        read_photo(tmp_path / "flood.png")
