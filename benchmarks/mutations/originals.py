"""The whole files that are damaged: small generated ones of each format, and real ones where there.

Every sample of a generated channel has a value of its own, so that a sample that is found again
shows whether its time is right. Real recordings come from ``../shared/data``.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mutations.pictures import made_video

FloatArray = NDArray[np.float64]
RATE = 50.0
SECONDS = 16


@dataclass(frozen=True)
class Original:
    """One whole file.

    Attributes:
        format: the row of the table that it counts for.
        name: its file name; ``beside`` holds the files that lie in its folder.
        sources: what a session states about each channel that is read, as keywords of
            ``SignalSource``; empty for a video.
        fields: key of ``fields.FIELDS``.
    """

    format: str
    name: str
    content: bytes
    sources: tuple[dict[str, Any], ...] = ()
    fields: str = "text"
    beside: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_video(self) -> bool:
        return not self.sources


def channel(seed: int, samples: int, low: float = -2.0, high: float = 2.0) -> FloatArray:
    """(samples,) values on a grid of distinct numbers of three decimals, in random order."""
    grid = np.round(np.linspace(low, high, samples), 3)
    return np.random.default_rng(seed).permutation(grid)


def all_originals(data: Path | None) -> Iterator[Original]:
    """Generated files, and those of ``data`` (the folder of real recordings) where it is given."""
    yield from _edf()
    yield from _xdf()
    yield from _opensignals()
    yield from _tables()
    for name, options in _VIDEOS.items():
        kind = name.rsplit(".", 1)[1]
        yield Original(kind, name, made_video(name, options), fields=kind)
    yield from _mat()
    yield from _numpy()
    if data is not None and data.is_dir():
        yield from _real(data)


_VIDEOS = {
    "plain.mp4": {},
    "fast.mp4": {"movflags": "+faststart"},
    "fragmented.mp4": {"movflags": "+frag_keyframe+empty_moov"},
    "plain.mkv": {},
    "clusters.mkv": {"cluster_time_limit": "200"},
}

_ECG, _EDA = {"channel": "ECG"}, {"channel": "EDA"}


def _edf() -> Iterator[Original]:
    import edfio

    for kind, signal, file, top in (
        ("edf", edfio.EdfSignal, edfio.Edf, 32767),
        ("bdf", edfio.BdfSignal, edfio.Bdf, 8388607),
    ):
        scale = {"physical_range": (-4.0, 4.0), "digital_range": (-top - 1, top)}
        signals = [
            signal(channel(1, 800), RATE, label="ECG", physical_dimension="mV", **scale),
            signal(channel(2, 64, 1, 3), 4, label="EDA", physical_dimension="uS", **scale),
        ]
        for name, more in (
            (f"plain.{kind}", {}),
            (f"annotated.{kind}", {"annotations": [edfio.EdfAnnotation(3.5, None, "bell")]}),
        ):
            buffer = io.BytesIO()
            file(signals, data_record_duration=1.0, **more).write(buffer)
            yield Original(kind, name, buffer.getvalue(), (_ECG, _EDA), "edf")


def _xdf() -> Iterator[Original]:
    def chunk(tag: int, content: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    def header(stream: int, name: str, rate: float) -> bytes:
        facts = {"name": name, "type": name, "channel_count": 1, "nominal_srate": rate}
        xml = "".join(f"<{k}>{v}</{k}>" for k, v in facts.items())
        form = "<channel_format>double64</channel_format>"
        unit = f"<channels><channel><label>{name}</label><unit>mV</unit></channel></channels>"
        xml = f"<?xml version='1.0'?><info>{xml}{form}<desc>{unit}</desc></info>"
        return chunk(2, struct.pack("<I", stream) + xml.encode())

    def samples(stream: int, values: FloatArray, times: FloatArray) -> bytes:
        parts = [b"\x08" + struct.pack("<dd", t, v) for t, v in zip(times, values, strict=True)]
        return chunk(
            3,
            struct.pack("<I", stream) + b"\x04" + struct.pack("<I", len(values)) + b"".join(parts),
        )

    def footer(stream: int, count: int, last: float) -> bytes:
        xml = "<?xml version='1.0'?><info><first_timestamp>100.0</first_timestamp>"
        xml += f"<last_timestamp>{last}</last_timestamp><sample_count>{count}</sample_count></info>"
        return chunk(6, struct.pack("<I", stream) + xml.encode())

    parts = [b"XDF:", chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")]
    parts += [header(1, "ECG", RATE), header(2, "EDA", 4.0)]
    ecg, eda = channel(1, 800), channel(2, 64, 1, 3)
    for second in range(SECONDS):
        start = 100.0 + second
        for stream in (1, 2):
            if second % 4 == 0:
                parts.append(chunk(4, struct.pack("<Idd", stream, start, 7.0)))
        if second % 6 == 5:
            parts.append(chunk(5, bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")))
        beats = slice(second * 50, second * 50 + 50)
        parts.append(samples(1, ecg[beats], start + np.arange(50) / RATE))
        parts.append(samples(2, eda[second * 4 : second * 4 + 4], start + np.arange(4) / 4))
    parts += [footer(1, 800, 100 + 799 / RATE), footer(2, 64, 115.75)]
    yield Original(
        "xdf",
        "two_streams.xdf",
        b"".join(parts),
        ({"channel": "ECG/ECG"}, {"channel": "EDA/EDA"}),
        "xdf",
    )


def _opensignals() -> Iterator[Original]:
    counts = np.random.default_rng(4).permutation(60_000)[:800] + 1000
    facts = {
        "sensor": ["ECG", "EDA"], "column": ["nSeq", "DI", "CH1", "CH2"], "label": ["CH1", "CH2"],
        "channels": [1, 2], "device": "biosignalsplux", "sampling rate": 50,
        "resolution": [16, 16], "date": "2020-1-1", "time": "10:0:0.0",
    }  # fmt: skip
    device = {"00:07:80:00:00:01": facts}
    rows = [f"{n % 65536}\t0\t{c}\t{c // 2}\t" for n, c in enumerate(counts)]
    lines = ["# OpenSignals Text File Format", f"# {json.dumps(device)}", "# EndOfHeader", *rows]
    sources = ({"channel": "CH1"}, {"channel": "CH2"})
    yield Original("opensignals", "made.txt", ("\n".join(lines) + "\n").encode(), sources, "head")
    yield Original("opensignals", "made.h5", _hdf5(_recorded, counts), sources[:1], "hdf5")


def _hdf5(write: Callable[[Any, Any], None], values: Any, userblock: int = 0) -> bytes:
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.h5"
        with h5py.File(path, "w", userblock_size=userblock) as file:
            write(file, values)
        return path.read_bytes()


def _recorded(file: Any, counts: NDArray[np.int64]) -> None:
    group = file.create_group("00:07:80:00:00:01")
    group.attrs.update({"channels": np.array([1]), "device": "biosignalsplux"})
    group.attrs.update({"resolution": np.array([16]), "sampling rate": 50, "duration": "16s"})
    raw = group.create_group("raw")
    raw.create_dataset("nSeq", data=np.arange(len(counts), dtype=np.uint16)[:, None])
    made = raw.create_dataset("channel_1", data=counts.astype(np.uint16)[:, None])
    made.attrs.update({"label": "CH1", "sensor": "ECG"})


def _variables(file: Any, values: dict[str, FloatArray]) -> None:
    for name, column in values.items():
        made = file.create_dataset(name, data=column.T)
        made.attrs["MATLAB_class"] = np.bytes_("double")


def _tables() -> Iterator[Original]:
    ecg, eda = channel(1, 800), channel(3, 800, 1, 6)
    unit = {"sampling_rate": RATE, "unit": "mV"}
    plain = ["ECG,EDA", *(f"{a:.3f},{b:.3f}" for a, b in zip(ecg, eda, strict=True))]
    timed = ["time (s),ECG (mV),EDA (uS)"]
    timed += [
        f"{n / RATE:.2f},{a:.3f},{b:.3f}" for n, (a, b) in enumerate(zip(ecg, eda, strict=True))
    ]
    comma = ["Zeit [ms];EKG;EDA"]
    comma += [f"{n * 20};{a:.3f};{b:.3f}".replace(".", ",")
              for n, (a, b) in enumerate(zip(ecg, eda, strict=True))]  # fmt: skip
    yield Original(
        "csv",
        "plain.csv",
        _joined(plain),
        ({"channel": "ECG", **unit}, {"channel": "EDA", **unit, "unit": "uS"}),
    )
    yield Original("csv", "timed.csv", _joined(timed), (_ECG, _EDA))
    yield Original(
        "csv",
        "comma.csv",
        _joined(comma),
        ({"channel": "EKG", "unit": "mV"}, {"channel": "EDA", "unit": "uS"}),
    )


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _mat() -> Iterator[Original]:
    from scipy.io import savemat

    values = {"ECG": channel(1, 800)[:, None], "EDA": channel(3, 800, 1, 6)[:, None]}
    stated = (
        {"channel": "ECG", "sampling_rate": RATE, "unit": "mV"},
        {"channel": "EDA", "sampling_rate": RATE, "unit": "uS"},
    )
    for name, more in (
        ("plain5.mat", {"format": "5"}),
        ("packed5.mat", {"format": "5", "do_compression": True}),
        ("plain4.mat", {"format": "4"}),
        ("again5.mat", {"format": "5"}),
    ):
        buffer = io.BytesIO()
        savemat(buffer, values, **more)
        fields = "mat5" if more["format"] == "5" else "none"
        yield Original("mat", name, buffer.getvalue(), stated, fields)
    content = _hdf5(_variables, values, 512)
    text = b"MATLAB 7.3 MAT-file, made by the mutation harness".ljust(124)
    head = text + b"\x00\x02IM"
    yield Original("mat", "new73.mat", head + content[len(head) :], stated[:1], "hdf5")


def _numpy() -> Iterator[Original]:
    values = np.stack([channel(1, 800), channel(3, 800, 1, 6)], axis=1)
    stated = ({"channel": 1, "sampling_rate": RATE, "unit": "mV"},)
    buffer = io.BytesIO()
    np.save(buffer, values)
    yield Original("npy", "made.npy", buffer.getvalue(), stated, "npy")
    for name, save in (("made.npz", np.savez), ("packed.npz", np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, ECG=values[:, 0], EDA=values[:, 1])
        named = ({"channel": "ECG", "sampling_rate": RATE, "unit": "mV"},)
        yield Original("npz", name, buffer.getvalue(), named, "zip")


def _real(data: Path) -> Iterator[Original]:
    """Small real files, and the first rows of large ones."""

    def text(path: str, rows: int) -> bytes:
        return b"".join((data / path).read_bytes().splitlines(keepends=True)[:rows])

    edf = (data / "plux/eda_slow_signal.edf").read_bytes()
    yield Original("edf", "plux.edf", edf, (_EDA,), "edf")
    yield Original(
        "xdf",
        "minimal.xdf",
        (data / "xdf/minimal.xdf").read_bytes(),
        ({"channel": "SendDataC/2", "unit": "1"},),
        "xdf",
    )
    yield Original(
        "opensignals", "slow.txt", text("plux/eda_slow_signal.txt", 600), ({"channel": 1},), "head"
    )
    yield Original(
        "opensignals",
        "slow.h5",
        (data / "plux/eda_slow_signal.h5").read_bytes(),
        ({"channel": 1},),
        "hdf5",
    )
    rated = {"sampling_rate": 100.0, "unit": "mV"}
    yield Original(
        "csv",
        "neurokit.csv",
        text("neurokit/bio_eventrelated_100hz.csv", 500),
        ({"channel": "ECG", **rated}, {"channel": "EDA", **rated, "unit": "uS"}),
    )
    yield Original(
        "acq",
        "r42.acq",
        (data / "acqknowledge/r42_test.acq").read_bytes(),
        ({"channel": 1}, {"channel": 2}),
        "acq",
    )
    yield Original(
        "empatica", "EDA.csv", text("empatica_e4/EDA.csv", 400), ({"channel": 1},), "text"
    )
    yield Original(
        "shimmer", "shimmer.csv", text("shimmer/read_test_data.csv", 200), ({"channel": 2},), "text"
    )
    yield Original(
        "faros",
        "ECG.csv",
        text("faros/testdir_read/ECG.csv", 800),
        ({"channel": 1},),
        "text",
        {"meta.json": (data / "faros/testdir_read/meta.json").read_bytes()},
    )
    yield Original(
        "imotions",
        "imotions.txt",
        text("exports/iMotions_Test_v6.txt", 120),
        ({"channel": "Joy Evidence", "unit": "1"},),
        "head",
    )
    yield Original(
        "openface",
        "openface.csv",
        text("exports/OpenFace_Test.csv", 80),
        ({"channel": "AU12_r", "unit": "1"},),
        "text",
    )
