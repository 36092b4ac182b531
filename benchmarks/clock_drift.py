"""How far samples lie off their true time after reading, when clocks drift, stop and are set.

    nice .venv/bin/python benchmarks/clock_drift.py [--hours 10] [--case NAME]
    .venv/bin/python benchmarks/clock_drift.py --interpolation

Simulated recordings at 256 Hz whose values are the true time of each sample, so that each sample is
an event at a known time. XDF: two streams, each with a computer's clock (drift, steps of 50 ms and
3 s) and offsets measured every 5 s with 0.3 ms of noise; stamps late by 2 ms on average. Tables:
Unix times, jitter up to 1 ms, rounded to 1 ms. A sensor's own clock drifts as the case says, and
25 s, 0.35 s and 601.7 s of samples are lost. Each file is written and read in its own process.

Prints per case the largest error in ms (between the streams of an XDF file; against Unix time for a
table), the steps set and found, and the reader's peak memory. ``--interpolation``: the error of
interpolating a real ECG (NeuroKit2, 3000 Hz) that was thinned to 250 and 500 Hz.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectscope.io.biosignals import SignalSource, TimedSignal, read_timed_signal
from affectscope.io.even_axis import between
from affectscope.records import FloatArray

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "clock_drift.json"
RATE = 256.0
UNIX = 1_700_000_000.0
CHUNK = 256


@dataclass(frozen=True)
class Case:
    """``drifts`` (ppm at the start, at the end): of the sensor. ``steps`` (share of the recording,
    s): of the clock that stamps. ``kind``: xdf or csv.
    """

    kind: str
    drifts: tuple[float, float]
    computer: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    lossy: bool = True


_STEPS = ((0.25, 0.05), (0.5, -0.05), (0.7, 3.0), (0.8, -3.0))
CASES = {
    "xdf steady": Case("xdf", (200.0, 200.0), -200.0),
    "xdf changing": Case("xdf", (20.0, 80.0), 150.0),
    "xdf steps": Case("xdf", (20.0, 80.0), 50.0, _STEPS),
    "csv -200 ppm": Case("csv", (-200.0, -200.0)),
    "csv +200 ppm": Case("csv", (200.0, 200.0)),
    "csv 20 to 80 ppm": Case("csv", (20.0, 80.0)),
    "csv set back": Case("csv", (20.0, 80.0), steps=((0.3, -0.05), (0.6, -3.0))),
    "csv set forward": Case("csv", (0.0, 0.0), steps=((0.3, 0.05), (0.6, 3.0)), lossy=False),
}  # fmt: skip


def true_times(case: Case, seconds: float, rate: float = RATE) -> FloatArray:
    """When a sensor with a drifting clock takes its samples; some are lost."""
    at = np.arange(int(seconds * rate)) / rate
    first, last = case.drifts
    times = at * (1 - first * 1e-6) - (last - first) * 1e-6 * at**2 / (2 * seconds)
    if not case.lossy:
        return times
    lost = np.zeros(len(at), dtype=bool)
    for share, length in ((0.1, 25.0), (0.45, 0.35), (0.62, 601.7 * min(1.0, seconds / 36_000))):
        lost |= (at >= share * seconds) & (at < share * seconds + length)
    return times[~lost]


def clock_of(case: Case, true: FloatArray, seconds: float) -> FloatArray:
    """A computer's clock at true times: drift, and steps where it was set."""
    shown = true * (1 + case.computer * 1e-6)
    for share, size in case.steps:
        shown = shown + size * (true >= share * seconds)
    return shown


def write_csv(path: Path, case: Case, seconds: float) -> None:
    random = np.random.default_rng(1)
    true = true_times(case, seconds)
    shown = clock_of(case, true, seconds) + random.uniform(-0.001, 0.001, len(true))
    with path.open("w") as stream:
        stream.write("timestamp (s);ECG (mV)\n")
        for start in range(0, len(true), 1 << 16):
            rows = slice(start, start + (1 << 16))
            for stamp, value in zip(UNIX + shown[rows], true[rows], strict=True):
                stream.write(f"{stamp:.3f};{value:.7f}\n")


def write_xdf(path: Path, case: Case, seconds: float) -> None:
    """Stream 1: as the case says. Stream 2: the other sign of every drift, no step."""
    random = np.random.default_rng(2)
    with path.open("wb") as stream:
        stream.write(b"XDF:" + chunk(1, b"<info><version>1.0</version></info>"))
        for number in (1, 2):
            other = Case("xdf", (-case.drifts[0], -case.drifts[1]), -case.computer)
            xdf_stream(stream, number, case if number == 1 else other, (random, seconds))


def xdf_stream(stream, number: int, case: Case, made) -> None:  # type: ignore[no-untyped-def]
    random, seconds = made
    facts = {"name": f"S{number}", "type": "ECG", "channel_count": 1, "nominal_srate": RATE,
             "channel_format": "double64"}  # fmt: skip
    xml = "".join(f"<{key}>{value}</{key}>" for key, value in facts.items())
    stream.write(chunk(2, struct.pack("<I", number) + f"<info>{xml}</info>".encode()))
    true = true_times(case, seconds)
    shown = clock_of(case, true, seconds) + 1000.0 * number
    rows = np.zeros(len(true), dtype=[("flag", "u1"), ("stamp", "<f8"), ("value", "<f8")])
    rows["flag"], rows["value"] = 8, true
    rows["stamp"] = shown + random.exponential(0.002, len(true))
    next_offset = 0.0
    for start in range(0, len(true), CHUNK):
        if true[start] >= next_offset:
            offset = true[start] - shown[start] + random.normal(0, 3e-4)
            stream.write(chunk(4, struct.pack("<Idd", number, shown[start], offset)))
            next_offset = true[start] + 5.0
        part = rows[start : start + CHUNK]
        head = struct.pack("<IBI", number, 4, len(part))
        stream.write(chunk(3, head + part.tobytes()))


