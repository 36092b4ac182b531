"""AcqKnowledge files against a plain writer (tick by tick) and real recordings; damaged files."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import CODES, InputError
from affectscope.io import acqknowledge
from affectscope.io.acqknowledge import inspect_acqknowledge, read_acqknowledge
from affectscope.io.biosignals import inspect_signals, read_signal, signal_kind
from affectscope.io.channels import ChannelData, SignalFile, SignalSource

TICKS = 400
MILLISECONDS = 2.0  # between ticks: 500 Hz


@dataclass(frozen=True)
class Written:
    """One channel of a made file; ``stored`` are int16 or float64 as the file holds them."""

    name: str
    unit: str
    divider: int
    stored: np.ndarray
    scale: float = 0.5
    offset: float = 1.0

    @property
    def code(self) -> str:
        return "d" if self.stored.dtype == np.float64 else "h"


@dataclass(frozen=True)
class Layout:
    """What the made file is like, apart from its channels."""

    version: int = 84
    order: str = ">"
    markers: int = 2
    paddings: int = 0
    unexplained: int = 0
    compressed: int = 0


def channels() -> list[Written]:
    """EDA in reals, ECG at half the rate, respiration at a fifth that lacks its last sample."""
    generator = np.random.default_rng(7)
    return [
        Written("EDA", "microsiemens", 1, generator.normal(5, 1, TICKS), 3.0, 9.0),
        Written("ECG", "mV", 2, generator.integers(-3000, 3000, TICKS // 2).astype(np.int16)),
        Written(
            "RESP", "Volts", 5, generator.integers(-9, 9, TICKS // 5 - 1).astype(np.int16), 0.25, 0
        ),
    ]


def interleaved(order: str, made: Sequence[Written]) -> tuple[bytes, list[list[int]]]:
    """The samples tick by tick, and the byte at which each channel's samples end."""
    packed, ends = b"", [list[int]() for _ in made]
    for tick in range(max(len(c.stored) * c.divider for c in made)):
        for channel, found in zip(made, ends, strict=True):
            number, rest = divmod(tick, channel.divider)
            if rest == 0 and number < len(channel.stored):
                packed += struct.pack(order + channel.code, channel.stored[number])
                found.append(len(packed))
    return packed, ends


def graph_header(layout: Layout, count: int) -> bytes:
    late = layout.version >= 61
    length = 2410 if late else 2200
    header = bytearray(length)
    struct.pack_into(
        layout.order + "hiih4xd", header, 0, 0, layout.version, length, count, MILLISECONDS
    )
    struct.pack_into(layout.order + "i", header, 972 if late else 1936, layout.compressed)
    struct.pack_into(layout.order + "h", header, 2398 if late else 2198, layout.paddings)
    return bytes(header)


def channel_header(layout: Layout, channel: Written, samples: int | None = None) -> bytes:
    late = layout.version >= 61
    length = 1826 if late else 262
    header = bytearray(length)
    encoding = "utf-8" if late else "latin-1"
    struct.pack_into(
        layout.order + "i2x40s22x20sidd",
        header,
        0,
        length,
        channel.name.encode(encoding)[:40],
        channel.unit.encode(encoding),
        len(channel.stored) if samples is None else samples,
        channel.scale,
        channel.offset,
    )
    struct.pack_into(layout.order + "h", header, 152 if late else 250, channel.divider)
    return bytes(header)


def after_samples(layout: Layout) -> bytes:
    """The list of markers, before version 4 their colours, and the journal."""
    items = b"Ada Canary felt dizzy\0" * layout.markers
    if layout.version >= 61:
        parts = [struct.pack(layout.order + "ii", len(items) + 8, layout.markers + 1), items]
        return b"".join([*parts, struct.pack(layout.order + "i", 60).ljust(60, b"\0")])
    parts = [struct.pack(layout.order + "ii", len(items), layout.markers), items]
    if layout.version >= 45:
        parts.append(struct.pack(layout.order + "ii", 0x08102002, layout.markers).ljust(84, b"\0"))
    return b"".join([*parts, bytes.fromhex("44332211").ljust(60, b"\0")])


