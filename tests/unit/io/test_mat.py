"""MATLAB files of all versions, written by SciPy and h5py, damaged and hostile ones included."""

from __future__ import annotations

import io
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from affectscope.errors import AffectScopeError, InputError
from affectscope.io import mat, mat_hdf5, mat_values, reader_process
from affectscope.io.mat import read_mat

HEADER = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x00\x01IM"


def saved(folder: Path, variables: dict[str, Any], **options: Any) -> Path:
    path = folder / "written.mat"
    scipy.io.savemat(path, variables, **options)
    return path


def refused(path: Path, names: list[str] | None = None) -> AffectScopeError:
    with pytest.raises(AffectScopeError) as caught:
        read_mat(path, names)
    return caught.value


def cell(*items: object) -> np.ndarray[Any, Any]:
    made = np.empty((1, len(items)), dtype=object)
    for index, item in enumerate(items):
        made[0, index] = item
    return made


@pytest.mark.parametrize("compressed", [False, True])
def test_F12_level5_numbers_text_cells_and_structs(tmp_path: Path, compressed: bool) -> None:
    people = np.empty((1, 2), dtype=[("age", object), ("note", object)])
    people[0, 0], people[0, 1] = (np.array([[20.0]]), "first"), (np.array([[30.0]]), "")
    path = saved(
        tmp_path,
        {
            "numbers": np.arange(12.0).reshape(3, 4),
            "flags": np.array([[True, False]]),
            "spins": np.array([[1 + 2j]]),
            "cells": cell(np.zeros((0, 0)), "clip", np.int16([[7]])),
            "one": {"rate": 128.0, "inner": {"name": "ECG"}},
            "people": people,
            "word": "Übung",
            "rows": np.array(["ab", "cd"]),
        },
        do_compression=compressed,
    )
    found = read_mat(path)
    np.testing.assert_array_equal(found["numbers"], np.arange(12.0).reshape(3, 4))
    flags, cells, rows = found["flags"], found["cells"], found["rows"]
    assert isinstance(flags, np.ndarray)
    assert isinstance(cells, np.ndarray)
    assert isinstance(rows, np.ndarray)
    assert flags.dtype == np.bool_
    assert flags.tolist() == [[True, False]]
    assert found["spins"] == np.array([[1 + 2j]])
    assert cells.shape == (1, 3)
    assert cells[0, 0].shape == (0, 0)
    assert cells[0, 1] == "clip"
    assert cells[0, 2].dtype == np.int16
    one, two = found["one"], found["people"]
    assert isinstance(one, dict)
    assert isinstance(two, np.ndarray)
    assert one["rate"] == 128.0
    assert one["inner"] == {"name": "ECG"}
    assert two.shape == (1, 2)
    assert [person["age"].item() for person in two[0]] == [20.0, 30.0]
    assert [person["note"] for person in two[0]] == ["first", ""]
    assert found["word"] == "Übung"
    assert rows.tolist() == ["ab", "cd"]


def test_F12_level4(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        {"x": np.arange(6.0).reshape(2, 3), "z": np.array([[1 + 2j, 3]]), "word": "hello"},
        format="4",
    )
    found = read_mat(path)
    np.testing.assert_array_equal(found["x"], np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(found["z"], np.array([[1 + 2j, 3]]))
    assert found["word"] == "hello"
    assert list(read_mat(path, ["word"])) == ["word"]


@settings(max_examples=25, deadline=None)
@given(
    array=hnp.arrays(
        st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]),
        hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4),
    ),
    compressed=st.booleans(),
)
def test_F12_any_array_comes_back(array: np.ndarray[Any, Any], compressed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = saved(Path(folder), {"array": array}, do_compression=compressed)
        found = read_mat(path)["array"]
    assert isinstance(found, np.ndarray)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_F12_big_endian_level5(tmp_path: Path) -> None:
    def element(kind: int, body: bytes) -> bytes:
        return struct.pack(">II", kind, len(body)) + body + bytes(-len(body) % 8)

    array = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2))
    array += element(1, b"x") + element(3, struct.pack(">hh", 258, -1))
    path = tmp_path / "big.mat"
    path.write_bytes(HEADER[:124] + b"\x01\x00MI" + element(14, array))
    np.testing.assert_array_equal(read_mat(path)["x"], [[258.0, -1.0]])


def test_only_wanted_variables_are_looked_into(tmp_path: Path) -> None:
    path = saved(tmp_path, {"x": np.ones((1, 1)), "y": np.ones((2, 2))}, do_compression=True)
    assert list(read_mat(path, ["y"])) == ["y"]
    error = refused(path, ["y", "none"])
    assert error.code == "E_SIGNAL_FILE"
    assert "'none'" in error.sentence


