"""What tests of pages share: what a PDF holds, read without a PDF library."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from affectscope.errors import MissingExtraError
from affectscope.models.shipped import DataSource, ModelContract, ResultTable
from affectscope.pages import pdf_library


@pytest.fixture(scope="session")
def weasyprint() -> Any:
    """What draws PDFs; the test is skipped where it is not installed."""
    try:
        return pdf_library()
    except MissingExtraError as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class PdfContent:
    """All objects of a PDF with their streams unpacked, and the text that each page shows."""

    objects: bytes
    pages: tuple[str, ...]

    @property
    def text(self) -> str:
        """Of all pages."""
        return "\n".join(self.pages)


@pytest.fixture(scope="session")
def pdf_content() -> Callable[[bytes], PdfContent]:
    """Reads a PDF as WeasyPrint writes it."""
    return _content


def _content(pdf: bytes) -> PdfContent:
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    streams: dict[int, bytes] = {}
    for found in re.finditer(rb"(\d+) 0 obj\n<<.*?>>\nstream\n(.*?)\nendstream", pdf, re.S):
        try:
            streams[int(found[1])] = zlib.decompress(found[2])
        except zlib.error:  # a picture is packed otherwise
            streams[int(found[1])] = found[2]
    objects = b"\n".join(
        [re.sub(rb"stream\n.*?\nendstream", b"", pdf, flags=re.S), *streams.values()]
    )
    fonts = {
        name: _letters(streams[int(number)])
        for name, number in re.findall(
            rb"/BaseFont /(\w+)\+[^>]*?/ToUnicode (\d+) 0 R", objects, re.S
        )
    }
    pages = [stream for stream in streams.values() if stream.startswith(b"1 0 0 -1 0 ")]
    return PdfContent(objects, tuple(_shown(page, fonts) for page in pages))


def _letters(characters: bytes) -> dict[bytes, str]:
    """Glyph -> its letters, of a font's table "ToUnicode"."""
    pairs = re.findall(rb"^<([0-9a-f]{4})> <([0-9a-f]+)>$", characters, re.M)
    return {
        glyph: bytes.fromhex(text.decode()).decode("utf-16-be", "replace") for glyph, text in pairs
    }


def _shown(page: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    lines: list[str] = []
    font: dict[bytes, str] = {}
    for name, glyphs in re.findall(rb"/(\w+) [\d.]+ Tf|\[([^\]]*)\] TJ", page):
        if name:
            font = fonts[name]
        else:
            codes = re.findall(rb"[0-9a-f]{4}", b" ".join(re.findall(rb"<([0-9a-f]+)>", glyphs)))
            lines.append("".join(font.get(code, "") for code in codes))
    return "\n".join(lines)


@pytest.fixture(scope="session")
def small_contract() -> ModelContract:
    """Of a model that learnt from two made-up sources; no human data."""
    return ModelContract(
        name="small",
        kind="stress likelihood",
        summary="A small model of the tests.",
        population="people",
        sources=(
            DataSource(
                name="wrist",
                citation="Nobody, Made-up recordings (2026)",
                licence="CC0-1.0",
                people=("wrist/S01", "wrist/S02"),
                hashes={"S01/EDA.csv": "ab" * 32, "S02/EDA.csv": "cd" * 32},
            ),
            DataSource("chest", "Nobody else", "MIT", ("chest/1",), {"1.npz": "ef" * 32}),
        ),
        configuration={"features": ["rate", "level"], "scale": {"rate": 2.0, "window": 60}},
        training={"seed": 3, "penalties": list(range(12))},
        results=(
            ResultTable(
                "Balanced accuracy, leave one person out",
                ("features", "balanced accuracy"),
                (("both", "0.71 [0.66, 0.76]"), ("chance", "0.50")),
                "affectscope models train small",
            ),
            ResultTable(
                "Cost of a missing modality, mean absolute error",
                ("without", "valence"),
                (("face", "+0.03"),),
                "benchmarks/beyond.py",
            ),
        ),
        limits=("Wrist device only.",),
        licence="Apache-2.0",
    )
