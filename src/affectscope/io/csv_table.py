"""Tables of numbers as text: csv, tsv, txt, whatever the delimiter, decimal mark and encoding.

A table is read in blocks of whole lines, so that memory holds one block and the wanted columns. A
cell that is no number becomes NaN; one that contradicts the column's decimal mark is an error.

Legend: S rows of data.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import InputError
from affectscope.io.channels import (
    MAXIMUM_SAMPLES,
    ChannelData,
    ChannelInfo,
    Decimal,
    SignalFile,
    SignalSource,
    find_channel,
)
from affectscope.io.csv_blocks import Block, data_blocks
from affectscope.io.csv_layout import (
    TableLayout,
    ambiguous,
    bad_shape,
    table_layout,
)
from affectscope.io.files import shown
from affectscope.io.number_format import MISSING, OTHER, Evidence, gather, parse_number
from affectscope.io.table_words import tell_open_end
from affectscope.io.time_column import (
    TimeColumn,
    find_time_column,
    on_clock,
    read_clock,
    time_unit,
)
from affectscope.records import FloatArray, Notice

if TYPE_CHECKING:
    import pandas as pd


def inspect_table(path: Path, decimal: Decimal | None = None) -> SignalFile:
    """What columns a table holds, and its rate where a time column or a comment states it.

    Raises:
        InputError: E_CSV_SHAPE, E_CSV_AMBIGUOUS, E_SIGNAL_FILE.
    """
    layout = table_layout(path, decimal)
    notices: list[Notice] = []
    column = _time_column(path, layout, stated=None)
    timeline = None
    if column is None:
        samples = count_rows(path, layout, notices=notices)
    else:
        (stamps,) = read_columns(path, layout, columns=[column], decimal=decimal, notices=notices)
        samples = len(stamps)
        clock = _clock_of(layout, column, named=False)
        timeline, found = read_clock(path, clock, stamps=stamps, stated_rate=layout.sampling_rate)
        notices += found
    rate = layout.sampling_rate or (timeline.sampling_rate if timeline else None)
    channels = tuple(
        ChannelInfo(name, unit, rate, samples)
        for name, unit in zip(layout.names, layout.units, strict=True)
    )
    named = layout.names[column] if column is not None and timeline is not None else None
    return SignalFile("table", channels, named, tuple(notices))


def read_table(path: Path, source: SignalSource) -> ChannelData:
    """One column of a table, with the time column's rate and gaps where there is one.

    Raises:
        InputError: E_CHANNEL, E_CSV_SHAPE, E_CSV_AMBIGUOUS, E_SIGNAL_FILE.
    """
    layout = table_layout(path, source.decimal)
    infos = [
        ChannelInfo(name, unit, None, 0)
        for name, unit in zip(layout.names, layout.units, strict=True)
    ]
    column = find_channel(infos, source.channel, path=path)
    time_column = _time_column(path, layout, stated=source.time_column)
    notices: list[Notice] = []
    wanted = [column] if time_column is None else [column, time_column]
    arrays = read_columns(path, layout, columns=wanted, decimal=source.decimal, notices=notices)
    tell_open_end(path, layout, notices)
    values = arrays[0]
    if not np.isfinite(values).any():
        raise InputError(
            "E_CHANNEL",
            f"The column {layout.names[column]!r} of {shown(path)} holds no numbers.",
            "Name the column that holds the signal.",
        )
    data = ChannelData(
        values, layout.sampling_rate, unit=layout.units[column], notices=tuple(notices)
    )
    if time_column is None:
        return data
    clock = _clock_of(layout, time_column, named=source.time_column is not None)
    return on_clock(
        path,
        data,
        column=clock,
        stamps=arrays[-1],
        stated_rate=source.sampling_rate or layout.sampling_rate,
    )


def count_rows(path: Path, layout: TableLayout, *, notices: list[Notice] | None = None) -> int:
    """Rows of data, each checked for its width. Raises InputError E_CSV_SHAPE."""
    found = [] if notices is None else notices
    return sum(len(block.lines) for block in data_blocks(path, layout, notices=found))


def read_columns(
    path: Path,
    layout: TableLayout,
    *,
    columns: Sequence[int],
    decimal: Decimal | None,
    notices: list[Notice],
) -> list[FloatArray]:
    """Columns by index, each (S,) float64 with NaN for cells that hold no number.

    Appends W_FILE_TRUNCATED to ``notices`` where the last line is cut.

    Raises:
        InputError: E_CSV_SHAPE, E_CSV_AMBIGUOUS.
    """
    marks = [_decimal(path, layout, column=column, stated=decimal) for column in columns]
    arrays = [np.empty(0) for _ in columns]
    rows = 0
    for block in data_blocks(path, layout, notices=notices):
        first, rows = rows, rows + len(block.lines)
        if rows > MAXIMUM_SAMPLES:
            raise bad_shape(path, rows, what=f"is beyond the {MAXIMUM_SAMPLES} rows that are read")
        found = _numbers(path, layout, block=block, columns=columns, marks=marks)
        for array, values in zip(arrays, found, strict=True):
            array.resize(rows, refcheck=False)  # pages are moved, not copied
            array[first:] = values
    return arrays


def _decimal(path: Path, layout: TableLayout, *, column: int, stated: Decimal | None) -> Decimal:
    """The decimal mark of one column: the user's, the column's own, or else the other columns'."""
    if stated is not None:
        return stated
    found = layout.evidence[column]
    if found.decimal is None and not (found.point and found.comma):
        found = _whole_column(path, layout, column=column)
    if found.point and found.comma:
        raise ambiguous(
            path,
            f"the column {layout.names[column]!r} mixes {found.point!r} and {found.comma!r}",
        )
    if found.decimal is not None or found.ambiguous is None:
        return found.decimal or "."
    others = {evidence.decimal for evidence in layout.evidence} - {None}
    if len(others) == 1:
        return others.pop() or "."
    if layout.delimiter == "," and "," not in found.ambiguous:
        return "."  # "," separates the columns, so that "." can only be the decimal mark
    raise ambiguous(
        path,
        f"numbers such as {found.ambiguous!r} in the column {layout.names[column]!r}"
        " may hold decimals or thousands",
    )