def level5(array_class: int, name: str, content: bytes = b"", shape: bool = True) -> bytes:
    def element(kind: int, body: bytes) -> bytes:
        return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)

    array = element(6, struct.pack("<II", array_class, 0))
    array += element(5, struct.pack("<ii", 1, 1)) if shape else b""
    return element(14, array + element(1, name.encode()) + content)


@pytest.mark.parametrize(
    ("array_class", "kind"), [(16, "function handle"), (3, "object"), (17, "object"), (99, "99")]
)
def test_F12_what_is_no_number_is_named(tmp_path: Path, array_class: int, kind: str) -> None:
    path = tmp_path / "handle.mat"
    path.write_bytes(HEADER + level5(array_class, "secret", shape=array_class != 17))
    error = refused(path)
    assert error.code == "E_MAT_TYPE"
    assert "'secret'" in error.sentence
    assert kind in error.sentence
    within = level5(1, "outer", level5(array_class, "", shape=array_class != 17))
    path.write_bytes(HEADER + within)
    assert "'outer'" in refused(path).sentence


def test_F12_sparse_matrices_are_refused_by_name(tmp_path: Path) -> None:
    sparse = scipy.sparse.csc_array(np.eye(3))
    for options in ({}, {"format": "4"}):
        error = refused(saved(tmp_path, {"thin": sparse}, **options))
        assert error.code == "E_MAT_TYPE"
        assert "'thin'" in error.sentence


def test_F12_foreign_files(tmp_path: Path) -> None:
    for content in (b"<html>" * 100, b"\x80\x04pickle", bytes(200), b"x"):
        path = tmp_path / "foreign.mat"
        path.write_bytes(content)
        assert refused(path).code == "E_TYPE_MISMATCH"


def small_files(folder: Path) -> dict[str, bytes]:
    variables = {
        "joined": cell(np.arange(40.0).reshape(10, 4), np.zeros((0, 0)), np.ones((2, 2))),
        "ids": cell("4", "N1", "138"),
        "one": {"rate": 128.0, "list": cell(1.0, "x")},
    }
    return {
        "plain": saved(folder, variables).read_bytes(),
        "compressed": saved(folder, variables, do_compression=True).read_bytes(),
        "level4": saved(folder, {"x": np.eye(4), "t": "text"}, format="4").read_bytes(),
    }


def test_F12_cut_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.mat"
    codes = set()
    for content in small_files(tmp_path).values():
        whole = io.BytesIO(content)
        for length in range(len(HEADER) + 1, len(content), 13):
            path.write_bytes(whole.getvalue()[:length])
            try:
                found = read_mat(path)
            except InputError as error:
                codes.add(error.code)
            else:  # cut between two variables
                assert len(found) < 3
    assert codes == {"E_SIGNAL_FILE"}


def test_F12_mutated_files_raise_typed_errors_only(tmp_path: Path) -> None:
    generator = np.random.default_rng(12)
    path = tmp_path / "mutated.mat"
    refusals = 0
    for content in small_files(tmp_path).values():
        for _ in range(250):
            bytes_ = bytearray(content)
            for place in generator.integers(0, len(bytes_), generator.integers(1, 4)):
                bytes_[place] = generator.choice([0, 1, 127, 255, generator.integers(256)])
            path.write_bytes(bytes_)
            try:
                read_mat(path)
            except InputError:
                refusals += 1
    assert refusals > 250


def nested(depth: int) -> bytes:
    """A cell in a cell in a cell ...: SciPy 1.17 dies of 200,000 with a segmentation fault."""
    head = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1)
    top, inner = head + struct.pack("<II8s", 1, 8, b"variable"), head + struct.pack("<II", 1, 0)
    sizes = [0]
    for _ in range(depth):
        sizes.append(len(inner) + 8 + sizes[-1])
    body = struct.pack("<II", 14, len(top) + 8 + sizes[-1]) + top
    body += b"".join(struct.pack("<II", 14, size) + inner for size in reversed(sizes[1:]))
    body += struct.pack("<II", 14, 0)
    packed = zlib.compress(body)
    return HEADER + struct.pack("<II", 15, len(packed)) + packed


def test_F12_nesting_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "nested.mat"
    path.write_bytes(nested(20))
    assert "variable" in read_mat(path)
    path.write_bytes(nested(100_000))
    assert "nested deeper" in refused(path).sentence


