"""Readers of other packages: the example of the documentation, and packages that fail."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io.biosignals import inspect_signals, read_signal, signal_kind
from affectscope.io.channels import SignalSource
from affectscope.io.reader import GROUP, offered_readers

DOCS = Path(__file__).resolve().parents[3] / "docs" / "recorders.md"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path`` to install packages into; what was imported is forgotten."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("offered_") or name == "affectscope_heartlog":
            del sys.modules[name]


def installed(folder: Path, module: str, code: str, entry: str, name: str) -> None:
    """A module and the dist-info folder that pip would leave for it."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry}\n")
    importlib.invalidate_caches()


def example() -> tuple[str, str]:
    """pyproject.toml and the module as docs/recorders.md has them."""
    text = DOCS.read_text()
    (project,) = re.findall(r"```toml\n(.*?)```", text, re.S)
    (module,) = re.findall(r"```python\n(.*?)```", text, re.S)
    return project, module


def offer(folder: Path, body: str, kind: str = "offered") -> None:
    """A package whose reader has the given functions in place of working ones."""
    code = f"""
from affectscope.io.biosignals import Reader
from affectscope.io.channels import ChannelData, ChannelInfo, SignalFile
import numpy as np
def recognises(path, head):
    return head.startswith(b"OFFERED")
def inspect(path):
    return SignalFile("offered", (ChannelInfo("a", "mV", 10.0, 3),))
def read(path, source):
    return ChannelData(np.zeros(3), 10.0, unit="mV")
{body}
reader = Reader(inspect, read, (".off",), "an offered file", recognises)
"""
    installed(folder, "offered_module", code, f"{kind} = offered_module:reader", "offered-package")


def file_of(folder: Path, content: bytes = b"OFFERED\x00", name: str = "a.off") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def failure(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_signal(path, SignalSource())
    return caught.value


def test_the_documented_example_reads_a_file(packages: Path, tmp_path: Path) -> None:
    project, module = example()
    assert len((project + module).splitlines()) <= 30
    path = file_of(tmp_path, b"HEARTLOG;250;mV\n0.5\n0.25\n-1\n", "first.hlog")
    (entry,) = re.findall(r"^heartlog = \"(.*)\"$", project, re.M)
    installed(packages, "affectscope_heartlog", module, f"heartlog = {entry}", "heartlog")
    file = inspect_signals(path)
    assert (file.kind, file.channels[0].samples, file.notices) == ("heartlog", 3, ())
    signal, notices = read_signal(path, SignalSource())
    np.testing.assert_array_equal(signal.values, [0.5, 0.25, -1.0])
    assert (signal.sampling_rate, signal.unit, notices) == (250.0, "mV", ())
    broken = file_of(tmp_path, b"HEARTLOG;250;mV\nno number\n", "second.hlog")
    error = failure(broken)
    assert error.code == "E_PLUGIN"
    assert "heartlog" in error.sentence
    assert "ValueError" in error.sentence


def test_without_the_package_its_file_is_a_plain_table(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"HEARTLOG;250;mV\n0.5\n0.25\n-1\n", "first.hlog")
    assert signal_kind(path) == "table"


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('on import')",
        "reader_is_missing = True\ndel Reader",
        "def read(path, source):\n    return None",
        "def read(path, source):\n    return ChannelData(np.zeros((3, 2)), 10.0, unit='mV')",
        "def read(path, source):\n    raise KeyError('x')",
    ],
)
def test_a_package_that_fails_costs_its_own_files_only(
    packages: Path, tmp_path: Path, body: str
) -> None:
    offer(packages, body)
    error = failure(file_of(tmp_path))
    assert error.code in ("E_PLUGIN", "E_TYPE_UNKNOWN")
    assert "offered-package" in error.sentence
    table = file_of(tmp_path, b"ECG (mV)\n0.5\n0.6\n", "t.csv")
    signal, notices = read_signal(table, SignalSource(1, 10.0))
    assert signal.values.tolist() == [0.5, 0.6]
    broken_at_once = bool(offered_readers().problems)
    assert [notice.code for notice in notices] == ["E_PLUGIN"] * broken_at_once


def test_a_reader_that_fails_when_asked_is_left_out_and_told(
    packages: Path, tmp_path: Path
) -> None:
    offer(packages, "def recognises(path, head):\n    raise OSError('asked')")
    file = inspect_signals(file_of(tmp_path, b"ECG\n0.5\n0.6\n", "t.csv"))
    assert file.kind == "table"
    assert [notice.code for notice in file.notices] == ["E_PLUGIN"]
    assert "asked" in failure(file_of(tmp_path)).sentence


def test_built_in_readers_win(packages: Path, tmp_path: Path) -> None:
    offer(packages, "def recognises(path, head):\n    return True", kind="table")
    assert inspect_signals(file_of(tmp_path, b"ECG\n0.5\n0.6\n", "t.csv")).kind == "table"
    assert failure(file_of(tmp_path)).code == "E_TYPE_UNKNOWN"
    np.save(tmp_path / "a.npy", np.arange(3.0))
    assert inspect_signals(tmp_path / "a.npy").kind == "npy"


def test_packages_are_not_loaded_for_files_that_are_known(packages: Path, tmp_path: Path) -> None:
    offer(packages, "raise AssertionError('loaded')")
    np.save(tmp_path / "a.npy", np.arange(3.0))
    assert inspect_signals(tmp_path / "a.npy").notices == ()
    assert "offered_module" not in sys.modules


def test_V23_a_name_that_promises_another_kind_is_refused_for_offered_kinds_too(
    packages: Path, tmp_path: Path
) -> None:
    offer(packages, "")
    assert signal_kind(file_of(tmp_path, name="a.off")) == "offered"
    assert signal_kind(file_of(tmp_path, name="a.unheard_of")) == "offered"
    assert failure(file_of(tmp_path, name="a.edf")).code == "E_TYPE_MISMATCH"