def head(layout: Layout, made: Sequence[Written]) -> bytes:
    """All headers, from the file's first byte to its first sample."""
    late = layout.version >= 61
    foreign = struct.pack(layout.order + ("i" if late else "h"), 30).ljust(30, b"\x01")
    padding = struct.pack(layout.order + "i", 40).ljust(40, b"\0")
    parts = [graph_header(layout, len(made)), padding * layout.paddings]
    parts += [channel_header(layout, channel) for channel in made]
    parts += [foreign, b"\xee" * layout.unexplained]
    for channel in made:
        parts.append(struct.pack(layout.order + "2h", *((8, 1), (2, 2))[channel.code == "h"]))
    return b"".join(parts)


def acq(layout: Layout, made: Sequence[Written]) -> bytes:
    return head(layout, made) + interleaved(layout.order, made)[0] + after_samples(layout)


def true_values(channel: Written) -> np.ndarray:
    if channel.code == "d":
        return channel.stored
    return channel.stored * channel.scale + channel.offset


def save(folder: Path, content: bytes, name: str = "a.acq") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(folder: Path, content: bytes, channel: str | int = "ECG") -> ChannelData:
    return read_acqknowledge(save(folder, content), SignalSource(channel))


def codes(found: ChannelData | SignalFile) -> list[str]:
    return [notice.code for notice in found.notices]


def refused(folder: Path, content: bytes, channel: str | int = "ECG") -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder, content, channel)
    return caught.value


def patched(content: bytes, at: int, layout: str, *values: float | bytes) -> bytes:
    changed = bytearray(content)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


# --- whole files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("version", "paddings"), [(38, 0), (45, 0), (61, 0), (108, 0), (128, 3)])
def test_channels_have_their_own_rate_and_unit(
    tmp_path: Path, order: str, version: int, paddings: int
) -> None:
    content = acq(Layout(version, order, paddings=paddings), channels())
    path = save(tmp_path, content)
    file = inspect_signals(path)
    assert [(c.name, c.unit, c.sampling_rate, c.samples) for c in file.channels] == [
        ("EDA", "uS", 500.0, 400),
        ("ECG", "mV", 250.0, 200),
        ("RESP", "V", 100.0, 79),
    ]
    assert file.kind == "acqknowledge"
    (notice,) = file.notices
    assert notice.code == "W_MARKERS"
    assert "2 event markers" in notice.sentence
    for channel, info in zip(channels(), file.channels, strict=True):
        data = read_acqknowledge(path, SignalSource(channel.name))
        np.testing.assert_array_equal(data.values, true_values(channel))
        assert (data.sampling_rate, data.unit) == (info.sampling_rate, info.unit)
        assert data.notices == file.notices


def test_versions_before_3_7_have_one_rate(tmp_path: Path) -> None:
    only = replace(channels()[0], divider=1)
    content = patched(acq(Layout(36, "<"), [only]), 2200 + 250, "<h", 77)  # no divider there yet
    assert read(tmp_path, content, "EDA").sampling_rate == 500.0


def test_the_front_door_knows_the_file_by_its_content(tmp_path: Path) -> None:
    content = acq(Layout(markers=0), channels())
    signal, notices = read_signal(save(tmp_path, content), SignalSource("ECG", clock_offset=2.0))
    assert (signal.sampling_rate, signal.unit, signal.start_time, notices) == (250.0, "mV", 2.0, ())
    assert signal_kind(save(tmp_path, content, "recording.bin")) == "acqknowledge"
    for name, body in (("a.edf", content), ("b.acq", b"time,ecg\n0,1\n")):
        with pytest.raises(InputError) as caught:
            signal_kind(save(tmp_path, body, name))
        assert caught.value.code == "E_TYPE_MISMATCH"


@pytest.mark.parametrize(
    ("version", "unit", "known"),
    [
        (45, "µmho", "uS"),
        (84, "μsiemens", "uS"),
        (42, "microsiemen", "uS"),
        (84, "mmHg", "mmHg"),
        (84, "", None),
    ],
)
def test_words_for_units(tmp_path: Path, version: int, unit: str, known: str | None) -> None:
    made = [replace(channels()[0], unit=unit)]
    assert read(tmp_path, acq(Layout(version), made), 1).unit == known