def test_F12_sizes_that_are_only_stated_are_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mat"
    claim = struct.pack("<II", 14, 0xF0000000) + level5(6, "vast")[8:]
    packed = zlib.compress(claim + bytes(100_000))
    path.write_bytes(HEADER + struct.pack("<II", 15, len(packed)) + packed)
    assert refused(path).code == "E_FILE_LIMIT"
    cells = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 60_000, 60_000)
    cells += struct.pack("<II8s", 1, 8, b"variable")
    path.write_bytes(HEADER + struct.pack("<II", 14, len(cells)) + cells)
    assert refused(path).code == "E_SIGNAL_FILE"


# -- v7.3 --------------------------------------------------------------------------------------


def hdf5(path: Path, fill: Callable[[h5py.File], object]) -> Path:
    """A file as MATLAB lays it out: HDF5 behind 512 bytes of text."""
    with h5py.File(path, "w", userblock_size=512) as file:
        fill(file)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(116))
    return path


def put(
    group: h5py.Group, name: str, data: np.ndarray[Any, Any], *, called: str = "double"
) -> h5py.Dataset:
    made = group.create_dataset(name, data=data)
    made.attrs["MATLAB_class"] = np.bytes_(called)
    return made


def letters(text: str) -> np.ndarray[Any, Any]:
    return np.array([[ord(letter)] for letter in text], dtype=np.uint16)


def matlab_like(file: h5py.File) -> None:
    put(file, "numbers", np.arange(12.0).reshape(3, 4).T)
    put(file, "word", letters("Übung"), called="char")
    put(file, "flags", np.array([[1], [0]], np.uint8), called="logical")
    refs = file.create_group("#refs#")
    parts = [
        put(refs, "a", np.eye(2)),
        put(refs, "b", letters("N1"), called="char"),
        put(refs, "c", np.array([0, 0], np.uint64)),
    ]
    parts[2].attrs["MATLAB_empty"] = np.uint8(1)
    pointers = np.array([[part.ref] for part in parts], dtype=h5py.ref_dtype)
    put(file, "cells", pointers, called="cell")
    one = file.create_group("one")
    one.attrs["MATLAB_class"] = np.bytes_("struct")
    put(one, "rate", np.array([[128.0]]))
    many = file.create_group("many")
    many.attrs["MATLAB_class"] = np.bytes_("struct")
    many.create_dataset("x", data=pointers[:2])
    many.create_dataset("y", data=pointers[1:])


def test_F12_level73_through_the_child(tmp_path: Path) -> None:
    found = read_mat(hdf5(tmp_path / "new.mat", matlab_like))
    np.testing.assert_array_equal(found["numbers"], np.arange(12.0).reshape(3, 4))
    assert found["word"] == "Übung"
    flags, cells, many = found["flags"], found["cells"], found["many"]
    assert isinstance(flags, np.ndarray)
    assert isinstance(cells, np.ndarray)
    assert isinstance(many, np.ndarray)
    assert flags.tolist() == [[True, False]]
    assert cells.shape == (1, 3)
    assert cells[0, 0].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert cells[0, 1] == "N1"
    assert cells[0, 2].shape == (0, 0)
    assert found["one"] == {"rate": np.array([[128.0]])}
    assert many.shape == (1, 2)
    assert many[0, 1]["x"] == "N1"
    assert many[0, 1]["y"].shape == (0, 0)
    assert "#refs#" not in found


def hostile_handle(file: h5py.File, _: Path) -> None:
    put(file, "secret", np.zeros((1, 1), np.uint32), called="function_handle")


def hostile_object(file: h5py.File, _: Path) -> None:
    put(file, "secret", np.zeros((1, 6), np.uint32), called="table").attrs[
        "MATLAB_object_decode"
    ] = np.int32(3)


def hostile_text_type(file: h5py.File, _: Path) -> None:
    file.create_dataset("secret", data=["a", "b"], dtype=h5py.string_dtype())


@pytest.mark.parametrize("hostile", [hostile_handle, hostile_object, hostile_text_type])
def test_F12_level73_types(tmp_path: Path, hostile: Callable[[h5py.File, Path], None]) -> None:
    path = hdf5(tmp_path / "types.mat", lambda file: hostile(file, tmp_path))
    with pytest.raises(InputError) as caught:
        mat_hdf5.read_hdf5(path, None)
    assert caught.value.code == "E_MAT_TYPE"
    assert "'secret'" in caught.value.sentence


def external_link(file: h5py.File, canary: Path) -> None:
    file["x"] = h5py.ExternalLink(str(canary), "/secret")


def soft_loop(file: h5py.File, _: Path) -> None:
    file["x"] = h5py.SoftLink("/y")
    file["y"] = h5py.SoftLink("/x")


