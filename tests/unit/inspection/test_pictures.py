"""Pictures: their size as shown, refused ones, and no face model."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectscope.errors import InputError
from affectscope.inspection.files import inspect_file
from affectscope.inspection.pictures import is_picture, picture_facts


@pytest.fixture(autouse=True)
def _no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache without models."""
    monkeypatch.setenv("AFFECTSCOPE_CACHE", str(tmp_path / "empty"))


def test_without_the_face_model_the_size_is_told_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "photo.bin"
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(path, "PNG")
    assert is_picture(path)
    found = picture_facts(path)
    assert (found.width, found.height, found.faces) == (20, 30, None)
    assert "E_MODEL_MISSING" in found.reason


def test_V08_a_photo_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(path, exif=exif)
    found = picture_facts(path)
    assert (found.width, found.height) == (30, 20)


@pytest.mark.parametrize("side", [9000, 9600, 60_000, 2_000_000_000])
def test_V24_a_flood_of_pixels_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    path = tmp_path / "flood.png"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x"))
    with pytest.raises(InputError) as caught:
        picture_facts(path)
    assert caught.value.code == "E_FILE_UNREADABLE"
    assert "truncated" not in caught.value.sentence


def test_a_cut_picture_is_refused_with_the_code(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    refusal = inspect_file(path).refusal
    assert refusal is not None
    assert refusal.code == "E_FILE_UNREADABLE"
