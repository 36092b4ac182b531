"""How long an HDF5 file says it is: bytes behind that mean that something was put in.

The HDF5 library reads the data where their addresses say, and so plays a file that grew in the
middle without a word. The superblock states the end of the file (HDF5 File Format Specification
3.0, section II.A).
"""

from __future__ import annotations

from pathlib import Path

from affectscope.io.files import shown
from affectscope.records import Notice

_MAGIC = b"\x89HDF\r\n\x1a\n"
_STARTS = (0, 512, 1024, 2048)
_END_AT = {0: 40, 1: 44, 2: 28, 3: 28}  # version of the superblock -> byte of the stated end


def surplus(path: Path) -> list[Notice]:
    """W_FILE_DAMAGED where the file is longer than it says."""
    with path.open("rb") as stream:
        head = stream.read(_STARTS[-1] + 64)
    start = next((at for at in _STARTS if head[at:].startswith(_MAGIC)), None)
    if start is None or head[start + 8] not in _END_AT:
        return []
    version = head[start + 8]
    if head[start + (13 if version < 2 else 9)] != 8:  # bytes of an address
        return []
    at = start + _END_AT[version]
    stated = int.from_bytes(head[at : at + 8], "little")
    more = path.stat().st_size - stated
    if more <= 0:
        return []
    sentence = (
        f"{shown(path)} is {more} bytes longer than it states: something was put into it, and"
        " samples may be wrong or lie at a wrong time."
    )
    return [Notice("W_FILE_DAMAGED", sentence)]
