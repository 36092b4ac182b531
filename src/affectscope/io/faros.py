"""A Faros recording as a folder: ECG.csv, ACC.csv, ... beside one meta.json (devicely's layout).

meta.json holds start_time, and under sample_freqs and units one entry per file. A table is read so
where the meta.json beside it has an entry that goes by the table's name, and its row of names is
that name, or X, Y, Z. Everything else stays a plain table. Faros' own EDF is read by ``edf``.

start_time names no time zone, and so places nothing beside other recordings.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, ChannelInfo, SignalFile, SignalSource, find_channel
from affectscope.io.csv_layout import TableLayout, table_layout
from affectscope.io.csv_table import count_rows, read_columns
from affectscope.io.files import check_file, shown
from affectscope.io.table_words import last_number_is_cut
from affectscope.io.text_head import TextHead
from affectscope.records import Notice

KIND = "faros"

_META = "meta.json"
_LONGEST_META = 1 << 16
_AXES = ("X", "Y", "Z")


@dataclass(frozen=True)
class _Export:
    """A table and what meta.json states about it."""

    layout: TableLayout
    sampling_rate: float
    start: str


def is_faros(path: Path, head: TextHead) -> bool:
    """Whether a table has its entry in the meta.json beside it."""
    if head.fields(0) not in ((path.stem,), _AXES):
        return False
    meta = _meta(path)
    return meta is not None and path.stem in meta["sample_freqs"]


def inspect_faros(path: Path) -> SignalFile:
    """The columns of one table, with the rate and unit that meta.json states.

    Raises:
        InputError: E_SIGNAL_FILE for a meta.json that states no rate; E_CSV_SHAPE with the row.
    """
    export = _export(path)
    notices: list[Notice] = []
    samples = count_rows(path, export.layout, notices=notices)
    columns = zip(export.layout.names, export.layout.units, strict=True)
    infos = tuple(ChannelInfo(name, unit, export.sampling_rate, samples) for name, unit in columns)
    return SignalFile(KIND, infos, notices=tuple(notices))


def read_faros(path: Path, source: SignalSource) -> ChannelData:
    """One column.

    Raises:
        InputError: E_CHANNEL; E_SIGNAL_FILE; E_CSV_SHAPE with the row; E_CSV_AMBIGUOUS.
    """
    export = _export(path)
    layout = export.layout
    infos = [ChannelInfo(name, None, None, 0) for name in layout.names]
    column = find_channel(infos, source.channel, path=path)
    notices: list[Notice] = []
    (values,) = read_columns(
        path, layout, columns=[column], decimal=source.decimal or ".", notices=notices
    )
    if last_number_is_cut(path, layout, columns=[column], notices=notices):
        values = values[:-1]
    if export.start:
        sentence = (
            f"{_META} beside {shown(path)} states the start {export.start!a} without a time zone;"
            " it was not used to place the signal beside others."
        )
        notices.append(Notice("W_CLOCK_UNTRUSTED", sentence))
    return ChannelData(
        values, export.sampling_rate, unit=layout.units[column], notices=tuple(notices)
    )


def _export(path: Path) -> _Export:
    meta = _meta(path)
    rate = None if meta is None else meta["sample_freqs"].get(path.stem)
    if meta is None or isinstance(rate, bool) or not isinstance(rate, int | float):
        raise _damaged(path, f"{_META} states no rate for it")
    if not (math.isfinite(rate) and rate > 0):
        raise _damaged(path, f"{_META} states the rate {rate} for it")
    units = meta.get("units")
    unit = units.get(path.stem) if isinstance(units, dict) else None
    layout = table_layout(path)
    stated = unit if isinstance(unit, str) and unit.strip() else None
    layout = replace(layout, units=(stated,) * len(layout.names))
    return _Export(layout, float(rate), str(meta.get("start_time", ""))[:40])


def _meta(path: Path) -> dict[str, Any] | None:
    """The meta.json beside a table, None where there is none with an object ``sample_freqs``."""
    beside = path.parent / _META
    try:
        if check_file(beside) > _LONGEST_META:
            return None
        found = json.loads(beside.read_bytes())
    except (InputError, OSError, ValueError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("sample_freqs"), dict):
        return found
    return None


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        "E_SIGNAL_FILE",
        f"{shown(path)} cannot be read as a table of a Faros recording: {what}.",
        f"Correct {_META}, or move the table away from it and state the rate and the unit.",
    )
