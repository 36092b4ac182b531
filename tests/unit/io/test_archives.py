"""Archives, documents and foreign packages in place of a recording: refused, and nothing unpacked.

Only the members of an npz are ever read from an archive, in memory and by name.
"""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError, SessionError
from affectscope.io.biosignals import SignalSource, inspect_signals, read_timed_signal
from affectscope.io.session import open_session

SOURCE = SignalSource(1, sampling_rate=100.0, unit="mV")
NAMES = ("recording.zip", "recording.csv", "recording.npz", "recording.edf", "recording.mat")


def array(samples: int = 50) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(float(samples)))
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def bomb() -> bytes:
    return zipped(zeros=bytes(20_000_000))


def nested() -> bytes:
    return zipped(inner__zip=zipped(innermost__zip=bomb()))


def many() -> bytes:
    return zipped(**{f"m{n}": b"" for n in range(11_000)})


def spreadsheet() -> bytes:
    sheet = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><sheetData><c><f>1+1</f><v>2</v></c></sheetData>"
    return zipped(**{"[Content_Types]__xml": b"<Types/>", "xl/worksheets/sheet1__xml": sheet})


def refused(path: Path) -> set[str]:
    """The codes with which looking at a file and reading it end."""
    codes = set()
    for action in (lambda: inspect_signals(path), lambda: read_timed_signal(path, SOURCE)):
        with pytest.raises(InputError) as caught:
            action()
        assert caught.value.remedy
        codes.add(caught.value.code)
    return codes


@pytest.mark.parametrize("make", [bomb, nested, many])
@pytest.mark.parametrize("name", NAMES)
def test_F19_archives_are_refused_and_never_unpacked(
    tmp_path: Path, make: Callable[[], bytes], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    tracemalloc.start()
    codes = refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert codes <= {"E_TYPE_MISMATCH", "E_TYPE_UNKNOWN"}
    assert peak < 8 << 20


def test_F19_an_array_that_explodes_is_refused_by_its_header(tmp_path: Path) -> None:
    head = array(4)[:128].replace(b"(4,)", b"(1000000000000,)").replace(b"            ", b"", 1)
    path = tmp_path / "recording.npz"
    path.write_bytes(zipped(ecg__npy=head + bytes(1000)))
    assert refused(path) == {"E_SIGNAL_FILE"}


@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out", "C:\\out", "a" * 300, "CON", "\u202eyn.out", "out/../../out"]
)
def test_F20_names_of_members_lead_nowhere(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = inside / "recording.npz"
    path.write_bytes(zipped(**{f"{name}__npy": array()}))
    before = sorted(tmp_path.rglob("*"))
    assert len(inspect_signals(path).channels) == 1
    assert read_timed_signal(path, SOURCE).signal.values.tolist() == list(range(50))
    assert sorted(tmp_path.rglob("*")) == before


def test_F20_links_and_devices_in_a_tar_are_never_met(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "../../x"),
                             (tarfile.CHRTYPE, "")):  # fmt: skip
            member = tarfile.TarInfo("../escape")
            member.type, member.linkname = kind, target
            archive.addfile(member)
    for name in ("recording.tar", "recording.csv", "recording.npz"):
        path = tmp_path / name
        path.write_bytes(buffer.getvalue())
        assert refused(path) <= {"E_TYPE_MISMATCH", "E_TYPE_UNKNOWN"}
    assert not (tmp_path.parent / "escape").exists()


def marked(content: bytes, at: int, field: bytes) -> bytes:
    """A zip whose local and central header of its only member say something else."""
    changed = bytearray(content)
    changed[at : at + len(field)] = field
    central = content.index(b"PK\x01\x02") + at + 2
    changed[central : central + len(field)] = field
    return bytes(changed)


@pytest.mark.parametrize(
    ("at", "field"),
    [(6, b"\x01\x00"), (8, b"\x63\x00"), (8, b"\x09\x00")],
    ids=["encrypted", "AES", "deflate64"],
)
def test_F21_members_that_cannot_be_opened_are_refused(
    tmp_path: Path, at: int, field: bytes
) -> None:
    path = tmp_path / "recording.npz"
    path.write_bytes(marked(zipped(ecg__npy=array()), at, field))
    assert refused(path) == {"E_SIGNAL_FILE"}


def test_F21_a_part_of_a_divided_archive_is_refused(tmp_path: Path) -> None:
    whole = zipped(ecg__npy=array())
    path = tmp_path / "recording.npz"
    path.write_bytes(whole[: len(whole) - 30])
    assert refused(path) == {"E_SIGNAL_FILE"}


@pytest.mark.parametrize("name", ["table.xlsx", "table.csv", "table.zip", "table.xls"])
def test_P26_a_spreadsheet_is_refused_as_an_office_document(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(spreadsheet())
    assert refused(path) <= {"E_TYPE_MISMATCH", "E_TYPE_UNKNOWN"}
    with pytest.raises(InputError, match="office document"):
        inspect_signals(path)


def test_F17_a_model_with_data_elsewhere_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07\x12\x07pytorch" + b"external_data\x12\x0b../../x.bin" * 4)
    assert refused(path) == {"E_TYPE_UNKNOWN"}


def test_F18_a_record_that_points_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """A WFDB header is text: it is read as a table, or refused, and its data file never opened."""
    inside = tmp_path / "inside"
    inside.mkdir()
    os.mkfifo(tmp_path / "x.dat")  # whoever opened it would wait for ever
    path = inside / "record.hea"
    path.write_text("record 1 360 1000\n../x.dat 212 200(1024)/mV 11 1024 995 -22131 0 MLII\n")
    assert refused(path) <= {"E_CSV_SHAPE", "E_CHANNEL", "E_TYPE_UNKNOWN"}


def test_F19_an_archive_is_no_session(tmp_path: Path) -> None:
    path = tmp_path / "session.zip"
    path.write_bytes(zipped(session__toml=b"format = 1\n"))
    with pytest.raises(SessionError) as caught:
        open_session(path)
    assert caught.value.code == "E_SESSION"
