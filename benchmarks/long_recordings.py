"""Ten-hour recordings of every format, written in pieces: a block of samples over and over.

Each writer takes a folder and seconds and returns the file and the channels that a session would
read. No writer holds more than a few blocks; what the format counts is put into its header first.
Simulated values: noise with a range of its own per channel.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Written = tuple[Path, list[dict[str, Any]]]
CHANNELS = 8
RATE = 256
_BLOCK = 60  # seconds
_ECG, _EDA = {"channel": "ECG"}, {"channel": "EDA"}
_NAMES = ("ECG", "EDA", "RESP", "PPG", "TEMP", "EMG", "X", "Y")


def block(rate: int, channels: int, top: float = 1000.0) -> NDArray[np.float64]:
    """(60 s x rate, channels) of noise around the middle of [0, top]."""
    random = np.random.default_rng(1)
    return top / 2 + top / 20 * random.standard_normal((_BLOCK * rate, channels))


def edf(folder: Path, seconds: int) -> Written:
    return _edf(folder / "ten.edf", seconds, 2, noisy_minute)


def bdf(folder: Path, seconds: int) -> Written:
    return _edf(folder / "ten.bdf", seconds, 3, noisy_minute)


def lifelike_edf(folder: Path, seconds: int) -> Written:
    """ECG and EDA of a simulated person, drawn anew each minute."""
    return _edf(folder / "person.edf", seconds, 2, lifelike_minute)


def noisy_minute(_: int) -> NDArray[np.float64]:
    """(60 s x 256, 8) shares of the range, the same each minute."""
    return block(RATE, CHANNELS, 1.0)


def lifelike_minute(minute: int) -> NDArray[np.float64]:
    """(60 s x 256, 8) shares of the range -4 to 4 mV, and uS."""
    from affectscope.datasets.synthetic import affect_labels
    from affectscope.datasets.synthetic_signals import draw_body, ecg_values, eda_values
    from affectscope.records import Labels

    traits = draw_body(np.random.default_rng(1))
    course = Labels(np.array([0.0, 60.0]), affect_labels(np.zeros(2), np.zeros(2)))
    random = np.random.default_rng([2, minute])
    facts = {"duration": 60.0, "sampling_rate": float(RATE), "generator": random}
    shares = block(RATE, CHANNELS, 1.0)
    shares[:, 0] = 0.5 + ecg_values(traits, course, **facts) / 8
    shares[:, 1] = np.clip(eda_values(traits, course, **facts), 0, 7.9) / 16 + 0.5
    return shares


def _edf(
    path: Path, seconds: int, width: int, minute: Callable[[int], NDArray[np.float64]]
) -> Written:
    """Eight channels; ``minute`` gives shares of the digital range."""
    top = 2 ** (8 * width - 1) - 1
    version = b"\xffBIOSEMI" if width == 3 else b"0".ljust(8)
    head = version + b"".ljust(160) + b"01.01.2001.01.01"
    head += str(256 * (1 + CHANNELS)).encode().ljust(8) + b"".ljust(44)
    head += str(seconds).encode().ljust(8) + b"1".ljust(8) + str(CHANNELS).encode().ljust(4)
    for texts, size in (
        (_NAMES, 16), ([""] * 8, 80), (["mV", "uS", *["mV"] * 6], 8),
        (["-4", "-8", *["-4"] * 6], 8), (["4", "8", *["4"] * 6], 8),
        ([str(-top - 1)] * 8, 8), ([str(top)] * 8, 8), ([""] * 8, 80),
        ([str(RATE)] * 8, 8), ([""] * 8, 32),
    ):  # fmt: skip
        head += b"".join(text.encode().ljust(size) for text in texts)
    with path.open("wb") as stream:
        stream.write(head)
        for number in range(seconds // _BLOCK):
            counts = np.rint((2 * minute(number) - 1) * top).astype("<i4")
            records = counts.reshape(_BLOCK, RATE, CHANNELS).transpose(0, 2, 1)
            whole = np.ascontiguousarray(records).reshape(-1).view(np.uint8).reshape(-1, 4)
            stream.write(whole[:, :width].tobytes())
    return path, [_ECG, _EDA]


def xdf(folder: Path, seconds: int) -> Written:
    path = folder / "ten.xdf"

    def chunk(tag: int, content: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    units = ["mV", "uS", *["mV"] * 6]
    labels = "".join(f"<channel><label>{n}</label><unit>{u}</unit></channel>"
                     for n, u in zip(_NAMES, units, strict=True))  # fmt: skip
    xml = (f"<?xml version='1.0'?><info><name>Amp</name><type>ECG</type><channel_count>{CHANNELS}"
           f"</channel_count><nominal_srate>{RATE}</nominal_srate><channel_format>float32"
           f"</channel_format><desc><channels>{labels}</channels></desc></info>")  # fmt: skip
    row = np.dtype([("stamped", "u1"), ("time", "<f8"), ("values", "<f4", (CHANNELS,))])
    rows = np.zeros(RATE, dtype=row)
    rows["stamped"], rows["values"] = 8, block(RATE, CHANNELS)[:RATE]
    with path.open("wb") as stream:
        stream.write(
            b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        )
        stream.write(chunk(2, struct.pack("<I", 1) + xml.encode()))
        for second in range(seconds):
            if second % 5 == 0:
                stream.write(chunk(4, struct.pack("<Idd", 1, 100.0 + second, 7.0)))
            rows["time"] = 100.0 + second + np.arange(RATE) / RATE
            head = struct.pack("<I", 1) + b"\x04" + struct.pack("<I", RATE)
            stream.write(chunk(3, head + rows.tobytes()))
        count = f"<?xml version='1.0'?><info><sample_count>{seconds * RATE}</sample_count></info>"
        stream.write(chunk(6, struct.pack("<I", 1) + count.encode()))
    return path, [{"channel": "Amp/ECG"}, {"channel": "Amp/EDA"}]


def _text(path: Path, head: str, rows: Callable[[int], Iterator[str]], minutes: int) -> None:
    with path.open("w") as stream:
        stream.write(head)
        for minute in range(minutes):
            stream.writelines(rows(minute))


def csv_512_hz(folder: Path, seconds: int) -> Written:
    path, rate = folder / "ten.csv", 512
    cells = [",".join(f"{v:.3f}" for v in row) + "\n" for row in block(rate, 4, 4.0)]

    def rows(minute: int) -> Iterator[str]:
        return (f"{60 * minute + n / rate:.6f},{row}" for n, row in enumerate(cells))

    _text(path, "time (s),ECG (mV),EDA (uS),RESP (mV),PPG (mV)\n", rows, seconds // 60)
    return path, [_ECG, _EDA]


def opensignals_text(folder: Path, seconds: int) -> Written:
    path, rate = folder / "ten.txt", 256
    facts = {
        "sensor": ["ECG", "EDA", "RESP", "BVP"],
        "column": ["nSeq", "DI", "CH1", "CH2", "CH3", "CH4"],
        "label": ["CH1", "CH2", "CH3", "CH4"], "channels": [1, 2, 3, 4], "device": "biosignalsplux",
        "sampling rate": rate, "resolution": [16] * 4, "date": "2020-1-1", "time": "10:0:0.0",
    }  # fmt: skip
    cells = ["\t".join(str(int(v)) for v in row) + "\t\n" for row in block(rate, 4, 60000)]

    def rows(minute: int) -> Iterator[str]:
        first = 60 * rate * minute
        return (f"{(first + n) % 65536}\t0\t{row}" for n, row in enumerate(cells))

    header = json.dumps({"00:07:80:00:00:01": facts})
    _text(path, f"# OpenSignals Text File Format\n# {header}\n# EndOfHeader\n", rows, seconds // 60)
    return path, [{"channel": "CH1"}, {"channel": "CH2"}]


def opensignals_h5_1000_hz(folder: Path, seconds: int) -> Written:
    import h5py

    path, rate = folder / "ten.h5", 1000
    with h5py.File(path, "w") as file:
        group = file.create_group("00:07:80:00:00:01")
        group.attrs.update({"channels": np.arange(1, 9), "device": "biosignalsplux",
                            "resolution": np.full(8, 16), "sampling rate": rate,
                            "duration": f"{seconds}s"})  # fmt: skip
        raw = group.create_group("raw")
        length = seconds * rate
        counter = raw.create_dataset("nSeq", (length, 1), "u2", chunks=(60 * rate, 1))
        values = block(rate, CHANNELS, 60000).astype(np.uint16)
        made = []
        for number in range(CHANNELS):
            one = raw.create_dataset(
                f"channel_{number + 1}", (length, 1), "u2", chunks=(60 * rate, 1)
            )
            sensor = ("ECG", "EDA")[number] if number < 2 else "RESP"
            one.attrs.update({"label": f"CH{number + 1}", "sensor": sensor})
            made.append(one)
        for first in range(0, length, 60 * rate):
            counter[first : first + 60 * rate, 0] = np.arange(first, first + 60 * rate) % 65536
            for number, one in enumerate(made):
                one[first : first + 60 * rate, 0] = values[:, number]
    return path, [{"channel": "CH1"}, {"channel": "CH2"}]


_STATED = [
    {"channel": 1, "sampling_rate": float(RATE), "unit": "mV"},
    {"channel": 2, "sampling_rate": float(RATE), "unit": "uS"},
]
_NAMED = [{**stated, "channel": name} for stated, name in zip(_STATED, _NAMES, strict=False)]


def npy(folder: Path, seconds: int) -> Written:
    path = folder / "ten.npy"
    made = np.lib.format.open_memmap(path, "w+", np.float32, (seconds * RATE, CHANNELS))
    values = block(RATE, CHANNELS)
    for first in range(0, len(made), len(values)):
        made[first : first + len(values)] = values
    made.flush()
    return path, _STATED


def npz(folder: Path, seconds: int) -> Written:
    import zipfile

    path = folder / "ten.npz"
    values = block(RATE, CHANNELS).astype(np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(_NAMES):
            head = io.BytesIO()
            shape = {"descr": "<f4", "fortran_order": False, "shape": (seconds * RATE,)}
            np.lib.format.write_array_header_1_0(head, shape)
            with archive.open(f"{name}.npy", "w") as member:
                member.write(head.getvalue())
                for _ in range(seconds // _BLOCK):
                    member.write(values[:, number].tobytes())
    return path, _NAMED


def mat_5(folder: Path, seconds: int) -> Written:
    path, samples = folder / "ten.mat", seconds * RATE
    values = block(RATE, CHANNELS).astype(np.float32)
    with path.open("wb") as stream:
        stream.write(b"MATLAB 5.0 MAT-file, simulated".ljust(124) + b"\x00\x01IM")
        for number, name in enumerate(_NAMES):
            body = struct.pack("<4I", 6, 8, 7, 0) + struct.pack("<2I2i", 5, 8, samples, 1)
            body += struct.pack("<HH4s", 1, len(name), name.encode()) + struct.pack(
                "<2I", 7, 4 * samples
            )
            padding = -4 * samples % 8
            stream.write(struct.pack("<2I", 14, len(body) + 4 * samples + padding) + body)
            for _ in range(seconds // _BLOCK):
                stream.write(values[:, number].tobytes())
            stream.write(bytes(padding))
    return path, _NAMED


def mat_73(folder: Path, seconds: int) -> Written:
    import h5py

    path, samples = folder / "ten73.mat", seconds * RATE
    values = block(RATE, CHANNELS).astype(np.float32)
    with h5py.File(path, "w", userblock_size=512) as file:
        for number, name in enumerate(_NAMES):
            made = file.create_dataset(name, (1, samples), "f4", chunks=(1, len(values)))
            made.attrs["MATLAB_class"] = np.bytes_("single")
            for first in range(0, samples, len(values)):
                made[0, first : first + len(values)] = values[:, number]
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, simulated".ljust(124) + b"\x00\x02IM")
    return path, _NAMED


def acqknowledge(folder: Path, seconds: int) -> Written:
    """Version 4 (84), big-endian, 16 bit counts, all channels at one rate."""
    path, samples = folder / "ten.acq", seconds * RATE
    graph = bytearray(2410)
    struct.pack_into(">hiih4xd", graph, 0, 0, 84, 2410, CHANNELS, 1000.0 / RATE)
    parts = [bytes(graph)]
    for number, name in enumerate(_NAMES):
        head = bytearray(1826)
        unit = b"microsiemens" if number == 1 else b"mV"
        struct.pack_into(">i2x40s22x20sidd", head, 0, 1826, name.encode(), unit, samples, 1e-4, 0.0)
        struct.pack_into(">h", head, 152, 1)
        parts.append(bytes(head))
    parts.append(struct.pack(">i", 30).ljust(30, b"\x01") + struct.pack(">2h", 2, 2) * CHANNELS)
    stored = block(RATE, CHANNELS, 30000).astype(">i2").tobytes()
    with path.open("wb") as stream:
        stream.write(b"".join(parts))
        for _ in range(seconds // _BLOCK):
            stream.write(stored)
        stream.write(struct.pack(">ii", 8, 1) + struct.pack(">i", 60).ljust(60, b"\0"))
    return path, [_ECG, _EDA]


def empatica_bvp(folder: Path, seconds: int) -> Written:
    path = folder / "BVP.csv"
    cells = [f"{v:.2f}\n" for v in block(64, 1)[:, 0]]
    _text(path, "1560279825.000000\n64.000000\n", lambda _: iter(cells), seconds // 60)
    return path, [{"channel": 1, "unit": "1"}]


def faros_500_hz(folder: Path, seconds: int) -> Written:
    path = folder / "ECG.csv"
    cells = [f"{v:.1f}\n" for v in block(500, 1)[:, 0]]
    _text(path, "ECG\n", lambda _: iter(cells), seconds // 60)
    facts = {
        "start_time": "2018-10-12 16:54:12",
        "sample_freqs": {"ECG": 500.0},
        "units": {"ECG": "uV"},
    }
    (folder / "meta.json").write_text(json.dumps(facts))
    return path, [{"channel": 1}]


def shimmer_51_hz(folder: Path, seconds: int) -> Written:
    path = folder / "shimmer.csv"
    cells = [f"{v:.4f};{v:.1f};\r\n" for v in block(50, 1, 10)[:, 0]]

    def rows(minute: int) -> Iterator[str]:
        start = 1595933810000 + 60_000 * minute
        return (f"{start + 20 * n}.0;{row}" for n, row in enumerate(cells))

    head = '"sep=;"\r\nS_Timestamp_Unix_CAL;S_GSR_Skin_Conductance_CAL;S_GSR_RAW;\r\n'
    head += "ms;uS;no_units;\r\n"
    _text(path, head, rows, seconds // 60)
    return path, [{"channel": 2}]


def imotions(folder: Path, seconds: int) -> Written:
    path = folder / "imotions.txt"
    cells = [f"\t{v:.4f}\t\r\n" for v in block(100, 1, 10)[:, 0]]

    def rows(minute: int) -> Iterator[str]:
        return (f"x\tShimmer\t{60_000 * minute + 10 * n}{row}" for n, row in enumerate(cells))

    head = "#Study : x\r\n#Version : 6.1\r\n\r\n"
    head += "StudyName\tEventSource\tTimestamp\tGSR CAL (µSiemens)\tJoy\r\n"
    _text(path, head, rows, seconds // 60)
    return path, [{"channel": 4}]


def openface_30_hz(folder: Path, seconds: int) -> Written:
    path = folder / "openface.csv"
    cells = [f"0.9,1,{v:.2f},{v:.2f}\n" for v in block(30, 1, 5)[:, 0]]

    def rows(minute: int) -> Iterator[str]:
        first = 1800 * minute
        return (f"{first + n + 1},{(first + n) / 30:.3f},{row}" for n, row in enumerate(cells))

    _text(path, "frame, timestamp, confidence, success, AU01_r, AU12_r\n", rows, seconds // 60)
    return path, [{"channel": 5, "unit": "1"}]


def mp4_1_fps(folder: Path, seconds: int) -> Written:
    return _video(folder / "ten.mp4", seconds)


def mkv_1_fps(folder: Path, seconds: int) -> Written:
    return _video(folder / "ten.mkv", seconds)


def _video(path: Path, seconds: int) -> Written:
    """One picture a second, 320 x 240, H.264; the same picture stays for half a minute."""
    import av

    random = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x264-params": "log-level=none"}
        stream = container.add_stream("libx264", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        coarse = np.zeros((30, 40, 3), dtype=np.uint8)
        for second in range(seconds):
            if second % 30 == 0:
                coarse = random.integers(40, 200, (30, 40, 3)).astype(np.uint8)
            rgb = np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8))
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = second, Fraction(1, 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path, []


WRITERS: dict[str, Callable[[Path, int], Written]] = {
    made.__name__: made
    for made in (edf, bdf, xdf, csv_512_hz, opensignals_text, opensignals_h5_1000_hz, npy, npz,
                 mat_5, mat_73, acqknowledge, empatica_bvp, faros_500_hz, shimmer_51_hz, imotions,
                 openface_30_hz, mp4_1_fps, mkv_1_fps)
}  # fmt: skip
"""Every format that is read, by a name that says the rate where it is another than 256 Hz."""
