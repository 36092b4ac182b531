"""Which kind of signal file a file is, by its content, and the reader of that kind.

A name that contradicts the content is refused. Of HDF5 alone the name decides which of two readers
takes it: ``.mat`` is MATLAB's, anything else must be OpenSignals'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from affectscope.errors import InputError
from affectscope.io.acqknowledge import (
    inspect_acqknowledge,
    is_acqknowledge,
    read_acqknowledge,
)
from affectscope.io.csv_table import inspect_table, read_table
from affectscope.io.edf import BDF_VERSION, EDF_VERSION, inspect_edf, read_edf
from affectscope.io.empatica import inspect_empatica, is_empatica, read_empatica
from affectscope.io.faros import inspect_faros, is_faros, read_faros
from affectscope.io.files import check_file, shown
from affectscope.io.imotions import inspect_imotions, is_imotions, read_imotions
from affectscope.io.mat_signals import SUFFIX, inspect_mat, is_mat, read_mat_channel
from affectscope.io.numpy_arrays import NPY_MAGIC, inspect_npy, inspect_npz, read_npy, read_npz
from affectscope.io.openface import inspect_openface, is_openface, read_openface
from affectscope.io.opensignals import (
    FIRST_LINE,
    inspect_opensignals_h5,
    inspect_opensignals_text,
    read_opensignals_h5,
    read_opensignals_text,
)
from affectscope.io.reader import Offered, Reader, offered_readers
from affectscope.io.shimmer import inspect_shimmer, is_shimmer, read_shimmer
from affectscope.io.text_head import TextHead, read_head
from affectscope.io.xdf import inspect_xdf, read_xdf
from affectscope.io.xdf_chunks import MAGIC as XDF_MAGIC

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat")

TABLE = "table"
"""The kind of any text that no other reader knows."""

READERS: dict[str, Reader] = {
    TABLE: Reader(inspect_table, read_table, _TEXT_SUFFIXES, "a text table"),
    "opensignals-text": Reader(
        inspect_opensignals_text, read_opensignals_text, _TEXT_SUFFIXES, "OpenSignals text"
    ),
    "empatica": Reader(inspect_empatica, read_empatica, _TEXT_SUFFIXES, "an Empatica E4 export"),
    "shimmer": Reader(inspect_shimmer, read_shimmer, _TEXT_SUFFIXES, "a Shimmer export"),
    "faros": Reader(inspect_faros, read_faros, _TEXT_SUFFIXES, "a Faros export"),
    "imotions": Reader(inspect_imotions, read_imotions, _TEXT_SUFFIXES, "an iMotions export"),
    "openface": Reader(inspect_openface, read_openface, _TEXT_SUFFIXES, "an OpenFace export"),
    "opensignals-h5": Reader(
        inspect_opensignals_h5, read_opensignals_h5, (".h5", ".hdf5"), "an HDF5 file"
    ),
    "edf": Reader(inspect_edf, read_edf, (".edf",), "an EDF recording"),
    "bdf": Reader(inspect_edf, read_edf, (".bdf",), "a BDF recording"),
    "xdf": Reader(inspect_xdf, read_xdf, (".xdf",), "an XDF recording"),
    "npy": Reader(inspect_npy, read_npy, (".npy",), "a NumPy array"),
    "npz": Reader(inspect_npz, read_npz, (".npz",), "a NumPy archive"),
    "acqknowledge": Reader(
        inspect_acqknowledge, read_acqknowledge, (".acq",), "an AcqKnowledge recording"
    ),
    "mat": Reader(inspect_mat, read_mat_channel, (SUFFIX,), "a MATLAB file"),
}
"""Every kind of signal file that affectscope itself reads."""

_HDF5 = b"\x89HDF\r\n\x1a\n"

_MAGIC: dict[bytes, str] = {
    _HDF5: "opensignals-h5",
    EDF_VERSION: "edf",
    BDF_VERSION: "bdf",
    NPY_MAGIC: "npy",
    XDF_MAGIC: "xdf",
    FIRST_LINE: "opensignals-text",
}

_EXPORTS: dict[str, Callable[[Path, TextHead], bool]] = {
    "empatica": lambda _path, head: is_empatica(head),
    "shimmer": lambda _path, head: is_shimmer(head),
    "imotions": lambda _path, head: is_imotions(head),
    "openface": lambda _path, head: is_openface(head),
    "faros": is_faros,
}
"""Whether a text is the export of a program or device; a text that is none's is a plain table."""

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MP4 or MOV video"),
    (4, b"moov", "a MOV video"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"RIFF", "an AVI or WAV file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"<?xml", "an XML document"),
    (0, b"PK\x03\x04", "a zip archive or office document"),
)
"""(offset, bytes, name) of files that are often mistaken for signal files."""


