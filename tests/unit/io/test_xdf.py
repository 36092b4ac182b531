"""XDF against a small writer of its own; clocks that drift and reset; damage at every kind of byte.

Legend: S samples.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import inspect_signals, read_timed_signal
from affectscope.io.channels import ChannelData, Gap, SignalSource
from affectscope.io.xdf import inspect_xdf, read_xdf
from affectscope.io.xdf_chunks import XdfBytes
from affectscope.io.xdf_markers import MAXIMUM_CHARACTERS, read_xdf_markers
from affectscope.io.xdf_streams import opened_xdf, read_column

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
TYPES = {
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4",
    "double64": "<f8",
}  # fmt: skip


def number(value: int, width: int) -> bytes:
    return bytes([width]) + value.to_bytes(width, "little")


def chunk(tag: int, content: bytes, width: int = 4) -> bytes:
    return number(len(content) + 2, width) + tag.to_bytes(2, "little") + content


@dataclass
class XdfWriter:
    """Builds a file chunk by chunk; ``ends``: where each whole sample of a stream ends."""

    content: bytearray = field(default_factory=lambda: bytearray(b"XDF:"))
    ends: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add(chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>", 1))

    def add(self, content: bytes) -> None:
        self.content += content

    def header(self, stream: int, more: str = "", **facts: object) -> None:
        said = {"name": "ECG", "type": "ECG", "channel_count": 1, "nominal_srate": 100,
                "channel_format": "float32"} | facts  # fmt: skip
        inner = "".join(f"<{key}>{value}</{key}>" for key, value in said.items())
        xml = f'<?xml version="1.0"?><info>{inner}<desc>{more}</desc></info>'
        self.add(chunk(2, struct.pack("<I", stream) + xml.encode()))

    def samples(
        self,
        stream: int,
        values: np.ndarray,
        stamps: Sequence[float | None],
        *,
        kind: str = "float32",
        width: int = 4,
    ) -> None:
        """(S, channels) values; a stamp of None is not stored."""
        head = struct.pack("<I", stream) + number(len(values), width)
        parts = [
            (b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp))
            + row.astype(TYPES[kind]).tobytes()
            for row, stamp in zip(values, stamps, strict=True)
        ]
        start = len(self.content) + 1 + width + 2 + len(head)
        self.ends.setdefault(stream, []).extend(start + np.cumsum([len(p) for p in parts]))
        self.add(chunk(3, head + b"".join(parts), width))

    def markers(self, stream: int, rows: Sequence[tuple[float, bytes]]) -> None:
        parts = [b"\x08" + struct.pack("<d", t) + number(len(s), 4) + s for t, s in rows]
        head = struct.pack("<I", stream) + number(len(rows), 4)
        self.add(chunk(3, head + b"".join(parts)))

    def offset(self, stream: int, time: float, value: float) -> None:
        self.add(chunk(4, struct.pack("<Idd", stream, time, value), 1))

    def boundary(self) -> None:
        self.add(chunk(5, BOUNDARY, 1))

    def footer(self, stream: int, samples: int) -> None:
        xml = f"<?xml version='1.0'?><info><sample_count>{samples}</sample_count></info>"
        self.add(chunk(6, struct.pack("<I", stream) + xml.encode()))


def wave(samples: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((samples, 1)).astype(np.float32)


def recording(
    stamps: np.ndarray,
    *,
    offsets: Callable[[float], float] | None = lambda _time: 7.0,
    rate: float = 100,
    per_chunk: int = 100,
) -> XdfWriter:
    """One stream, all samples stamped; a clock offset and a boundary every ten chunks."""
    file = XdfWriter()
    file.header(1, nominal_srate=rate)
    values = wave(len(stamps))
    for at in range(0, len(stamps), per_chunk):
        if at // per_chunk % 5 == 0 and offsets:
            file.offset(1, stamps[at], offsets(float(stamps[at])))
        if at // per_chunk % 10 == 9:
            file.boundary()
        file.samples(1, values[at : at + per_chunk], stamps[at : at + per_chunk].tolist())
    file.footer(1, len(stamps))
    return file


def save(folder: Path, content: bytes | bytearray, name: str = "a.xdf") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(folder: Path, content: bytes | bytearray, channel: str | int | None = None) -> ChannelData:
    return read_xdf(save(folder, content), SignalSource(channel))


def codes(data: ChannelData) -> list[str]:
    return [notice.code for notice in data.notices]


def refused(
    folder: Path, content: bytes | bytearray, channel: str | int | None = None
) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder, content, channel)
    return caught.value


# --- what the format allows -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("width", [1, 4, 8])
def test_every_number_format_and_width_of_lengths(tmp_path: Path, kind: str, width: int) -> None:
    file = XdfWriter()
    labels = "<channels><channel><label>a</label><unit>microvolts</unit></channel></channels>"
    file.header(3, labels, name="Amp", channel_count=2, channel_format=kind, nominal_srate=10)
    values = np.random.default_rng(2).integers(-100, 100, (12, 2))
    stamps = [50.0, None, None, 50.3, *[None] * 8]
    for at in range(0, 12, 6):
        file.samples(3, values[at : at + 6], stamps[at : at + 6], kind=kind, width=width)
    file.offset(3, 50.0, -2.0)
    file.footer(3, 12)
    path = save(tmp_path, file.content)
    first, second = inspect_xdf(path).channels
    assert (first.name, first.unit, first.sampling_rate, first.samples) == ("Amp/a", "uV", 10.0, 12)
    assert (second.name, second.unit) == ("Amp/2", None)
    for column, name in enumerate(("Amp/a", "2")):
        data = read_xdf(path, SignalSource(name))
        np.testing.assert_array_equal(data.values, values[:, column])
        assert (data.sampling_rate, data.gaps, data.notices) == (10.0, (), ())
        assert data.first_time == pytest.approx(0.0, abs=1e-9)


def test_the_front_door_knows_xdf_by_its_content(tmp_path: Path) -> None:
    content = recording(np.arange(500) / 100).content
    assert inspect_signals(save(tmp_path, content)).kind == "xdf"
    with pytest.raises(InputError) as caught:
        inspect_signals(save(tmp_path, content, "a.edf"))
    assert caught.value.code == "E_TYPE_MISMATCH"
    signal = read_timed_signal(save(tmp_path, content), SignalSource(1, unit="mV")).signal
    assert (len(signal.values), signal.sampling_rate) == (500, 100.0)


def test_P31_streams_of_one_name_are_both_listed_and_asked_for(tmp_path: Path) -> None:
    file = XdfWriter()
    for stream in (1, 2):
        file.header(stream)
        file.samples(stream, np.full((3, 1), stream), [0.0, 0.01, 0.02])
    assert refused(tmp_path, file.content, "ECG/1").code == "E_CHANNEL"
    assert read(tmp_path, file.content, 2).values.tolist() == [2.0, 2.0, 2.0]


# --- clocks ---------------------------------------------------------------------------------------


def test_two_streams_are_put_on_one_axis(tmp_path: Path) -> None:
    file = XdfWriter()
    for stream, clock in ((1, 1000.0), (2, 50.0)):
        file.header(stream, name=f"s{stream}")
        for at in range(0, 1000, 100):
            file.offset(stream, clock + at / 100, 2000.0 - clock)
            stamps = clock + (stream - 1) * 0.25 + np.arange(at, at + 100) / 100
            file.samples(stream, wave(100), stamps.tolist())
        file.footer(stream, 1000)
    assert read(tmp_path, file.content, 1).first_time == pytest.approx(0.0, abs=1e-6)
    assert read(tmp_path, file.content, 2).first_time == pytest.approx(0.25, abs=1e-6)


def test_a_drifting_clock_is_measured_to_a_millisecond_in_an_hour(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    true = np.arange(36_000) / 10 + 300.0
    stamps = true * (1 + 80e-6) - 900.0

    def offset(time: float) -> float:
        return (time + 900.0) / (1 + 80e-6) - time + random.normal(0, 3e-4)

    jittered = stamps + random.exponential(0.004, len(stamps))
    data = read(tmp_path, recording(jittered, offsets=offset, rate=10, per_chunk=10).content)
    assert data.measured_rate is not None
    drift = (36_000 / data.measured_rate - 3600.0) * 1000
    assert abs(drift) < 1.0, f"{drift} ms"
    assert (data.sampling_rate, data.gaps, data.notices) == (10.0, (), ())


def test_L08_the_rate_is_what_the_stamps_show(tmp_path: Path) -> None:
    data = read(tmp_path, recording(np.arange(2000) / 93.0).content)
    assert (data.sampling_rate, data.gaps, codes(data)) == (None, (), ["W_SAMPLING_RATE"])
    assert data.measured_rate == pytest.approx(93.0, rel=1e-6)
    irregular = recording(np.cumsum(np.random.default_rng(1).exponential(1, 200)), rate=0)
    assert refused(tmp_path, irregular.content).code == "E_SAMPLING_RATE"
    even = read(tmp_path, recording(np.arange(500) / 4, rate=0).content)
    assert (even.sampling_rate, even.measured_rate) == (None, pytest.approx(4.0))


def test_L12_bursts_and_delays_are_no_gaps_and_lost_samples_are(tmp_path: Path) -> None:
    true = np.arange(12_000) / 100
    bursts = true[11::12].repeat(12) + np.tile(np.arange(12) * 1e-4, 1000)
    assert read(tmp_path, recording(bursts).content).gaps == ()
    delayed = true.copy()
    delayed[4000:4200] = np.maximum(true[4000:4200], true[4200])
    assert read(tmp_path, recording(delayed).content).gaps == ()
    lost = np.delete(true, np.r_[3000:3020, 7000:7777])
    lost = lost + np.random.default_rng(1).exponential(0.002, len(lost))
    data = read(tmp_path, recording(lost).content)
    assert data.gaps == (Gap(3000, 20), Gap(7000, 777))
    assert len(data.values) == len(true)
    np.testing.assert_array_equal(data.values[7777:], wave(len(lost))[6980:, 0])


def test_F04_without_clock_offsets_the_clock_is_said_to_be_its_own(tmp_path: Path) -> None:
    data = read(tmp_path, recording(np.arange(1000) / 100, offsets=None).content)
    assert (codes(data), len(data.values)) == (["W_NO_CLOCKSYNC"], 1000)


@pytest.mark.parametrize(
    "garbage", [(0.0, 1e9), (19.5, -4e7), (np.nan, 0.0), (20.0, np.inf), (1e300, 7.1)]
)
def test_F04_a_garbage_last_offset_is_dropped(tmp_path: Path, garbage: tuple[float, float]) -> None:
    file = recording(np.arange(2000) / 100)
    reference = read(tmp_path, file.content)
    file.offset(1, *garbage)
    data = read(tmp_path, file.content)
    assert codes(data) == ["W_CLOCK_UNTRUSTED"]
    assert (data.first_time, data.measured_rate) == (reference.first_time, reference.measured_rate)


def test_F05_a_reset_clock_gives_segments_on_one_axis(tmp_path: Path) -> None:
    """The sender restarts after 60 s and is back after 5 s, its clock at 3 s."""
    true = np.arange(12_000) / 100
    true = true[(true < 60) | (true >= 65)]
    stamps = np.where(true < 60, true + 4000.0, true - 62.0)
    file = recording(stamps, offsets=lambda time: -4000.0 if time > 3000 else 62.0)
    data = read(tmp_path, file.content)
    assert codes(data) == ["W_TIME_RESET"]
    assert data.notices[0].start == pytest.approx(65.0)
    assert data.gaps == (Gap(6000, 500),)
    np.testing.assert_array_equal(data.values[6500:], wave(len(true))[6000:, 0])


def test_F05_a_reset_without_offsets_is_told_and_nothing_lost(tmp_path: Path) -> None:
    stamps = np.r_[np.arange(1000) / 100 + 500, np.arange(1000) / 100]
    data = read(tmp_path, recording(stamps, offsets=None).content)
    assert codes(data) == ["W_NO_CLOCKSYNC", "W_TIME_RESET"]
    assert data.notices[1].start == pytest.approx(10.0)
    assert (len(data.values), data.gaps) == (2000, ())


# --- damage ---------------------------------------------------------------------------------------


def two_streams() -> XdfWriter:
    """ECG (float32, stamped once a chunk) and markers, six seconds, a boundary each two."""
    file = XdfWriter()
    file.header(1)
    file.header(2, name="marks", channel_format="string", nominal_srate=0)
    values = wave(600)
    for at in range(0, 600, 25):
        file.samples(1, values[at : at + 25], [10 + at / 100, *[None] * 24])
        if at % 100 == 0:
            file.offset(1, 10 + at / 100, 0.5)
            file.markers(2, [(10 + at / 100, f"second {at // 100}".encode())])
            file.offset(2, 10 + at / 100, 0.5)
        if at % 200 == 175:
            file.boundary()
    file.footer(1, 600)
    file.footer(2, 6)
    return file


def test_the_undamaged_file_has_no_notice(tmp_path: Path) -> None:
    data = read(tmp_path, two_streams().content)
    assert (data.notices, data.gaps, data.first_time) == ((), (), pytest.approx(0.0))
    np.testing.assert_array_equal(data.values, wave(600)[:, 0])


def test_F01_a_cut_at_any_byte_keeps_every_whole_sample(tmp_path: Path) -> None:
    file = two_streams()
    ends, size = np.array(file.ends[1]), len(file.content)
    reference = wave(600)[:, 0]
    cuts = np.unique(np.r_[4:700:20, 700:size:31, size - 150 : size])
    refusals: set[tuple[str, int]] = set()
    for cut in cuts.tolist():
        whole = int(np.count_nonzero(ends <= cut))
        try:
            data = read(tmp_path, file.content[:cut])
        except InputError as error:
            refusals.add((error.code, whole))
            continue
        np.testing.assert_array_equal(data.values, reference[:whole])
        assert "W_FILE_TRUNCATED" in codes(data), cut
    assert refusals == {("E_SIGNAL_FILE", 0)}  # nothing was there yet


@pytest.mark.parametrize("count", [0, 3, 100, 200_000_000, 2**32 - 1])
def test_F02_a_lying_number_of_samples_is_not_believed(tmp_path: Path, count: int) -> None:
    file = XdfWriter()
    file.header(1)
    file.samples(1, wave(20), [1.0, *[None] * 19])
    at = bytes(file.content).rindex(struct.pack("<BI", 4, 20))
    lying = file.content[:at] + struct.pack("<BI", 4, count) + file.content[at + 5 :]
    path = save(tmp_path, lying)
    tracemalloc.start()
    data = read_xdf(path, SignalSource())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert len(data.values) == 20
    assert "W_FILE_DAMAGED" in codes(data)


@pytest.mark.parametrize("length", [1, 40, 120, 5000, 2**31])
def test_F02_a_lying_chunk_length_costs_no_sample(tmp_path: Path, length: int) -> None:
    file = two_streams()
    at = bytes(file.content).index(struct.pack("<HI", 3, 1)) - 4
    lying = file.content[:at] + struct.pack("<I", length) + file.content[at + 4 :]
    data = read(tmp_path, lying)
    assert "W_FILE_DAMAGED" in codes(data)
    found = data.values[np.isfinite(data.values)]
    if length > 1:
        np.testing.assert_array_equal(found, wave(600)[:, 0])
    else:  # too short to be a chunk: reading goes on behind the boundary
        np.testing.assert_array_equal(found, wave(600)[200:, 0])


def test_F03_reading_goes_on_behind_the_next_boundary(tmp_path: Path) -> None:
    file = two_streams()
    start = file.ends[1][299]
    content = file.content[:start] + b"\xff" * 60 + file.content[start + 60 :]
    data = read(tmp_path, content)
    assert "W_FILE_DAMAGED" in codes(data)
    assert "W_GAP_UNLOCATED" in codes(data)  # the footer counts more
    reference = wave(600)[:, 0]
    np.testing.assert_array_equal(data.values[:300], reference[:300])
    np.testing.assert_array_equal(data.values[400:], reference[400:])
    (gap,) = data.gaps
    assert gap.start + gap.samples == 400


def test_F03_broken_footers_missing_headers_and_unknown_streams(tmp_path: Path) -> None:
    file = two_streams()
    broken = bytes(file.content).replace(b"</sample_count></info>", b"</sample<count></info>")
    assert len(read(tmp_path, broken).values) == 600
    unknown = XdfWriter()
    unknown.samples(9, wave(5), [1.0] * 5)
    unknown.header(1)
    unknown.samples(1, wave(5), [1.0, *[None] * 4])
    unknown.offset(8, 1.0, 2.0)
    unknown.footer(7, 3)
    data = read(tmp_path, unknown.content)
    assert len(data.values) == 5
    sentences = " ".join(notice.sentence for notice in data.notices)
    assert all(f"number {stream} cannot be read" in sentences for stream in (7, 8, 9))
    headless = XdfWriter()
    headless.samples(1, wave(5), [1.0] * 5)
    assert refused(tmp_path, headless.content).code == "E_SIGNAL_FILE"


def test_F03_samples_before_their_header_are_kept(tmp_path: Path) -> None:
    file = XdfWriter()
    file.samples(1, wave(5), [1.0, *[None] * 4])
    file.header(1)
    assert len(read(tmp_path, file.content).values) == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [("channel_count", "-1"), ("channel_count", 10**9), ("channel_count", ""),
     ("channel_format", "int128"), ("nominal_srate", "nan"), ("nominal_srate", "many")],
)  # fmt: skip
def test_F03_an_unusable_header_harms_no_other_stream(
    tmp_path: Path, key: str, value: object
) -> None:
    file = XdfWriter()
    file.header(1, name="bad", **{key: value})
    file.samples(1, wave(5), [1.0] * 5)
    file.header(2, name="good")
    file.samples(2, wave(5), [1.0, *[None] * 4])
    data = read(tmp_path, file.content)
    assert len(data.values) == 5
    assert "number 1 cannot be read" in data.notices[0].sentence


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE info [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE info SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE info>",
    ],
)
def test_F06_a_document_type_is_refused_outright(tmp_path: Path, doctype: str) -> None:
    xml = f"<?xml version='1.0'?>{doctype}<info><name>x</name></info>".encode()
    for tag in (2, 6):
        file = two_streams()
        file.add(chunk(tag, struct.pack("<I", 5) + xml))
        error = refused(tmp_path, file.content)
        assert (error.code, "document type" in error.sentence) == ("E_SIGNAL_FILE", True)


def test_F06_deep_and_huge_xml_ends(tmp_path: Path) -> None:
    file = XdfWriter()
    file.header(1, "<a>" * 5000)
    assert refused(tmp_path, file.content).code == "E_SIGNAL_FILE"
    file = XdfWriter()
    file.header(1, "x" * 5_000_000)  # beyond the cap; what counts stands before
    file.samples(1, wave(5), [1.0, *[None] * 4])
    data = read(tmp_path, file.content)
    assert (len(data.values), codes(data)[0]) == (5, "W_FILE_DAMAGED")


def test_F07_empty_streams_and_streams_without_channels(tmp_path: Path) -> None:
    file = XdfWriter()
    file.header(1, name="none", channel_count=0)
    file.samples(1, np.zeros((4, 0)), [1.0, None, None, 1.3])
    file.header(2, name="empty")
    file.footer(1, 4)
    file.footer(2, 0)
    path = save(tmp_path, file.content)
    file_facts = inspect_xdf(path)
    assert [(c.name, c.samples) for c in file_facts.channels] == [("empty/1", 0)]
    assert file_facts.notices == ()
    data = read_xdf(path, SignalSource())
    assert (len(data.values), codes(data)) == (0, ["W_MISSING"])


def test_F07_many_markers_are_read(tmp_path: Path) -> None:
    file = XdfWriter()
    file.header(1, name="m", channel_format="string", nominal_srate=0)
    for at in range(0, 40_000, 1000):
        file.offset(1, at / 100, 3.0)
        file.markers(1, [(n / 100, b"%d" % n) for n in range(at, at + 1000)])
    file.footer(1, 40_000)
    path = save(tmp_path, file.content)
    (stream,) = read_xdf_markers(path)
    assert (stream.name, len(stream.texts), stream.notices) == ("m", 40_000, ())
    assert stream.texts[34_321] == "34321"
    np.testing.assert_allclose(stream.times, np.arange(40_000) / 100, atol=1e-9)
    assert inspect_xdf(path).channels == ()
    assert refused(tmp_path, file.content).code == "E_CHANNEL"


def test_L11_odd_markers_are_cleaned_and_capped(tmp_path: Path) -> None:
    file = XdfWriter()
    file.header(1, name="m", channel_format="string", nominal_srate=0)
    file.markers(1, [(1.0, b"\xff\xfe"), (2.0, b"x" * 1_000_000), (np.inf, b"end")])
    (stream,) = read_xdf_markers(save(tmp_path, file.content))
    assert stream.texts == ("\ufffd\ufffd", "x" * MAXIMUM_CHARACTERS, "end")
    assert stream.times.tolist() == [0.0, 1.0, 1.0]
    assert [notice.code for notice in stream.notices] == ["W_NO_CLOCKSYNC", "W_MARKERS_CUT"]


def test_V28_a_file_that_shrinks_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = save(tmp_path, recording(np.arange(5000) / 100).content)
    with opened_xdf(path) as (data, scan):
        with path.open("r+b") as stream:
            stream.truncate(5000)
        header = scan.streams[1].header
        assert header is not None
        with path.open("rb") as stream, pytest.raises(InputError, match="changed while"):
            read_column(XdfBytes(stream, data.size), scan.streams[1], header, column=0)


# --- mutations ------------------------------------------------------------------------------------


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """A cut, some flipped bits, an insertion, a deletion, or a lying number."""
    at, kind = int(random.integers(4, len(content))), int(random.integers(5))
    if kind == 0:
        return content[:at]
    if kind == 1:
        changed = bytearray(content)
        for place in random.integers(4, len(content), int(random.integers(1, 20))):
            changed[place] ^= 1 << int(random.integers(8))
        return bytes(changed)
    if kind == 2:
        return content[:at] + random.bytes(int(random.integers(1, 50))) + content[at:]
    if kind == 3:
        return content[:at] + content[at + int(random.integers(1, 200)) :]
    lie = int(random.choice([0, 1, 255, 2**31, 2**32 - 1]))
    return content[:at] + struct.pack("<I", lie) + content[at + 4 :]


def check_mutated(folder: Path, content: bytes, seed: int) -> str:
    """Read a mutated file as a user would; "whole", "told" or an error's code.

    Raises:
        AssertionError: samples are missing and no notice says so.
    """
    path = save(folder, mutated(content, np.random.default_rng(seed)))
    try:
        inspect_xdf(path)
        read_xdf_markers(path)
        data = read_xdf(path, SignalSource("ECG/1"))
    except InputError as error:
        return error.code
    held = len(data.values) - sum(gap.samples for gap in data.gaps)
    assert held >= 600 or data.notices or data.gaps, seed
    return "told" if data.notices or data.gaps else "whole"


def test_F01_F02_F03_mutated_files_end_in_a_code_or_say_what_is_lost(tmp_path: Path) -> None:
    content = bytes(two_streams().content)
    ends = [check_mutated(tmp_path, content, seed) for seed in range(150)]
    assert ends.count("told") > 75
    assert set(ends) <= {"told", "whole", "E_SIGNAL_FILE", "E_CHANNEL", "E_SAMPLING_RATE"}


# --- real recordings ------------------------------------------------------------------------------


def test_real_minimal_recording(real_data: Path) -> None:
    path = real_data / "xdf" / "minimal.xdf"
    assert [c.name for c in inspect_xdf(path).channels] == [f"SendDataC/{n}" for n in (1, 2, 3)]
    data = read_xdf(path, SignalSource("SendDataC/2"))
    assert data.values.tolist() == [255, 22, 23, 24, 25, 22, 23, 24, 25]
    assert (data.sampling_rate, data.notices) == (10.0, ())
    (markers,) = read_xdf_markers(path)
    assert markers.texts[1:5] == ("Hello", "World", "from", "LSL")


def test_F07_real_empty_streams(real_data: Path) -> None:
    path = real_data / "xdf" / "empty_streams.xdf"
    empty, full = inspect_xdf(path).channels
    assert (empty.samples, full.samples) == (0, 10)
    data = read_xdf(path, SignalSource(2))
    assert (data.values.tolist(), data.sampling_rate) == (list(range(10)), 1.0)
    control, _ = read_xdf_markers(path)
    assert control.texts == ('{"state": 2}',)
    shift = 91725.21394789348 - 91725.014004246
    assert data.first_time - control.times[0] == pytest.approx(shift, abs=1e-3)


def test_F05_real_clock_resets(real_data: Path) -> None:
    path = real_data / "xdf" / "clock_resets.xdf"
    data = read_xdf(path, SignalSource("BioSemi/1"))
    assert np.isfinite(data.values).sum() == pytest.approx(27815, rel=0.002)  # at the mean rate
    assert [gap.samples > 20_000 for gap in data.gaps].count(True) == 1
    assert data.clock is not None
    assert data.clock.resampled
    assert codes(data)[0] == "W_TIME_RESET"
    markers = read_xdf_markers(path)[0]
    assert (len(markers.texts), np.all(np.diff(markers.times) > 0)) == (175, True)