def virtual_dataset(file: h5py.File, canary: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(canary), "secret", shape=(4,))
    file.create_virtual_dataset("x", layout)


def external_storage(file: h5py.File, _: Path) -> None:
    file.create_dataset("x", (64,), "u1", external=[("/etc/passwd", 0, 64)])


def nested_link(file: h5py.File, canary: Path) -> None:
    file.create_group("x")["field"] = h5py.ExternalLink(str(canary), "/secret")


def own_circle(file: h5py.File, _: Path) -> None:
    made = file.create_dataset("x", (2, 1), h5py.ref_dtype)
    made.attrs["MATLAB_class"] = np.bytes_("cell")
    made[0, 0] = made.ref


def never_written(file: h5py.File, _: Path) -> None:
    file.create_dataset("x", (1 << 20, 1 << 10), "f8", chunks=(1 << 10, 1 << 10))


def twice_compressed(file: h5py.File, _: Path) -> None:
    made = file.create_dataset("x", (1 << 25,), "f8", chunks=(1 << 20,), compression="gzip")
    made.id.write_direct_chunk((0,), b"\0" * 16)


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        (external_link, "E_SIGNAL_FILE"),
        (soft_loop, "E_SIGNAL_FILE"),
        (virtual_dataset, "E_SIGNAL_FILE"),
        (external_storage, "E_SIGNAL_FILE"),
        (nested_link, "E_SIGNAL_FILE"),
        (own_circle, "E_SIGNAL_FILE"),
        (never_written, "E_FILE_LIMIT"),
        (twice_compressed, "E_FILE_LIMIT"),
    ],
)
def test_F13_hostile_hdf5(
    tmp_path: Path, hostile: Callable[[h5py.File, Path], None], code: str
) -> None:
    canary = tmp_path / "canary.h5"
    with h5py.File(canary, "w") as file:
        file["secret"] = np.arange(4.0)
    path = hdf5(tmp_path / "hostile.mat", lambda file: hostile(file, canary))
    with pytest.raises(InputError) as caught:
        mat_hdf5.read_hdf5(path, None)
    assert caught.value.code == code


def test_F13_refusals_cross_the_process_border(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "hostile.mat", lambda file: never_written(file, tmp_path))
    assert refused(path).code == "E_FILE_LIMIT"


def test_F13_memory_limit_holds_in_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(file: h5py.File) -> None:
        made = file.create_dataset("x", (40 << 20,), "f8", chunks=(1 << 20,), compression="gzip")
        packed = zlib.compress(bytes(8 << 20))  # once: all 40 chunks are alike
        for start in range(0, 40 << 20, 1 << 20):
            made.id.write_direct_chunk((start,), packed)

    monkeypatch.setattr(reader_process, "MEMORY", 350 << 20)
    assert read_mat(hdf5(tmp_path / "small.mat", matlab_like), ["word"])
    path = hdf5(tmp_path / "big.mat", fill)
    assert path.stat().st_size < 1 << 20
    assert refused(path).code in ("E_FILE_LIMIT", "E_READER_CRASH")


@pytest.mark.parametrize(
    ("child", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "E_READER_CRASH"),
        ("import time; time.sleep(60)", "E_FILE_LIMIT"),
        ("pass", "E_READER_CRASH"),
    ],
)
def test_F13_a_child_that_crashes_or_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, code: str
) -> None:
    (tmp_path / "strange_reader.py").write_text(child)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(mat, "_CHILD", "strange_reader")
    monkeypatch.setattr(reader_process, "SECONDS", 0.5)
    path = hdf5(tmp_path / "new.mat", matlab_like)
    began = time.monotonic()
    assert refused(path).code == code
    assert time.monotonic() - began < 20


def test_F13_mutated_hdf5_ends_typed(tmp_path: Path) -> None:
    content = hdf5(tmp_path / "new.mat", matlab_like).read_bytes()
    generator = np.random.default_rng(13)
    path = tmp_path / "mutated.mat"
    for _ in range(2):
        mutated = bytearray(content)
        for place in generator.integers(512, len(content), 40):
            mutated[place] = generator.integers(256)
        path.write_bytes(mutated)
        try:
            read_mat(path)
        except InputError:
            continue


def test_F13_without_h5py_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(AffectScopeError) as caught:
        mat_hdf5.read_hdf5(path, None)
    assert caught.value.code == "E_EXTRA"


def test_a_budget_ends_in_a_typed_error() -> None:
    budget = mat_values.Budget(Path("file.mat"), bytes_left=10, values_left=1)
    with pytest.raises(InputError, match="E_FILE_LIMIT"):
        budget.spend(11)