def signal_kind(path: Path) -> str:
    """The kind of a signal file, by its content: a key of ``READERS``, or another package's.

    Raises:
        InputError: E_FILE_MISSING, E_FILE_EMPTY, E_FILE_UNREADABLE; E_TYPE_MISMATCH where the name
            says something else than the content; E_TYPE_UNKNOWN for any other content.
    """
    return known_reader(path)[0]


def known_reader(path: Path) -> tuple[str, Reader, Offered | None]:
    """A file's kind, its reader, and what other packages offer where they had to be asked.

    Raises:
        InputError: as ``signal_kind``.
    """
    check_file(path)
    with path.open("rb") as stream:
        head = stream.read(4096)
    kind = _built_in(path, head)
    foreign = None if kind else _foreign(head)
    if kind is None and foreign is None and _is_text(head):
        kind = _text_kind(path)
    if kind not in (None, TABLE):
        assert kind is not None
        _check_name(path, kind, READERS, found=READERS[kind].called)
        return kind, READERS[kind], None
    offered = offered_readers()
    others, offered = _recognising(path, head, offered=offered)
    kind = others or kind
    readers = {**offered.readers, **READERS}
    found = readers[kind].called if kind else foreign or "of an unknown kind"
    _check_name(path, kind, readers, found=found)
    if kind is None:
        broken = "".join(f" {problem.sentence}" for problem in offered.problems)
        raise InputError(
            "E_TYPE_UNKNOWN",
            f"No reader knows {shown(path)}: its content is {found}.{broken}",
            f"Signal files may be {', '.join(reader.called for reader in readers.values())}.",
        )
    return kind, readers[kind], offered


def _built_in(path: Path, head: bytes) -> str | None:
    """The built-in kind of a file that is no plain text."""
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind == "opensignals-h5" and path.suffix.casefold() == SUFFIX:
        return "mat"
    if kind is None and head.startswith(b"PK\x03\x04") and _first_member(head).endswith(b".npy"):
        kind = "npz"
    if kind is None and is_acqknowledge(head):
        kind = "acqknowledge"
    if kind is None and is_mat(head):
        kind = "mat"
    return kind


def _recognising(path: Path, head: bytes, *, offered: Offered) -> tuple[str | None, Offered]:
    """The first kind of other packages that knows the file, and what they offer without those that
    failed when they were asked."""
    usable, problems = dict(offered.readers), list(offered.problems)
    for kind, reader in offered.readers.items():
        if kind in READERS or reader.recognises is None:
            continue  # affectscope's own reader of that name wins
        try:
            if reader.recognises(path, head):
                return kind, Offered(usable, tuple(problems))
        except InputError as error:
            del usable[kind]
            problems.append(error)
    return None, Offered(usable, tuple(problems))


def _check_name(path: Path, kind: str | None, readers: Mapping[str, Reader], *, found: str) -> None:
    """Refuse a file whose name promises another kind."""
    suffix = path.suffix.casefold()
    promised = [reader.called for reader in READERS.values() if suffix in reader.suffixes]
    if promised and (kind is None or suffix not in readers[kind].suffixes):
        raise InputError(
            "E_TYPE_MISMATCH",
            f"{shown(path)} is named like {promised[0]} and its content is {found}.",
            "Check that it is the right file, and give it the name of its real kind.",
        )


def _foreign(head: bytes) -> str | None:
    return next((name for at, magic, name in _FOREIGN if head[at:].startswith(magic)), None)


def _text_kind(path: Path) -> str:
    head = read_head(path)
    return next((kind for kind, is_kind in _EXPORTS.items() if is_kind(path, head)), TABLE)


def _first_member(head: bytes) -> bytes:
    """The name of a zip archive's first member, from its local header."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length]


def _is_text(head: bytes) -> bool:
    """Whether the first bytes can be text in UTF-8, UTF-16 or Latin-1."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _alternates(head):
        return True
    control = sum(byte < 32 and byte not in (9, 10, 12, 13) for byte in head)
    return control == 0


def _alternates(head: bytes) -> bool:
    """UTF-16 without a mark: every second byte of plain text is zero."""
    zeros = (head[0::2].count(0), head[1::2].count(0))
    return min(zeros) == 0 and max(zeros) > len(head) // 4
