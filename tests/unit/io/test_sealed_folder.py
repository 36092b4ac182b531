"""Sealed folders: whole or not there, whatever happens; any change is noticed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from affectscope.errors import OutputError
from affectscope.io import sealed_folder
from affectscope.io.sealed_folder import (
    MANIFEST,
    BrokenSealError,
    FileHashes,
    private_folder,
    read_sealed,
    remove_folder,
    write_sealed,
)

CONTENT = {"a.npy": bytes(range(256)) * 4, "b.npy": b"b" * 40}
FACTS = {"who": "s\u00e9", "rate": 128.0, "list": [1, None]}


def filled(folder: Path) -> dict[str, object]:
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return FACTS


@pytest.fixture
def hashes(tmp_path: Path) -> FileHashes:
    return FileHashes(tmp_path / "hashes.json")


def test_what_was_written_is_read(tmp_path: Path, hashes: FileHashes) -> None:
    assert read_sealed(tmp_path / "e", hashes) is None
    write_sealed(tmp_path / "e", filled)
    assert read_sealed(tmp_path / "e", hashes) == FACTS
    assert (tmp_path / "e" / "a.npy").read_bytes() == CONTENT["a.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert (tmp_path / "e").stat().st_mode & 0o077 == 0  # of its owner only


def test_T04_any_cut_flip_or_removal_is_noticed(tmp_path: Path, hashes: FileHashes) -> None:
    generator = random.Random(0)
    write_sealed(tmp_path / "e", filled)
    names = [*CONTENT, MANIFEST]
    originals = {name: (tmp_path / "e" / name).read_bytes() for name in names}
    for number in range(150):
        name = names[number % 3]
        path, content = tmp_path / "e" / name, bytearray(originals[name])
        where = generator.randrange(len(content))
        kind = generator.choice(["cut", "flip", "zero", "remove"])
        if kind == "remove":
            path.unlink()
        else:
            if kind == "cut":
                del content[where:]
            elif kind == "flip":
                content[where] ^= 1 << generator.randrange(8)
            else:
                content[where:] = bytes(len(content) - where)
            path.write_bytes(content)
        if kind == "remove" or bytes(content) != originals[name]:
            with pytest.raises(BrokenSealError):
                read_sealed(tmp_path / "e", hashes)
        path.write_bytes(originals[name])
        assert read_sealed(tmp_path / "e", hashes) == FACTS
    (tmp_path / "e" / "c.npy").write_bytes(b"")
    with pytest.raises(BrokenSealError, match=r"c\.npy was added"):
        read_sealed(tmp_path / "e", hashes)


def test_an_error_while_filling_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> dict[str, object]:
        filled(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sealed(tmp_path / "e", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_T03_a_full_disk_is_told(tmp_path: Path) -> None:
    def full(folder: Path) -> dict[str, object]:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left") as caught:
        write_sealed(tmp_path / "e", full)
    assert caught.value.code == "E_OUTPUT"
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_at_once_the_first_stays(tmp_path: Path, hashes: FileHashes) -> None:
    def slow(folder: Path) -> dict[str, object]:
        write_sealed(tmp_path / "e", filled)  # the other one is done meanwhile
        return filled(folder)

    write_sealed(tmp_path / "e", slow)
    assert read_sealed(tmp_path / "e", hashes) == FACTS
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_a_leftover_goes_and_work_in_progress_stays(tmp_path: Path) -> None:
    (tmp_path / ".affectscope-sealing-old").mkdir()
    (tmp_path / ".affectscope-sealing-old" / "a.npy").write_bytes(b"a")

    def watched(folder: Path) -> dict[str, object]:
        private_folder(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
        return filled(folder)

    write_sealed(tmp_path / "e", watched)
    assert (tmp_path / "e" / "a.npy").exists()


WRITER = """
import sys
from pathlib import Path
from affectscope.io.sealed_folder import write_sealed
def fill(folder):
    for name in "abc":
        (folder / name).write_bytes(name.encode() * 200_000)
    return {}
for number in range(100_000):
    write_sealed(Path(sys.argv[1]) / str(number), fill)
"""


def test_T01_T02_killed_at_any_moment_leaves_whole_folders(tmp_path: Path) -> None:
    generator = random.Random(1)
    for attempt in range(3):
        parent = tmp_path / str(attempt)
        parent.mkdir()
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(parent)])
        until = time.monotonic() + 60
        while not (parent / "0").exists() and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(generator.uniform(0.0, 0.1))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        private_folder(parent)
        folders = list(parent.iterdir())
        assert folders
        for folder in folders:
            assert read_sealed(folder, FileHashes(tmp_path / "hashes.json")) == {}


def test_removal(tmp_path: Path) -> None:
    write_sealed(tmp_path / "e", filled)
    assert remove_folder(tmp_path / "e")
    assert not remove_folder(tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_hashed_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    digest = sealed_folder.sha256
    monkeypatch.setattr(sealed_folder, "sha256", lambda path: (read.append(path), digest(path))[1])
    monkeypatch.setattr(sealed_folder, "_SETTLED", -1.0)
    file = tmp_path / "video.mov"
    file.write_bytes(b"one")
    hashes = FileHashes(tmp_path / "hashes.json")
    first = hashes.sha256(file)
    hashes.save()
    again = FileHashes(tmp_path / "hashes.json")
    assert again.sha256(file) == first
    assert len(read) == 1
    before = file.stat()
    time.sleep(0.02)
    file.write_bytes(b"two")  # as long as before, and dated back
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert again.sha256(file) != first


def test_a_file_changed_just_now_is_not_trusted_to_stay(tmp_path: Path) -> None:
    file = tmp_path / "video.mov"
    file.write_bytes(b"one")
    hashes = FileHashes(tmp_path / "hashes.json")
    hashes.sha256(file)
    hashes.save()
    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"/x": 3}', b'{"/x": []}'])
def test_a_damaged_memory_costs_time_only(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hashes.json").write_bytes(content)
    file = tmp_path / "f"
    file.write_bytes(b"one")
    assert len(FileHashes(tmp_path / "hashes.json").sha256(file)) == 64
