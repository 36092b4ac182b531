"""Reading in a process of its own: whatever happens there ends in a code here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from affectscope.errors import InputError
from affectscope.io import reader_process
from affectscope.io.hdf5_size import surplus
from affectscope.io.reader_process import answered


def code(module: str, path: Path) -> str:
    with pytest.raises(InputError) as caught, answered(module, path, {}):
        pass
    return caught.value.code


def test_F13_a_reader_that_ends_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"x")
    assert code("affectscope.io.no_such_reader", path) == "E_READER_CRASH"
    assert code("this", path) == "E_READER_CRASH"  # ends well and leaves no answer


def test_F13_a_reader_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_process, "SECONDS", 0.01)
    path = tmp_path / "a.h5"
    path.write_bytes(b"x")
    assert code("affectscope.io.opensignals_hdf5", path) == "E_FILE_LIMIT"


def test_F13_a_reader_that_nobody_waits_for_any_more_ends_by_itself(tmp_path: Path) -> None:
    """A library that never comes back to Python, its program killed: the kernel ends it."""
    (tmp_path / "spinning.py").write_text(
        "from affectscope.io.reader_process import serve\n"
        "serve(lambda order, folder: sum(iter(int, 1)))\n"
    )
    order = json.dumps({"memory": 5 << 30, "seconds": 1, "folder": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-m", "spinning"],
        input=order.encode(),
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("userblock", [0, 512])
@pytest.mark.parametrize("library", ["earliest", "latest"])
def test_F13_an_hdf5_file_that_grew_is_told(tmp_path: Path, userblock: int, library: str) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=userblock, libver=library) as file:
        file["x"] = np.arange(100)
    assert surplus(path) == []
    content = path.read_bytes()
    path.write_bytes(content[:900] + bytes(16) + content[900:])
    (notice,) = surplus(path)
    assert (notice.code, "16 bytes" in notice.sentence) == ("W_FILE_DAMAGED", True)


def test_what_is_no_hdf5_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0" + bytes(300))
    assert surplus(path) == []
