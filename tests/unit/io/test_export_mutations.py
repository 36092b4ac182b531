"""Exports of wearables, cut, flipped, with bytes put in and lying numbers: a code, or a result.

``mutate`` and ``broken_promises`` are what a longer run calls with more seeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import (
    SignalSource,
    TimedSignal,
    inspect_signals,
    read_timed_signal,
)

SEEDS = 36


def empatica() -> bytes:
    rows = [f"{0.5 + n / 1000:.6f}" for n in range(60)]
    return "\n".join(["1560279825.000000", "4.000000", *rows, ""]).encode()


def acceleration() -> bytes:
    tops = [", ".join(["1560279825.000000"] * 3), ", ".join(["32.000000"] * 3)]
    return "\n".join([*tops, *(f"{n},{60 - n},{n % 7}" for n in range(60)), ""]).encode()


def shimmer() -> bytes:
    tops = [
        '"sep=;"',
        "S_Timestamp_Unix_CAL;S_GSR_Skin_Conductance_CAL;S_GSR_RAW;",
        "ms;uS;no_units;",
    ]
    rows = [f"{1595933810000 + n * 20}.0;{0.5 + n / 1000:.3f};{n};" for n in range(60)]
    return "\r\n".join([*tops, *rows, ""]).encode()


def shimmer_by_day() -> bytes:
    tops = ["sep=\t", "S_Timestamp_FormattedUnix_CAL\tS_GSR_Skin_Conductance_CAL\t"]
    tops += ["yyyy/mm/dd hh:mm:ss.000\tuS\t"]
    rows = [f"2021/03/04 10:11:{n // 10:02d}.{n % 10}00\t{0.5 + n / 1000:.3f}\t" for n in range(60)]
    return "\r\n".join([*tops, *rows, ""]).encode()


def imotions() -> bytes:
    tops = [
        "#Study : x",
        "#Version : 6.1",
        "",
        "StudyName\tEventSource\tTimestamp\tGSR CAL (µSiemens)\tJoy",
    ]
    rows = []
    for n in range(90):
        gsr, joy = ("", n) if n % 3 else (f"{0.5 + n / 1000:.3f}", "")
        rows.append(f"x\t{'ABB'[n % 3]}\t{n * 10}\t{gsr}\t{joy}")
    return "\r\n".join([*tops, *rows, ""]).encode()


def openface() -> bytes:
    names = "frame, timestamp, confidence, success, AU01_r, AU12_r"
    rows = [f"{n + 1},{n / 25:.3f},0.9,{int(n != 7)},{n / 1000:.3f},{n}" for n in range(60)]
    return "\n".join([names, *rows, ""]).encode()


def faros() -> bytes:
    return "\n".join(["ECG", *(f"{n * 7 % 50}.5" for n in range(60)), ""]).encode()


META = (
    b'{"start_time": "2018-10-12 16:54:12", "sample_freqs": {"ECG": 500.0}, "units": {"ECG": "uV"}}'
)

EXPORTS: dict[str, tuple[Callable[[], bytes], SignalSource]] = {
    "empatica": (empatica, SignalSource(1, unit="uS")),
    "acceleration": (acceleration, SignalSource(2, unit="1")),
    "shimmer": (shimmer, SignalSource(2)),
    "shimmer by day": (shimmer_by_day, SignalSource(2)),
    "imotions": (imotions, SignalSource(4)),
    "openface": (openface, SignalSource(5, unit="1")),
    "faros": (faros, SignalSource(1)),
}


def mutate(content: bytes, seed: int) -> bytes:
    """Cut, flip bits, put bytes in, take a span out or double it, or replace a number by a lie."""
    random = np.random.default_rng(seed)
    at, length = int(random.integers(len(content))), int(random.integers(1, 40))
    lies = [
        b"-1",
        b"0",
        b"1e308",
        b"nan",
        b"99999999999999999999",
        b"",
        b"4,000",
        b'"',
        b"\xff\xfe",
    ]
    match seed % 6:
        case 0:
            return content[:at]
        case 1:
            flipped = bytearray(content)
            for place in random.integers(len(content), size=4):
                flipped[place] ^= 1 << int(random.integers(8))
            return bytes(flipped)
        case 2:
            return content[:at] + random.bytes(length) + content[at:]
        case 3:
            return content[:at] + content[at + length :]
        case 4:
            return content[: at + length] + content[at:]
        case _:
            lines = content.split(b"\n")
            row = int(random.integers(min(8, len(lines))))
            cells = lines[row].replace(b";", b",").replace(b"\t", b",").split(b",")
            cell = cells[int(random.integers(len(cells)))]
            lines[row] = lines[row].replace(cell, lies[int(random.integers(len(lies)))], 1)
            return b"\n".join(lines)


def outcome(path: Path, source: SignalSource) -> TimedSignal | InputError:
    """What both verbs make of a file: the signal, or the error. Anything untyped is raised."""
    with suppress(InputError):
        inspect_signals(path)
    try:
        return read_timed_signal(path, source)
    except InputError as error:
        return error


def broken_promises(folder: Path, kind: str, seeds: range) -> dict[int, str]:
    """Per seed what is wrong with how the mutated file was taken; empty where nothing is."""
    make, source = EXPORTS[kind]
    path = folder / "ECG.csv"
    (folder / "meta.json").write_bytes(META if kind == "faros" else b"{}")
    path.write_bytes(make())
    whole = outcome(path, source)
    assert isinstance(whole, TimedSignal)
    found = {seed: _broken(path, kind, seed=seed, whole=whole) for seed in seeds}
    return {seed: what for seed, what in found.items() if what is not None}


def _broken(path: Path, kind: str, *, seed: int, whole: TimedSignal) -> str | None:
    make, source = EXPORTS[kind]
    content = make()
    (path.parent / "meta.json").write_bytes(META if kind == "faros" else b"{}")
    if kind == "faros" and seed % 2:
        path.write_bytes(content)
        (path.parent / "meta.json").write_bytes(mutate(META, seed))
    else:
        path.write_bytes(mutate(content, seed))
    found = outcome(path, source)
    if isinstance(found, InputError):
        return None if found.sentence and found.remedy else f"{found.code} says too little"
    if seed % 6 == 0 and path.read_bytes() != content:
        last = kind in ("empatica", "faros")
        return _wrong_with_cut(whole, found, last=last, rows=path.read_bytes())
    missing = np.isnan(found.signal.values).sum() > np.isnan(whole.signal.values).sum()
    told = bool(found.notices)
    return "samples went missing in silence" if missing and not told else None


def _wrong_with_cut(
    whole: TimedSignal, found: TimedSignal, *, last: bool, rows: bytes
) -> str | None:
    """A cut file gives the first samples of the whole one, and says where a row was cut.

    A row that lacks the end of another column's number has lost nothing of this one.
    """
    kept = len(found.signal.values)
    if not np.array_equal(found.signal.values, whole.signal.values[:kept], equal_nan=True):
        return "a cut file gave other samples"
    before, row = rows.splitlines()[-2:]
    short = len(re.split(rb"[;,\t]", row)) < len(re.split(rb"[;,\t]", before))
    cut = not rows.endswith((b"\n", b"\r")) and (short or last)
    told = any(notice.code == "W_FILE_TRUNCATED" for notice in found.notices)
    return "a row was cut in silence" if cut and not told else None


@pytest.mark.parametrize("kind", EXPORTS)
def test_P25_P27_mutated_exports_end_in_a_code_or_a_result(tmp_path: Path, kind: str) -> None:
    assert broken_promises(tmp_path, kind, range(SEEDS)) == {}