def test_names_may_be_missing_or_cut_inside_a_letter(tmp_path: Path) -> None:
    made = [replace(channels()[0], name=name) for name in ("", "x" * 39 + "µ")]
    file = inspect_acqknowledge(save(tmp_path, acq(Layout(), made)))
    assert [channel.name for channel in file.channels] == ["1", "x" * 39]


def test_reals_that_are_no_numbers_are_missing(tmp_path: Path) -> None:
    stored = channels()[0].stored.copy()
    stored[[3, 5, 9]] = np.nan, np.inf, -np.inf
    content = acq(Layout(), [replace(channels()[0], stored=stored)])
    assert np.flatnonzero(np.isnan(read(tmp_path, content, 1).values)).tolist() == [3, 5, 9]


@settings(max_examples=60, deadline=None)
@given(
    dividers=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    lacking=st.integers(0, 3),
    reals=st.integers(0, 15),
    ticks=st.integers(30, 60),
    block=st.integers(1, 20),
)
def test_every_interleaving_is_undone(
    tmp_path_factory: pytest.TempPathFactory,
    dividers: list[int],
    lacking: int,
    reals: int,
    ticks: int,
    block: int,
) -> None:
    made = []
    for number, divider in enumerate(dividers):
        count = -(-ticks // divider) - (number == lacking)
        stored = np.arange(count) + 1000 * number
        dtype = np.float64 if reals >> number & 1 else np.int16
        made.append(Written(str(number), "V", divider, stored.astype(dtype)))
    path = save(tmp_path_factory.getbasetemp(), acq(Layout(45, "<"), made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acqknowledge, "_BLOCK_SAMPLES", block)
        patch.setattr(acqknowledge, "_BLOCK_BYTES", 7 * block)
        for number, channel in enumerate(made, 1):
            data = read_acqknowledge(path, SignalSource(number))
            np.testing.assert_array_equal(data.values, true_values(channel))


@pytest.mark.parametrize("version", [45, 108])
def test_bytes_that_no_header_explains_are_passed(tmp_path: Path, version: int) -> None:
    """Only where the list of markers then lies where it should."""
    layout = Layout(version, unexplained=37)
    content = acq(layout, channels())
    np.testing.assert_array_equal(read(tmp_path, content).values, true_values(channels()[1]))
    assert codes(read(tmp_path, content)) == ["W_MARKERS"]
    assert refused(tmp_path, content[:-300]).code == "E_SIGNAL_FILE"


def test_F11_markers_and_journal_are_never_copied(tmp_path: Path) -> None:
    path = save(tmp_path, acq(Layout(), channels()) + b"journal of Ada Canary")
    assert b"Ada Canary" in path.read_bytes()
    shown = repr(inspect_acqknowledge(path)) + repr(read_acqknowledge(path, SignalSource(1)))
    with pytest.raises(InputError) as caught:
        read_acqknowledge(path, SignalSource("nobody"))
    assert "Canary" not in shown + str(caught.value)


# --- cut files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [Layout(45, "<"), Layout(128, ">", paddings=1)])
def test_F08_a_cut_file_gives_every_sample_before_the_cut(tmp_path: Path, layout: Layout) -> None:
    made = channels()
    content, start = acq(layout, made), len(head(layout, made))
    samples, ends = interleaved(layout.order, made)
    cuts = [*range(1, 40), *np.random.default_rng(5).integers(40, len(samples), 60).tolist()]
    for cut in cuts:
        held = [sum(end <= cut for end in found) for found in ends]
        if not any(held):
            assert refused(tmp_path, content[: start + cut], 1).code == "E_SIGNAL_FILE"
            continue
        file = inspect_acqknowledge(save(tmp_path, content[: start + cut]))
        assert [channel.samples for channel in file.channels] == held
        assert codes(file) == ["W_FILE_TRUNCATED"]
        for number, channel in enumerate(made, 1):
            if held[number - 1]:
                data = read(tmp_path, content[: start + cut], number)
                kept = true_values(channel)[: held[number - 1]]
                np.testing.assert_array_equal(data.values, kept)


def test_F08_the_notice_says_what_is_left(tmp_path: Path) -> None:
    layout, made = Layout(), channels()
    after = len(
        interleaved(">", [replace(c, stored=c.stored[: 200 // c.divider]) for c in made])[0]
    )
    (notice,) = read(tmp_path, acq(layout, made)[: len(head(layout, made)) + after]).notices
    assert (notice.code, notice.start) == ("W_FILE_TRUNCATED", 0.4)
    assert "0.40 s of 0.80 s" in notice.sentence


@pytest.mark.parametrize("cut", [1, 59, 70, 100])
def test_F08_a_cut_behind_the_samples_is_no_silence(tmp_path: Path, cut: int) -> None:
    data = read(tmp_path, acq(Layout(), channels())[:-cut])
    assert len(data.values) == 200
    assert codes(data) == ["W_SAMPLE_COUNTS"]
    assert "markers" in data.notices[0].sentence


def test_F08_a_cut_inside_the_headers_is_refused(tmp_path: Path) -> None:
    content = head(Layout(), channels())
    for length in np.random.default_rng(2).integers(24, len(content), 60):
        assert refused(tmp_path, content[:length]).code == "E_SIGNAL_FILE"
    assert refused(tmp_path, content).code == "E_SIGNAL_FILE"  # and so is one without samples


# --- headers that lie -----------------------------------------------------------------------------

FIRST_CHANNEL = 2410
TYPES = FIRST_CHANNEL + 3 * 1826 + 30


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [
        (2, ">i", 29),
        (2, ">i", -84),
        (6, ">i", 0),
        (6, ">i", 2**31 - 1),
        (6, ">i", 500_000),
        (10, ">h", 0),
        (10, ">h", -1),
        (10, ">h", 500),
        (10, ">h", 32767),
        (16, ">d", 0.0),
        (16, ">d", -2.0),
        (16, ">d", float("nan")),
        (16, ">d", float("inf")),
        (16, ">d", 5e-324),
        (FIRST_CHANNEL, ">i", 0),
        (FIRST_CHANNEL, ">i", -1826),
        (FIRST_CHANNEL, ">i", 2**31 - 1),
        (FIRST_CHANNEL + 88, ">i", -1),
        (FIRST_CHANNEL + 152, ">h", -2),
        (TYPES - 30, ">i", -1),
        (TYPES - 30, ">i", 2**31 - 1),
        (TYPES, ">h", 4),
        (TYPES + 2, ">h", 7),
    ],
)
def test_F09_impossible_header_numbers_are_refused(
    tmp_path: Path, at: int, layout: str, value: float
) -> None:
    content = patched(acq(Layout(), channels()), at, layout, value)
    assert refused(tmp_path, content).code == "E_SIGNAL_FILE"


@pytest.mark.parametrize("length", [-1, 0, 3, 2**31 - 1])
def test_F09_a_padding_that_lies_is_refused(tmp_path: Path, length: int) -> None:
    content = patched(acq(Layout(128, paddings=1), channels()), 2410, ">i", length)
    assert refused(tmp_path, content).code == "E_SIGNAL_FILE"


@pytest.mark.parametrize("paddings", [2, 32767])
def test_F09_more_paddings_than_there_are_are_refused(tmp_path: Path, paddings: int) -> None:
    content = patched(acq(Layout(128, paddings=1), channels()), 2398, ">h", paddings)
    assert refused(tmp_path, content).code == "E_SIGNAL_FILE"


def test_F02_a_count_beyond_the_file_is_refused_before_allocation(tmp_path: Path) -> None:
    """One channel that states 2^31 samples is a lie; all of them are a cut file."""
    content = acq(Layout(), channels())
    one = patched(content, FIRST_CHANNEL + 1826 + 88, ">i", 2**31 - 1)
    every = content
    for number, samples in enumerate((2**30, 2**29, 2**30 // 5)):
        every = patched(every, FIRST_CHANNEL + 1826 * number + 88, ">i", samples)
    tracemalloc.start()
    error = refused(tmp_path, one)
    data = read(tmp_path, every)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (error.code, "different lengths" in error.sentence) == ("E_SIGNAL_FILE", True)
    assert codes(data) == ["W_FILE_TRUNCATED"]
    np.testing.assert_array_equal(data.values[:150], true_values(channels()[1])[:150])
    assert peak < 2 << 20


@pytest.mark.parametrize("layout", [Layout(42, "<", markers=0), Layout(45, ">"), Layout(108, "<")])
@pytest.mark.parametrize("lost", [-30, -4, 1, 4, 44])
def test_F09_samples_that_were_taken_out_or_put_in_are_told(
    tmp_path: Path, layout: Layout, lost: int
) -> None:
    """Whatever lies where the list of markers should, zeros included, is no such list."""
    content, at = acq(layout, channels()), len(head(layout, channels())) + 1000
    changed = content[:at] + b"\0" * -lost + content[at + max(lost, 0) :]
    assert codes(read(tmp_path, changed)) == ["W_SAMPLE_COUNTS"]


def test_F09_lengths_that_differ_are_told(tmp_path: Path) -> None:
    made = channels()
    made[1] = replace(made[1], stored=made[1].stored[:100])
    data = read(tmp_path, acq(Layout(markers=0), made))
    np.testing.assert_array_equal(data.values, true_values(made[1]))
    assert codes(data) == ["W_SAMPLE_COUNTS"]
    assert "0.40 to 0.80 s" in data.notices[0].sentence


def test_F09_counts_that_are_too_small_are_told(tmp_path: Path) -> None:
    content = acq(Layout(), channels())
    for number, samples in enumerate((200, 100, 40)):
        content = patched(content, FIRST_CHANNEL + 1826 * number + 88, ">i", samples)
    data = read(tmp_path, content)
    np.testing.assert_array_equal(data.values, true_values(channels()[1])[:100])
    assert codes(data) == ["W_SAMPLE_COUNTS"]


@pytest.mark.parametrize("divider", [1, 3, 32767])
def test_F09_a_divider_that_lies_is_never_silent(tmp_path: Path, divider: int) -> None:
    content = patched(acq(Layout(), channels()), FIRST_CHANNEL + 1826 + 152, ">h", divider)
    assert "W_SAMPLE_COUNTS" in codes(read(tmp_path, content))


@pytest.mark.parametrize(("at", "value"), [(92, 0.0), (92, float("nan")), (100, float("inf"))])
def test_F09_a_channel_without_a_scale_is_named(tmp_path: Path, at: int, value: float) -> None:
    content = patched(acq(Layout(), channels()), FIRST_CHANNEL + 1826 + at, ">d", value)
    error = refused(tmp_path, content)
    assert error.code == "E_SIGNAL_FILE"
    assert "'ECG'" in error.sentence
    assert len(read(tmp_path, content, "EDA").values) == TICKS  # the other channel is not harmed


def test_F09_a_channel_without_samples_is_refused_alone(tmp_path: Path) -> None:
    made = channels()
    made[1] = replace(made[1], stored=made[1].stored[:0])
    content = acq(Layout(markers=0), made)
    assert "'ECG' holds no sample" in refused(tmp_path, content).sentence
    assert (len(read(tmp_path, content, "RESP").values), codes(read(tmp_path, content, 1))) == (
        79,
        [],
    )


@pytest.mark.parametrize("version", [42, 108])
def test_compressed_files_are_refused_with_a_remedy(tmp_path: Path, version: int) -> None:
    error = refused(tmp_path, acq(Layout(version, compressed=1), channels()))
    assert error.code == "E_SIGNAL_FILE"
    assert "compressed" in error.sentence
    assert "uncompressed" in error.remedy


def test_a_channel_that_takes_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acqknowledge, "_MAXIMUM_WORK", 3 * 200 - 1)  # groups times samples of ECG
    content = acq(Layout(), channels())
    assert refused(tmp_path, content).code == "E_FILE_LIMIT"
    assert len(read(tmp_path, content, "RESP").values) == 79


# --- mutations ------------------------------------------------------------------------------------


def mutants(count: int, *, seed: int) -> Iterator[bytes]:
    """Seeded damage of made files: flips, cuts, insertions, and header numbers that lie."""
    generator = np.random.default_rng(seed)
    layouts = [Layout(45, "<"), Layout(108, ">"), Layout(128, "<", paddings=1)]
    sources = [(acq(layout, channels()), len(head(layout, channels()))) for layout in layouts]
    lies = (0, 1, 0x7F, 0xFF, 0x80)
    for number in range(count):
        content, headers = sources[int(generator.integers(len(sources)))]
        changed = bytearray(content)
        at = int(generator.integers(len(changed)))
        if number % 4 == 0:
            del changed[at:]
        elif number % 4 == 1:
            changed[at:at] = generator.bytes(int(generator.integers(1, 64)))
        elif number % 4 == 2:
            for place in generator.integers(headers, size=8):
                changed[place] ^= 1 << int(generator.integers(8))
        else:
            # Only the fields at the start of a header are read, so that is where lies matter.
            starts = [0, *_channel_starts(content)]
            start = starts[int(generator.integers(len(starts)))]
            place = start + int(generator.integers(0, 112))
            width = int(generator.integers(1, 5))
            changed[place : place + width] = bytes(generator.choice(lies, width).tolist())
        yield bytes(changed)


def _channel_starts(content: bytes) -> list[int]:
    names = (content.index(channel.name.encode().ljust(40, b"\0")) for channel in channels())
    return [at - 6 for at in names]


def outcome(path: Path) -> str:
    """ "ok", "degraded" or an error's code, for all channels of a file by the front door."""
    try:
        file = inspect_signals(path)
    except InputError as error:
        return error.code
    results = set[str]()
    for number, info in enumerate(file.channels, 1):
        try:
            data = read_acqknowledge(path, SignalSource(number))
        except InputError as error:
            results.add(error.code)
            continue
        assert len(data.values) == info.samples <= path.stat().st_size // 2
        assert data.notices == file.notices
        results.add("degraded" if set(codes(data)) - {"W_MARKERS"} else "ok")
    return min(results)


def test_F09_mutated_files_end_typed(tmp_path: Path) -> None:
    path = tmp_path / "mutated.acq"
    found: dict[str, int] = {}
    for content in mutants(600, seed=11):
        path.write_bytes(content or b"\0")
        result = outcome(path)
        found[result] = found.get(result, 0) + 1
    assert set(found) <= set(CODES) | {"ok", "degraded"}
    assert min(found.get(kind, 0) for kind in ("ok", "degraded", "E_SIGNAL_FILE")) > 20, found


# --- real recordings ------------------------------------------------------------------------------

SUMS = {
    "physio-3.9.1": [
        (2000.0, 123787, -13710694.645458192),
        (1000.0, 61893, 2095.4517211914062),
        (3.90625, 241, 4.532470703125),
        (2000.0, 123787, 460249.6280244137),
    ],
    "physio-4.2.0": [
        (2000.0, 123787, -13710694.645458192),
        (1000.0, 61893, 2095.4517211914062),
        (3.90625, 241, 4.532470703125),
        (2000.0, 123787, 460249.6280244137),
    ],
    "r42_test": [
        (1000.0, 7901, 1878.3134460449219),
        (1000.0, 7901, -73.0029296875),
        (1000.0, 7901, -7666.4093017578125),
        (1000.0, 7901, 138307.8125),
    ],
    "small-unicode-4.4.0": [
        (2000.0, 8380, -858936.2324964477),
        (1000.0, 4190, 132.9853515625),
        (3.90625, 16, 0.44036865234375),
        (2000.0, 8380, 28838.09188094212),
    ],
}
"""file -> of each channel the rate, the samples and their sum as bioread 2025.5.2 gives them."""


@pytest.mark.parametrize(
    "name", ["physio-3.9.1", "physio-4.2.0", "r42_test", "small-unicode-4.4.0"]
)
def test_real_recordings_hold_what_bioread_finds(real_data: Path, name: str) -> None:
    path = real_data / "acqknowledge" / f"{name}.acq"
    file = inspect_signals(path)
    found = []
    for number, channel in enumerate(file.channels, 1):
        data = read_acqknowledge(path, SignalSource(number))
        assert codes(data) == ["W_MARKERS"]
        found.append((channel.sampling_rate, len(data.values), pytest.approx(data.values.sum())))
    assert found == SUMS[name]


def test_one_recording_is_the_same_in_both_byte_orders(real_data: Path) -> None:
    """AcqKnowledge saved it as 3.9 (little-endian) and as 4.2 (big-endian)."""
    old, new = (real_data / "acqknowledge" / f"physio-{v}.acq" for v in ("3.9.1", "4.2.0"))
    assert inspect_acqknowledge(old).channels == inspect_acqknowledge(new).channels
    for number in range(1, 5):
        np.testing.assert_array_equal(
            read_acqknowledge(old, SignalSource(number)).values,
            read_acqknowledge(new, SignalSource(number)).values,
        )
