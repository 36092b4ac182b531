"""Each reader as one function: a file and what is stated about its channels -> a ``Reading``.

``affectscope`` runs in the project's environment; the others wherever they can be imported.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mutations.pictures import told_number
from mutations.readings import Channel, Reading

Sources = Sequence[dict[str, Any]]
_MEANT = (OSError, ValueError, RuntimeError, NotImplementedError, EOFError)


def affectscope(path: Path, sources: Sources, reading: Reading) -> None:
    """The public path: look at the file, then read each channel, or every frame."""
    from affectscope.errors import AffectScopeError

    if not sources:
        try:
            _our_video(path, reading)
        except AffectScopeError as error:
            reading.refused.append(error.code)
        return
    from affectscope.io.biosignals import SignalSource, inspect_signals, read_timed_signal

    try:
        inspect_signals(path)
    except AffectScopeError as error:
        reading.refused.append(error.code)
    for source in sources:
        try:
            timed = read_timed_signal(path, SignalSource(**source))
        except AffectScopeError as error:
            reading.refused.append(error.code)
            reading.channels.append(None)
            continue
        signal = timed.signal
        start = signal.start_time + (timed.unix_start or 0.0)
        reading.channels.append(Channel(signal.values, signal.sampling_rate, start))
        reading.told += [notice.code for notice in timed.notices]


def _our_video(path: Path, reading: Reading) -> None:
    from affectscope.io.video import FrameReader, inspect_video

    frames = FrameReader(inspect_video(path))
    reading.pictures += [(frame.time, told_number(frame.rgb)) for frame in frames]
    reading.told += [notice.code for notice in frames.notices]


def pyav(path: Path, _: Sources, reading: Reading) -> None:
    """Every frame that a plain loop gives."""
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb24")
            reading.pictures.append((frame.time or 0.0, told_number(rgb)))


def pyxdf(path: Path, sources: Sources, reading: Reading) -> None:
    """Streams by name; de-jittering and clock offsets as it does them by itself."""
    import pyxdf as library

    streams, _ = library.load_xdf(str(path))
    found = {s["info"]["name"][0]: s for s in streams if s["info"]["name"]}
    for source in sources:
        name, _, label = source["channel"].partition("/")
        stream = found.get(name)
        if stream is None or not len(stream["time_stamps"]):
            reading.channels.append(None)
            continue
        column = int(label) - 1 if label.isdigit() else 0
        values = np.asarray(stream["time_series"], dtype=np.float64)[:, column]
        times = stream["time_stamps"]
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
        reading.channels.append(Channel(values, float(rate), 0.0))


def mne(path: Path, sources: Sources, reading: Reading) -> None:
    import mne as library

    load = library.io.read_raw_bdf if path.suffix == ".bdf" else library.io.read_raw_edf
    raw = load(path, verbose="warning")
    for source in sources:
        if source["channel"] not in raw.ch_names:
            reading.channels.append(None)
            continue
        values = raw.get_data(picks=[source["channel"]])[0].astype(np.float64)
        reading.channels.append(Channel(values, float(raw.info["sfreq"]), 0.0))


def scipy_or_h5py(path: Path, sources: Sources, reading: Reading) -> None:
    with path.open("rb") as stream:
        is_hdf5 = b"\x89HDF" in stream.read(520)
    if is_hdf5:
        import h5py

        with h5py.File(path, "r") as file:
            found = {source["channel"]: file[source["channel"]][()] for source in sources}
    else:
        from scipy.io import loadmat

        found = loadmat(path)
    for source in sources:
        values = np.asarray(found[source["channel"]], dtype=np.float64).ravel()
        reading.channels.append(Channel(values, source["sampling_rate"], 0.0))


def pandas(path: Path, sources: Sources, reading: Reading) -> None:
    """``read_csv`` told what it needs to know; the time column is not looked at."""
    import pandas as library

    comma = path.name.startswith("comma")
    table = library.read_csv(path, sep=";" if comma else ",", decimal="," if comma else ".")
    for source in sources:
        name = next((c for c in table if str(c).split(" (")[0] == source["channel"]), None)
        if name is None:
            reading.channels.append(None)
            continue
        values = library.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
        reading.channels.append(Channel(values, source.get("sampling_rate", 50.0), 0.0))


READERS: dict[str, Callable[[Path, Sources, Reading], None]] = {
    "affectscope": affectscope,
    "pyav": pyav,
    "pyxdf": pyxdf,
    "mne": mne,
    "scipy, h5py": scipy_or_h5py,
    "pandas": pandas,
}

PEERS = {
    "edf": "mne", "bdf": "mne", "xdf": "pyxdf", "csv": "pandas", "mp4": "pyav", "mkv": "pyav",
    "mat": "scipy, h5py",
}  # fmt: skip
"""Which other reader is tried on a format."""


def read(reader: str, path: Path, sources: Sources) -> Reading:
    """One file by one reader. What another reader logs or warns of counts as told.

    An error of another reader is one that it means to raise where it is of its own package, or an
    OSError, ValueError (no UnicodeError), RuntimeError, NotImplementedError or EOFError.
    """
    reading = Reading()
    logged = _Logged(reading.told)
    root = logging.getLogger()
    root.addHandler(logged)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            READERS[reader](path, sources, reading)
        if reader != "affectscope":
            reading.told += [type(w.message).__name__ for w in caught]
    except Exception as error:
        meant = isinstance(error, _MEANT) and not isinstance(error, UnicodeError)
        own = type(error).__module__.split(".")[0] in reader
        is_refusal = reader != "affectscope" and (meant or own)
        (reading.refused if is_refusal else reading.untyped).append(repr(error)[:200])
    finally:
        root.removeHandler(logged)
    return reading


class _Logged(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.told = told

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.levelname)