def _whole_column(path: Path, layout: TableLayout, *, column: int) -> Evidence:
    """The evidence of all rows, read as text until something is proven."""
    found = Evidence()
    for block in data_blocks(path, layout, notices=[]):
        (tokens,) = _parse(path, layout, block=block, columns=[column], text=True)
        found += gather(tokens)
        if found.point or found.comma:
            break
    return found


def _numbers(
    path: Path,
    layout: TableLayout,
    *,
    block: Block,
    columns: Sequence[int],
    marks: Sequence[Decimal],
) -> list[FloatArray]:
    """The wanted columns of one block, each by its own decimal mark."""
    parsed: dict[int, pd.Series] = {}
    for mark in dict.fromkeys(marks):
        wanted = [column for column, its in zip(columns, marks, strict=True) if its == mark]
        parsed.update(
            zip(
                wanted, _parse(path, layout, block=block, columns=wanted, decimal=mark), strict=True
            )
        )
    return [
        _as_floats(
            path, layout.names[column], cells=parsed[column], decimal=mark, lines=block.lines
        )
        for column, mark in zip(columns, marks, strict=True)
    ]


def _parse(
    path: Path,
    layout: TableLayout,
    *,
    block: Block,
    columns: Sequence[int],
    decimal: Decimal = ".",
    text: bool = False,
) -> list[pd.Series]:
    """The block's cells as pandas reads them: numbers, or text where a cell is no number."""
    import pandas as pd

    # "\x1f" (unit separator) occurs in no table, so that a single column stays whole
    separator = r"\s+" if layout.delimiter == " " else layout.delimiter or "\x1f"
    first = int(block.lines[0])
    try:
        frame = pd.read_csv(
            BytesIO(block.text),
            sep=separator,
            header=None,
            names=range(len(layout.names) + block.trailing),
            usecols=list(columns),
            index_col=False,
            dtype=str if text else None,
            decimal=decimal,
            na_values=[] if text else list(MISSING),
            keep_default_na=False,
            na_filter=not text,
            skipinitialspace=True,
            skip_blank_lines=False,
            float_precision=None if text else "round_trip",
            low_memory=False,
            encoding="latin-1" if layout.encoding == "latin-1" else "utf-8",
            encoding_errors="replace",
        )
    except ValueError as error:  # pandas' ParserError is one; shapes were checked before
        raise bad_shape(
            path, first, what=f"or one of the rows after it cannot be read ({error})"
        ) from error
    if len(frame) != len(block.lines):
        raise bad_shape(
            path, first, what="or one of the rows after it holds a quote that is not closed"
        )
    return [frame[column] for column in columns]


def _as_floats(
    path: Path, name: str, *, cells: pd.Series, decimal: Decimal, lines: NDArray[np.int64]
) -> FloatArray:
    """(S,) float64; words become NaN, a number under the other decimal mark is an error."""
    if cells.dtype.kind in "fiu":
        values = cells.to_numpy(dtype=np.float64, copy=True)
        values[np.isinf(values)] = np.nan
        return values
    if cells.dtype.kind == "b":  # True and False are words
        return np.full(len(cells), np.nan)
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            continue  # already missing
        number = parse_number(cell, decimal)
        if number is not None:
            values[row] = number
        elif parse_number(cell, OTHER[decimal]) is not None:
            raise ambiguous(
                path,
                f"the column {name!r} is written with the decimal mark {decimal!r},"
                f" but row {lines[row]} holds {cell!r}",
            )
    values[np.isinf(values)] = np.nan
    return values


def _time_column(path: Path, layout: TableLayout, *, stated: str | int | None) -> int | None:
    """Index of the time column: the user's, or the first one whose header is a word for time."""
    if stated is None:
        return find_time_column(layout.names)
    infos = [ChannelInfo(name, None, None, 0) for name in layout.names]
    return find_channel(infos, stated, path=path)


def _clock_of(layout: TableLayout, column: int, *, named: bool) -> TimeColumn:
    name = layout.names[column]
    return TimeColumn(name, time_unit(name, layout.units[column]), named)
