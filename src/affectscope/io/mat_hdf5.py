"""MATLAB v7.3 files (HDF5): the part that runs in a process of its own.

``io.mat`` starts this module as a child with a time and a memory limit, since HDF5 is a large C
library and a hostile file may crash, hang or swell it (F13). The child gets its order as JSON on
its standard input and leaves ``structure.json`` and plain ``.npy`` arrays in a folder: no pickle.

What is read: data sets of numbers, groups (structs), and data sets of references (cells, struct
arrays) with MATLAB's attributes. Nothing outside the file: soft and external links, external
storage and virtual data sets are refused where they are met.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectscope.errors import require
from affectscope.io.mat_values import (
    MAXIMUM_BYTES,
    MAXIMUM_DEPTH,
    Budget,
    ObjectArray,
    checked_count,
    damaged,
    is_wanted,
    limit,
    object_array,
    text_value,
    wrong_type,
)
from affectscope.io.reader_process import serve

_LARGEST_RATIO = 1100  # deflate cannot do better than 1032; more is data that was never written
_SMALL = 1 << 20  # bytes that are read whatever their ratio
_OWN = "#"  # MATLAB's own groups: #refs#, #subsystem#
_NUMBERS = {"double", "single", "logical", "int8", "uint8", "int16", "uint16", "int32", "uint32",
            "int64", "uint64"}  # fmt: skip


def read_hdf5(path: Path, names: Collection[str] | None) -> dict[str, object]:
    """The wanted variables (None: all).

    Raises:
        InputError: E_SIGNAL_FILE, E_FILE_LIMIT or E_MAT_TYPE. MissingExtraError without h5py.
    """
    h5py = require("h5py", "Reading MATLAB v7.3 files", "formats")
    try:
        with h5py.File(path, "r", locking=False) as file:
            reader = _Reader(path, h5py, file, Budget(path))
            return {
                name: reader.variable(name)
                for name in file
                if is_wanted(name, names) and not name.startswith(_OWN)
            }
    except MemoryError as error:
        raise limit(path, "needs more memory than one file is given") from error
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError,
            OverflowError) as error:  # fmt: skip
        raise damaged(path, str(error).splitlines()[0] if str(error) else "h5py gave up") from error


@dataclass
class _Reader:
    """Reads one open file; ``top`` is the variable that is being read, for messages."""

    path: Path
    h5py: Any
    file: Any
    budget: Budget
    top: str = ""

    def variable(self, name: str) -> object:
        self.top = name
        return self._value(self._member(self.file, name), depth=0)

    def _member(self, group: Any, name: str) -> Any:
        """A group's member, reached by an ordinary link only."""
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise damaged(self.path, f"{name!a} is a link to elsewhere, which is not followed")
        return group[name]

    def _value(self, item: Any, *, depth: int) -> object:
        if depth > MAXIMUM_DEPTH:
            raise damaged(self.path, f"{self.top!a} is nested deeper than {MAXIMUM_DEPTH}")
        called = _text(item.attrs.get("MATLAB_class", b""))
        if isinstance(item, self.h5py.Group):
            if "MATLAB_sparse" in item.attrs:
                raise wrong_type(self.path, self.top, "a sparse matrix")
            if called not in ("", "struct"):
                raise wrong_type(self.path, self.top, _named(called))
            return self._struct(item, depth)
        if not isinstance(item, self.h5py.Dataset):
            raise wrong_type(self.path, self.top, "an HDF5 type")
        if "MATLAB_object_decode" in item.attrs:
            raise wrong_type(self.path, self.top, _named(called))
        if self._refers(item):
            return self._cell(item, depth)
        return self._plain(item, called)

    def _refers(self, item: Any) -> bool:
        return self.h5py.check_ref_dtype(item.dtype) is self.h5py.Reference

    def _plain(self, item: Any, called: str) -> object:
        """Numbers, text, or what is empty (then the data set holds the size)."""
        if called not in (*_NUMBERS, "char", "cell", "struct", ""):
            raise wrong_type(self.path, self.top, _named(called))
        values = self._read(item)
        if item.attrs.get("MATLAB_empty"):
            return self._empty(values, called)
        if called == "char":
            if values.dtype.kind not in "iu" or (values.size and values.max() > 0x10FFFF):
                raise damaged(self.path, f"{self.top!a} holds text that is none")
            return text_value(values)
        if called in ("cell", "struct"):
            raise damaged(self.path, f"{self.top!a} is a {called} without references")
        is_logical = called == "logical" or ("MATLAB_int_decode" in item.attrs and called == "")
        return values.astype(np.bool_) if is_logical else values

    def _empty(self, sizes: NDArray[Any], called: str) -> object:
        shape = tuple(int(axis) for axis in np.ravel(sizes))
        if len(shape) > MAXIMUM_DEPTH or checked_count(shape, self.path):
            raise damaged(self.path, f"{self.top!a} is called empty and is not")
        if called == "char":
            return ""
        return object_array([], shape) if called in ("cell", "struct") else np.zeros(shape)

    def _cell(self, item: Any, depth: int) -> object:
        references = self._read(item)
        parts = [self._target(one, depth) for one in references.reshape(-1, order="F")]
        return object_array(parts, references.shape)

    def _target(self, reference: Any, depth: int) -> object:
        if not reference:
            return np.zeros((0, 0))
        self.budget.spend(128)
        return self._value(self.file[reference], depth=depth + 1)

    def _struct(self, group: Any, depth: int) -> object:
        """A 1 x 1 struct as a dict; fields that hold references alone make an array of dicts."""
        fields = {name: self._member(group, name) for name in group}
        self.budget.spend(128 * len(fields))
        many = [
            isinstance(item, self.h5py.Dataset)
            and self._refers(item)
            and "MATLAB_class" not in item.attrs
            for item in fields.values()
        ]
        if not fields or not all(many):
            return {name: self._value(item, depth=depth + 1) for name, item in fields.items()}
        columns: dict[str, ObjectArray] = {}
        for name, item in fields.items():
            cell = self._cell(item, depth)
            assert isinstance(cell, np.ndarray)
            columns[name] = cell
        shapes = {column.shape for column in columns.values()}
        if len(shapes) != 1:
            raise damaged(self.path, f"{self.top!a} has fields of different sizes")
        flat = {name: column.reshape(-1, order="F") for name, column in columns.items()}
        (shape,) = shapes
        count = int(np.prod(shape))
        return object_array(
            [{name: column[i] for name, column in flat.items()} for i in range(count)], shape
        )

    def _read(self, item: Any) -> NDArray[Any]:
        """A data set's content in MATLAB's order of axes; sizes are checked before it is read."""
        if item.is_virtual or item.external:
            raise damaged(self.path, f"{self.top!a} lies outside the file")
        parts = item.dtype.names
        is_complex = parts == ("real", "imag")
        if not is_complex and not self._refers(item) and item.dtype.kind not in "iufb":
            raise wrong_type(self.path, self.top, f"HDF5 data of the kind {item.dtype}")
        if item.shape is None:
            raise wrong_type(self.path, self.top, "an HDF5 value without a shape")
        size = checked_count(item.shape, self.path) * item.dtype.itemsize
        chunk = int(np.prod(item.chunks or (1,), dtype=np.float64)) * item.dtype.itemsize
        stored = item.id.get_storage_size()
        if max(size, chunk) > MAXIMUM_BYTES or size > _SMALL + _LARGEST_RATIO * stored:
            raise limit(self.path, f"states {size} bytes for {self.top!a} and stores {stored}")
        self.budget.spend(size)
        values: NDArray[Any] = np.asarray(item[()]).T
        if is_complex:
            return np.asarray(values["real"] + 1j * values["imag"])
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _named(called: str) -> str:
    if called == "function_handle":
        return "a function handle"
    return f"an object of the class {called!a}"


