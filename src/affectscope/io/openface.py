"""OpenFace's CSV (FeatureExtraction): one row per frame, timestamp in seconds, features of a face.

Where success is 0 no face was followed and the row's features are leftovers: they are masked. A
file with several faces is refused, since its rows would mix two people.

Legend: S frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectscope.errors import InputError
from affectscope.io.channels import (
    ChannelData,
    ChannelInfo,
    Decimal,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.csv_layout import TableLayout, table_layout
from affectscope.io.csv_table import read_columns
from affectscope.io.files import shown
from affectscope.io.table_words import last_number_is_cut
from affectscope.io.text_head import TextHead
from affectscope.io.time_column import TimeColumn, on_clock, read_clock
from affectscope.records import FloatArray, Notice

KIND = "openface"

_HEADERS = (
    ("frame", "timestamp", "confidence", "success"),
    ("frame", "face_id", "timestamp", "confidence", "success"),
)
_ALWAYS = {"frame", "face_id", "timestamp", "confidence", "success"}
_TIME = TimeColumn("timestamp", 1.0, named=False)


def is_openface(head: TextHead) -> bool:
    """Whether a file's first names are OpenFace's."""
    fields = head.fields(0)
    return any(fields[: len(names)] == names and len(fields) > len(names) for names in _HEADERS)


def inspect_openface(path: Path) -> SignalFile:
    """The columns, with the rate of frames.

    Raises:
        InputError: E_SIGNAL_FILE, E_CSV_SHAPE or E_CSV_AMBIGUOUS.
    """
    layout = _layout(path)
    notices: list[Notice] = []
    stamps = _columns(path, layout, column=layout.names.index("timestamp"), notices=notices)[0]
    timeline, problems = read_clock(path, _TIME, stamps=stamps, stated_rate=None)
    rate = timeline.sampling_rate if timeline else None
    infos = tuple(ChannelInfo(name, None, rate, len(stamps)) for name in layout.names)
    return SignalFile(KIND, infos, _TIME.name, (*notices, *problems))


def read_openface(path: Path, source: SignalSource) -> ChannelData:
    """One feature, NaN where no face was followed.

    Raises:
        InputError: E_CHANNEL; E_SIGNAL_FILE, also for several faces; E_CSV_SHAPE; E_CSV_AMBIGUOUS.
    """
    layout = _layout(path, source.decimal)
    infos = [ChannelInfo(name, None, None, 0) for name in layout.names]
    column = find_channel(infos, source.channel, path=path)
    notices: list[Notice] = []
    values, stamps, success = _columns(path, layout, column=column, notices=notices)
    lost = success != 1
    if layout.names[column] not in _ALWAYS and lost.any():
        values[lost] = np.nan
        sentence = (
            f"OpenFace followed no face in {int(lost.sum())} of {len(lost)} frames of"
            f" {shown(path)}; they are masked."
        )
        notices.append(Notice("W_FACE_GAPS", sentence, modality="face"))
    data = ChannelData(values, unit=layout.units[column], notices=tuple(notices))
    return on_clock(path, data, column=_TIME, stamps=stamps, stated_rate=source.sampling_rate)


def _layout(path: Path, decimal: Decimal | None = None) -> TableLayout:
    layout = table_layout(path, decimal)
    if not {"timestamp", "success"} <= set(layout.names):
        raise InputError(
            "E_SIGNAL_FILE",
            f"{shown(path)} cannot be read as OpenFace's CSV: its names do not fit its columns.",
            "Run OpenFace's FeatureExtraction again.",
        )
    return layout


def _columns(
    path: Path, layout: TableLayout, *, column: int, notices: list[Notice]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(S,) a column, the time stamps and success, of a file with one face."""
    names = layout.names
    wanted = [column, names.index("timestamp"), names.index("success")]
    if "face_id" in names:
        wanted.append(names.index("face_id"))
    found = read_columns(path, layout, columns=wanted, decimal=".", notices=notices)
    if last_number_is_cut(path, layout, columns=wanted, notices=notices):
        found = [each[:-1] for each in found]
    faces = len(np.unique(found[3][np.isfinite(found[3])])) if len(found) > 3 else 1
    if faces > 1:
        raise InputError(
            "E_SIGNAL_FILE",
            f"{shown(path)} holds {faces} faces, and its rows mix them.",
            "Keep the rows of one face_id, the client's.",
        )
    return found[0], found[1], found[2]
