"""A zip of files with a manifest."""

from __future__ import annotations

import hashlib
import json
import ntpath
import posixpath
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import AffectScopeError, OutputError
from affectscope.io.files import TEMPORARY
from affectscope.web.export_task import ExportTask, checked_entry_name, write_archive


def do(task: ExportTask) -> list[float | None]:
    """Write it; the shares that were told."""
    shares: list[float | None] = []
    write_archive(task, lambda share=None: shares.append(share))
    return shares


def test_an_export_holds_its_files_as_they_are_and_says_what_they_are(tmp_path: Path) -> None:
    content = {"P1/session 1/face.mp4": b"\0" * 3_000_000, "P1/ö.txt": "ö".encode(), "empty": b""}
    files = []
    for number, (name, held) in enumerate(content.items()):
        (tmp_path / f"{number}").write_bytes(held)
        files.append((tmp_path / f"{number}", name))
    task = ExportTask(tuple(files), '{"subject": "P1"}', tmp_path / "out" / "export.zip")
    shares = do(task)
    assert shares[-1] == 1.0
    with zipfile.ZipFile(task.output) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in content} == content
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest == {
        "subject": "P1",
        "files": {
            name: {"sha256": hashlib.sha256(held).hexdigest(), "size": len(held)}
            for name, held in content.items()
        },
    }


BAD_NAMES = (
    "", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", "./a", "..", "a\\..\\b", "C:/a", "C:a",
    "//host/share", "a\0b", "a\nb", "a\x1b[2Jb", "a\u2028b", "a\udc80b", "x" * 2000,
)  # fmt: skip


@pytest.mark.parametrize("name", [*BAD_NAMES, "manifest.json", "Manifest.JSON"])
def test_W15_a_name_that_leads_out_of_the_zip_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_bytes(b"a")
    task = ExportTask(((tmp_path / "a", name),), "{}", tmp_path / "export.zip")
    with pytest.raises(OutputError, match="E_VALUE"):
        do(task)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@settings(max_examples=100)
@given(st.text(st.sampled_from("a./\\:\n ü~"), max_size=8))
def test_W15_an_allowed_name_stays_inside_its_folder_on_every_system(name: str) -> None:
    try:
        checked_entry_name(name)
    except OutputError:
        return
    assert posixpath.normpath(name) == name
    assert ntpath.normpath(name).replace("\\", "/") == name


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"files": {}}', "NaN"])
def test_a_manifest_is_a_json_object(tmp_path: Path, manifest: str) -> None:
    with pytest.raises(OutputError, match="E_VALUE"):
        do(ExportTask((), manifest, tmp_path / "export.zip"))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_missing_leaves_the_earlier_export_and_no_half_one(tmp_path: Path) -> None:
    output = tmp_path / "export.zip"
    (tmp_path / "a").write_bytes(b"a")
    do(ExportTask(((tmp_path / "a", "a"),), "{}", output))
    before = output.read_bytes()
    (tmp_path / f"{TEMPORARY}killed").write_bytes(b"left by a writer that was killed")
    files = ((tmp_path / "a", "a"), (tmp_path / "absent", "b"))
    with pytest.raises(AffectScopeError, match="E_FILE_MISSING"):
        do(ExportTask(files, "{}", output))
    assert output.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a", "export.zip"}
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    with pytest.raises(AffectScopeError, match="E_FILE_MISSING"):
        do(ExportTask(files[:1], "{}", output))