@dataclass
class _Writer:
    """Values -> a JSON structure, with arrays beside it as numbered npy files."""

    folder: Path
    count: int = field(default=0)

    def node(self, value: object) -> dict[str, object]:
        if isinstance(value, str):
            return {"text": value}
        if isinstance(value, dict):
            return {"struct": {name: self.node(part) for name, part in value.items()}}
        assert isinstance(value, np.ndarray)
        if value.dtype == np.object_:
            parts = [self.node(part) for part in value.reshape(-1, order="F")]
            return {"cell": parts, "shape": list(value.shape)}
        name = f"{self.count}.npy"
        self.count += 1
        np.save(self.folder / name, value, allow_pickle=False)
        return {"array": name}


def rebuilt(node: dict[str, Any], folder: Path) -> object:
    """The value that ``_Writer.node`` took apart."""
    if "text" in node:
        return str(node["text"])
    if "struct" in node:
        return {name: rebuilt(part, folder) for name, part in node["struct"].items()}
    if "cell" in node:
        return object_array([rebuilt(part, folder) for part in node["cell"]], node["shape"])
    return np.load(folder / Path(node["array"]).name, allow_pickle=False)


def answer(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The wanted variables as a structure, their arrays left in the folder."""
    found = read_hdf5(Path(order["path"]), order["names"])
    writer = _Writer(folder)
    return {"variables": {name: writer.node(value) for name, value in found.items()}}


if __name__ == "__main__":
    serve(answer)
