"""Where each format keeps the numbers that a reader believes: counts, lengths, rates, offsets."""

from __future__ import annotations

import re
from collections.abc import Callable

from mutations.damage import Field


def edf_fields(content: bytes) -> list[Field]:
    """EDF and BDF: bytes of the header, records, duration, signals, and each signal's ranges."""
    signals = int(content[252:256])
    found = [Field(at, 8, "text") for at in (184, 236, 244)] + [Field(252, 4, "text")]
    for start in (104, 112, 120, 128, 216):
        found += [Field(256 + signals * start + 8 * n, 8, "text") for n in range(signals)]
    return found


def xdf_fields(content: bytes) -> list[Field]:
    """XDF: each chunk's length, stream number and first bytes, and the numbers of the XML."""
    found, at = [], 4
    while at < len(content):
        width = content[at]
        length = int.from_bytes(content[at + 1 : at + 1 + width], "little")
        body = at + 1 + width + 2
        found += [Field(at + 1, width, "integer"), Field(body, 4, "integer")]
        tag = content[body - 2]
        if tag == 3:
            found.append(Field(body + 5, content[body + 4], "integer"))
        if tag == 4:
            found += [Field(body + 4, 8, "real"), Field(body + 12, 8, "real")]
        at += 1 + width + length
    return found + numbers_in(content, rb">([0-9.]+)<")


def numbers_in(content: bytes, pattern: bytes, limit: int = 200) -> list[Field]:
    """The first numbers that a pattern's group finds in a text."""
    found = [
        Field(m.start(1), m.end(1) - m.start(1), "number") for m in re.finditer(pattern, content)
    ]
    return found[:limit]


def text_fields(content: bytes) -> list[Field]:
    """Tables: numbers of the first lines, and of some rows."""
    return numbers_in(content, rb"(?<![\w.])(-?[0-9]+\.?[0-9]*)", 400)


def head_fields(content: bytes) -> list[Field]:
    """Text at the top of a file whose rows are many (OpenSignals, exports)."""
    return numbers_in(content[:2000], rb"(?<![\w.])(-?[0-9]+\.?[0-9]*)")


def mp4_fields(content: bytes) -> list[Field]:
    """MP4: the size of each box of the index, and the six numbers behind its flags."""
    names = rb"moov|mvhd|trak|tkhd|edts|elst|mdia|mdhd|minf|stbl|stsd|stts|stss|ctts|stsc|stsz|stco"
    found = []
    for match in re.finditer(names + rb"|moof|mfhd|traf|tfhd|tfdt|trun|mdat|ftyp|avcC", content):
        start = match.start()
        found += [Field(start + at, 4, "integer", ">") for at in (-4, 8, 12, 16, 20, 24, 28)]
    return found


def mkv_fields(content: bytes) -> list[Field]:
    """Matroska: the byte behind each identifier of a length, a duration or a time."""
    names = re.compile(
        rb"\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x1f\x43\xb6\x75|\x16\x54\xae\x6b|\x1c\x53\xbb\x6b"
        rb"|\x2a\xd7\xb1|\x44\x89|\xe7|\xa3|\xb0|\xba|\xb7|\xf1",
        re.DOTALL,
    )
    found = []
    for match in names.finditer(content):
        found += [Field(match.end(), width, "integer", ">") for width in (1, 2, 4)]
    return found[:600]


def mat5_fields(content: bytes) -> list[Field]:
    """MATLAB 5: the words of each element's tag, dimensions among them."""
    found, at = [], 128
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        found += [Field(at + word, 4, "integer") for word in range(0, min(64, 8 + length), 4)]
        at += 8 + length
    return found


def hdf5_fields(content: bytes) -> list[Field]:
    """HDF5: every word that holds an address or a size below the file's length."""
    words = {at: content[at : at + 8] for at in range(0, min(len(content), 40_000) - 8, 8)}
    places = [at for at, w in words.items() if 0 < int.from_bytes(w, "little") <= 2 * len(content)]
    return [Field(at, 8, "integer") for at in places]


def npy_fields(content: bytes) -> list[Field]:
    """NumPy: the header's length and every number of its text."""
    return [Field(8, 2, "integer"), *numbers_in(content[:128], rb"([0-9]+)")]


def zip_fields(content: bytes) -> list[Field]:
    """Zip: sizes, sums and offsets of local and central headers, and the arrays' own headers."""
    found = numbers_in(content, rb"\(([0-9]+),", 8)
    for magic, places in (
        (b"PK\x03\x04", ((14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
        (b"PK\x01\x02", ((16, 4), (20, 4), (24, 4), (28, 2), (42, 4))),
        (b"PK\x05\x06", ((8, 2), (10, 2), (12, 4), (16, 4))),
    ):
        for match in re.finditer(re.escape(magic), content):
            found += [Field(match.start() + at, width, "integer") for at, width in places]
    return found


def acq_fields(content: bytes) -> list[Field]:
    """AcqKnowledge: the words at the start of the headers."""
    order = "<" if content[2] else ">"  # the version is below 256
    return [Field(at, 4, "integer", order) for at in range(2, 400, 2)]


FIELDS: dict[str, Callable[[bytes], list[Field]]] = {
    "edf": edf_fields,
    "xdf": xdf_fields,
    "text": text_fields,
    "head": head_fields,
    "mp4": mp4_fields,
    "mkv": mkv_fields,
    "mat5": mat5_fields,
    "hdf5": hdf5_fields,
    "npy": npy_fields,
    "zip": zip_fields,
    "acq": acq_fields,
}