def chunk(tag: int, content: bytes) -> bytes:
    return struct.pack("<BIH", 4, len(content) + 2, tag) + content


def errors_ms(timed: TimedSignal, *, zero: float) -> FloatArray:
    """Per sample, by how much its time differs from the true one that it holds."""
    off = timed.signal.times
    off += zero
    off -= timed.signal.values
    return 1000.0 * off[np.isfinite(off)]


def found_steps(timed: TimedSignal, case: Case, seconds: float) -> tuple[int, int]:
    """Steps of the case that the result tells within 1 s, and what else it calls a reset."""
    told = [n.start for n in timed.notices if n.code == "W_TIME_RESET" and n.start is not None]
    told += [n.start for n in timed.notices if n.code == "W_MISSING" and n.start and not case.lossy]
    at = [share * seconds for share, _ in case.steps]
    found = sum(any(abs(start - time) < 1.0 for start in told) for time in at)
    return found, sum(all(abs(start - time) >= 1.0 for time in at) for start in told)


def read_case(path: Path, name: str, seconds: float) -> dict[str, object]:
    case = CASES[name]
    if case.kind == "csv":
        timed = read_timed_signal(path, SignalSource("ECG", sampling_rate=RATE))
        off = errors_ms(timed, zero=(timed.unix_start or 0.0) - UNIX)
    else:
        timed = read_timed_signal(path, SignalSource("S1/1", unit="mV"))
        off = errors_ms(timed, zero=0.0)
        other = errors_ms(read_timed_signal(path, SignalSource("S2/1", unit="mV")), zero=0.0)
        middle = (off.min() + off.max() + other.min() + other.max()) / 4  # time 0 is a late stamp
        off = np.array([off.min(), off.max(), other.min(), other.max()]) - middle
    assert timed.clock is not None
    found, more = found_steps(timed, case, seconds)
    return {
        "largest_error_ms": round(float(np.abs(off).max()), 3),
        "steps_set": len(case.steps),
        "steps_found": found,
        "other_resets": more,
        "drift_ppm": None if timed.clock.drift is None else round(timed.clock.drift, 2),
        "drift_range_ppm": [round(value, 1) for value in timed.clock.drift_range],
        "residual_ms": round(timed.clock.residual, 3),
        "resampled": timed.clock.resampled,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def interpolation() -> None:
    """Largest error in percent of the ECG's range, half a sample between samples and elsewhere."""
    source = ROOT.parent / "shared" / "data" / "neurokit" / "ecg_3000hz.csv"
    ecg = np.loadtxt(source, skiprows=1, delimiter=",", ndmin=2)[:, 0]
    for rate in (250, 500):
        thin = 3000 // rate
        low_pass = np.sinc(np.arange(-20 * thin, 20 * thin + 1) * 0.9 / thin)
        low_pass *= np.hamming(len(low_pass))
        smooth = np.convolve(ecg, low_pass / low_pass.sum(), "same")
        values = smooth[::thin]
        at = np.arange(50, len(values) - 50)
        worst = {"straight line": 0.0, "four samples": 0.0, "six samples": 0.0}
        for shift in range(1, thin):
            true, position = smooth[at * thin + shift], at + shift / thin
            trials = {
                "straight line": np.interp(position, np.arange(len(values)), values),
                "four samples": cubic(values, position),
                "six samples": between(values, position),
            }
            for name, trial in trials.items():
                worst[name] = max(worst[name], float(np.abs(trial - true).max()))
        spread = float(np.ptp(values[50:-50]))
        print(rate, "Hz:", {n: f"{100 * w / spread:.2f} %" for n, w in worst.items()})


def cubic(values: FloatArray, position: FloatArray) -> FloatArray:
    k = np.floor(position).astype(int)
    t = position - k
    weights = (-t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2,
               -(t + 1) * t * (t - 2) / 2, (t + 1) * t * (t - 1) / 6)  # fmt: skip
    return np.asarray(sum(w * values[k + n - 1] for n, w in enumerate(weights)))


def in_own_process(step: str, name: str, path: Path, hours: float) -> str:
    command = [sys.executable, __file__, "--step", step, "--case", name, "--file", str(path)]
    done = subprocess.run([*command, "--hours", str(hours)], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--interpolation", action="store_true")
    parser.add_argument("--step", choices=["write", "read"])
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    seconds = 3600 * given.hours
    if given.interpolation:
        interpolation()
    elif given.step == "write":
        writer = write_csv if CASES[given.case].kind == "csv" else write_xdf
        writer(given.file, CASES[given.case], seconds)
    elif given.step == "read":
        print(json.dumps(read_case(given.file, given.case, seconds)))
    else:
        figures = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in [given.case] if given.case else CASES:
                path = Path(folder) / f"case.{CASES[name].kind}"
                in_own_process("write", name, path, given.hours)
                figures[name] = json.loads(in_own_process("read", name, path, given.hours))
                print(name, json.dumps(figures[name]), flush=True)
        if not given.case:
            RESULT.write_text(json.dumps({"hours": given.hours, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
