"""EDF and BDF against edfio as an independent writer; damaged, interrupted and named files."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import InputError
from affectscope.io.channels import ChannelData, Gap, SignalSource
from affectscope.io.edf import inspect_edf, read_edf

SECONDS = 20
RATE = 50


def ecg() -> np.ndarray:
    return np.random.default_rng(1).integers(-3000, 3000, SECONDS * RATE) / 1000.0


def written(*, bdf: bool = False, **more: object) -> bytes:
    """Twenty one-second records: ECG at 50 Hz in mV, EDA at 4 Hz in uS."""
    signal = edfio.BdfSignal if bdf else edfio.EdfSignal
    digital = (-8388608, 8388607) if bdf else (-32768, 32767)
    ranges = {"physical_range": (-4.0, 4.0), "digital_range": digital}
    signals = [
        signal(ecg(), RATE, label="ECG", physical_dimension="mV", **ranges),
        signal(np.linspace(1, 3, SECONDS * 4), 4, label="EDA", physical_dimension="uS", **ranges),
    ]
    buffer = BytesIO()
    (edfio.Bdf if bdf else edfio.Edf)(signals, data_record_duration=1.0, **more).write(buffer)
    return buffer.getvalue()


def save(folder: Path, content: bytes, name: str = "a.edf") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def patched(content: bytes, at: int, field: bytes, width: int = 8) -> bytes:
    return content[:at] + field.ljust(width) + content[at + width :]


def read(folder: Path, content: bytes, channel: str = "ECG") -> ChannelData:
    return read_edf(save(folder, content), SignalSource(channel))


@pytest.mark.parametrize(("bdf", "step"), [(False, 8 / 65535), (True, 8 / 16777215)])
def test_channels_have_their_own_rate_and_physical_unit(
    tmp_path: Path, bdf: bool, step: float
) -> None:
    content = written(bdf=bdf)
    file = inspect_edf(save(tmp_path, content))
    assert file.kind == ("bdf" if bdf else "edf")
    assert [(c.name, c.unit, c.sampling_rate, c.samples) for c in file.channels] == [
        ("ECG", "mV", 50.0, 1000),
        ("EDA", "uS", 4.0, 80),
    ]
    data = read(tmp_path, content)
    assert (data.unit, data.sampling_rate, data.notices) == ("mV", 50.0, ())
    np.testing.assert_allclose(data.values, ecg(), atol=step / 2 + 1e-12)
    np.testing.assert_allclose(
        read(tmp_path, content, "EDA").values, np.linspace(1, 3, 80), atol=step / 2 + 1e-12
    )


@pytest.mark.parametrize("bdf", [False, True])
@pytest.mark.parametrize("lost", [1, 100, 109, 300, 1500])
def test_F08_a_cut_file_gives_its_complete_records(tmp_path: Path, bdf: bool, lost: int) -> None:
    content = written(bdf=bdf)
    record = (RATE + 4) * (3 if bdf else 2)
    kept = SECONDS - -(-lost // record)
    data = read(tmp_path, content[:-lost])
    np.testing.assert_allclose(data.values, ecg()[: kept * RATE], atol=1e-4)
    (notice,) = data.notices
    assert (notice.code, notice.start) == ("W_FILE_TRUNCATED", float(kept))
    assert f"{kept}.00 s of 20.00 s" in notice.sentence


def test_F08_any_cut_is_read_or_refused(tmp_path: Path) -> None:
    content = written()
    for length in np.random.default_rng(3).integers(1, len(content), 60):
        with suppress(InputError):  # which always has a code
            data = read(tmp_path, content[:length])
            assert len(data.values) == (length - 768) // 108 * RATE


def test_F09_the_number_of_records_may_be_unknown(tmp_path: Path) -> None:
    open_ended = patched(written(), 236, b"-1")
    data = read(tmp_path, open_ended)
    assert (len(data.values), data.notices) == (1000, ())
    cut = read(tmp_path, open_ended[:-50])
    assert len(cut.values) == 950
    assert [notice.code for notice in cut.notices] == ["W_FILE_TRUNCATED"]


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (256 + 2 * 104, b"4"),  # physical minimum = maximum
        (256 + 2 * 120, b"32767"),  # digital minimum = maximum
        (256 + 2 * 104, b"none"),
        (256 + 2 * 112, b"1e999"),
    ],
)
def test_F09_a_channel_without_a_scale_is_named(tmp_path: Path, at: int, field: bytes) -> None:
    content = patched(written(), at, field)
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert caught.value.code == "E_EDF_SCALE"
    assert "'ECG'" in caught.value.sentence
    assert len(read(tmp_path, content, "EDA").values) == 80  # the other channel is not harmed


@pytest.mark.parametrize(
    ("at", "field", "width"),
    [
        (252, b"0", 4),
        (252, b"-3", 4),
        (252, b"9999", 4),
        (252, b"xy", 4),
        (244, b"0", 8),
        (244, b"nan", 8),
        (236, b"many", 8),
        (256 + 2 * 216, b"-5", 8),
        (256 + 2 * 216, b"99999999", 8),
    ],
)
def test_F09_wrong_header_bytes_are_refused(
    tmp_path: Path, at: int, field: bytes, width: int
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, patched(written(), at, field, width))
    assert caught.value.code == "E_SIGNAL_FILE"


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(8, 767),
    field=st.binary(min_size=1, max_size=8),
)
def test_F09_any_header_byte_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, field: bytes
) -> None:
    content = written()
    path = tmp_path_factory.getbasetemp() / "fuzzed.edf"
    path.write_bytes(content[:at] + field + content[at + len(field) :])
    with suppress(InputError):  # which always has a code
        read_edf(path, SignalSource(1))


def test_F11_the_patient_is_never_copied(tmp_path: Path) -> None:
    patient = edfio.Patient(code="XQ7", name="Ada_Canary")
    recording = edfio.Recording(hospital_administration_code="CanaryClinic")
    path = save(tmp_path, written(patient=patient, recording=recording))
    assert b"Ada_Canary" in path.read_bytes()
    shown = repr(inspect_edf(path)) + repr(read_edf(path, SignalSource("ECG")))
    with pytest.raises(InputError) as caught:
        read_edf(path, SignalSource("nobody"))
    shown += str(caught.value)
    for canary in ("Ada", "Canary", "XQ7", "Clinic"):
        assert canary not in shown


@pytest.mark.parametrize("more", [1, 108, 3000])
def test_F09_bytes_that_no_record_accounts_for_are_told(tmp_path: Path, more: int) -> None:
    content = written()
    longer = content[:1000] + bytes(more) + content[1000:]
    (notice,) = read(tmp_path, longer).notices
    assert notice.code == "W_SAMPLE_COUNTS"
    assert "20 records" in notice.sentence
    (notice,) = inspect_edf(save(tmp_path, patched(content, 236, b"7"))).notices
    assert "7 records" in notice.sentence


# --- interrupted recordings (F10) -----------------------------------------------------------------


def interrupted(pauses: dict[int, float], kind: bytes = b"EDF+D") -> bytes:
    """A continuous EDF+ whose records are stamped anew: a pause before some of them."""
    content = written(annotations=[edfio.EdfAnnotation(0, None, "makes room for long stamps")])
    header = 256 * 4
    record = (len(content) - header) // SECONDS
    stamp = (RATE + 4) * 2
    onset = 0.0
    records = []
    for number in range(SECONDS):
        onset += pauses.get(number, 0.0)
        body = content[header + number * record : header + (number + 1) * record]
        text = f"+{onset:.6g}\x14\x14\x00".encode()
        records.append(body[:stamp] + text.ljust(record - stamp, b"\x00"))
        onset += 1.0
    return patched(content[:header], 192, kind, 44) + b"".join(records)


def test_F10_gaps_of_an_interrupted_recording_keep_their_place(tmp_path: Path) -> None:
    data = read(tmp_path, interrupted({5: 100.0, 12: 0.5}))
    assert data.gaps == (Gap(250, 5000), Gap(5600, 25))
    assert len(data.values) == 1000 + 5000 + 25
    np.testing.assert_allclose(data.values[5250:5300], ecg()[250:300], atol=1e-4)
    np.testing.assert_allclose(data.values[5625:], ecg()[600:], atol=1e-4)
    assert np.isnan(data.values[250:5250]).all()
    continuous = read(tmp_path, interrupted({}, b"EDF+C"))
    assert (continuous.gaps, len(continuous.values)) == ((), 1000)


@pytest.mark.parametrize("pauses", [{5: -3.0}, {5: 1e12}])
def test_F10_impossible_times_are_refused(tmp_path: Path, pauses: dict[int, float]) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, interrupted(pauses))
    assert caught.value.code == "E_SIGNAL_FILE"


def test_F10_an_interrupted_recording_without_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EDF\\+D"):
        read(tmp_path, patched(written(), 192, b"EDF+D", 44))


# --- real recordings ------------------------------------------------------------------------------


def test_real_faros_ecg(real_data: Path) -> None:
    path = real_data / "faros" / "testfile_read.EDF"
    data = read_edf(path, SignalSource("ECG"))
    assert (data.unit, data.sampling_rate, len(data.values)) == ("uV", 500.0, 39000)
    reference = np.loadtxt(real_data / "faros" / "testdir_read" / "ECG.csv", skiprows=1)
    np.testing.assert_allclose(data.values, reference, atol=1e-9)
    acceleration = read_edf(path, SignalSource("Accelerometer_X"))
    assert (acceleration.unit, acceleration.sampling_rate) == ("mg", 25.0)
    assert acceleration.values[0] == pytest.approx(308.5)


def test_real_opensignals_edf(real_data: Path) -> None:
    data = read_edf(real_data / "plux" / "eda_slow_signal.edf", SignalSource("EDA"))
    assert (data.unit, data.sampling_rate, len(data.values)) == ("uS", 100.0, 2900)
    assert data.values.max() == pytest.approx(1.5)  # the export is clipped: its twin shows 14 uS
