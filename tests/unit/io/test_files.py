"""Guarded reading, hashing, and writing that is never torn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from affectscope.errors import InputError, OutputError
from affectscope.io.files import (
    atomic_write,
    check_file,
    prepare_folder,
    sha256,
    shown,
    write_text,
)

WRITER = """
import sys, itertools
from pathlib import Path
from affectscope.io.files import write_text
path = Path(sys.argv[1])
for turn in itertools.count():
    write_text(path, ("AB"[turn % 2] * 400_000) + "end")
"""


def test_W01_kill_in_the_middle_of_a_write_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_text(path, "A" * 400_000 + "end")
    moments = random.Random(1)
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        before = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == before:  # it has begun to write
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.05))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        text = path.read_text()
        assert text in ("A" * 400_000 + "end", "B" * 400_000 + "end")
    prepare_folder(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_text(path, "old")

    def fail() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("I am a file")
    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / "out" / "result.json", "x")
    assert caught.value.code == "E_OUTPUT"
    with pytest.raises(OutputError) as caught:
        prepare_folder(tmp_path / "out")
    assert caught.value.code == "E_OUTPUT"


def test_check_file_tells_missing_empty_and_folders_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_bytes(b"123")
    assert check_file(tmp_path / "full") == 3
    for name, code in (
        ("none", "E_FILE_MISSING"),
        ("", "E_FILE_MISSING"),
        ("empty", "E_FILE_EMPTY"),
    ):
        with pytest.raises(InputError) as caught:
            check_file(tmp_path / name)
        assert caught.value.code == code


def test_F26_names_are_shown_without_control_characters(tmp_path: Path) -> None:
    for name in ("two\nlines.csv", "bell\x07.csv", "tab\t.csv"):
        text = shown(tmp_path / name)
        assert text.isprintable()
        assert "\n" not in text
    assert shown(tmp_path / "-rf 😀.csv") == "'-rf 😀.csv'"


def test_sha256_of_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == expected
