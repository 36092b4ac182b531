"""Pickles of arrays are read without being run: every protocol, payloads, bombs, damage (F15)."""

from __future__ import annotations

import builtins
import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affectscope.datasets.python2_pickle import python2_pickle
from affectscope.errors import InputError
from affectscope.io import array_pickle
from affectscope.io.array_pickle import read_array_pickle

ARRAYS = {
    "table": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "single": np.array(5, dtype=np.uint8),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "other order": np.arange(4, dtype=">i4"),
    "true": np.array([True, False]),
    "text": np.array(["ab", "ü"]),
    "bytes": np.array([b"ab", b"c"]),
}
PLAIN = {"list": [1, 2**70, -3, 2.5, None, True], "tuple": (1, ("é", b"\xff\x00")), "none": {}}


def read(folder: Path, content: bytes) -> Any:
    path = folder / "a.pkl"
    path.write_bytes(content)
    return read_array_pickle(path)


def refused(folder: Path, content: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder, content)
    return caught.value


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_what_pickle_gives(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps({**ARRAYS, **PLAIN, "scalar": np.float32(1.5)}, protocol)
    found = read(tmp_path, content)
    assert found.keys() == {*ARRAYS, *PLAIN, "scalar"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert not found[name].flags.writeable
    assert {name: found[name] for name in PLAIN} == PLAIN
    assert (type(found["scalar"]), found["scalar"]) == (np.float32, np.float32(1.5))


def test_pickles_of_python_2_have_text_and_arrays(tmp_path: Path) -> None:
    value = {"subject": "S2", "é": (1, True, None), "deep": {"x": np.arange(3000.0)[:, None]}}
    content = python2_pickle(value)
    found = read(tmp_path, content)
    oracle = pickle.loads(content, encoding="latin1")  # our own bytes
    assert found["subject"] == oracle["subject"] == "S2"
    assert found["é"] == oracle["é"] == (1, True, None)
    np.testing.assert_array_equal(found["deep"]["x"], oracle["deep"]["x"])
    assert found["deep"]["x"].shape == (3000, 1)


def test_python_2_text_of_protocol_0_is_unquoted(tmp_path: Path) -> None:
    assert read(tmp_path, b"(S'a\\x80\\'\\n'\nS\"b'\"\nt.") == ("a\x80'\n", "b'")
    assert refused(tmp_path, b"S'a\\8'\n.").code == "E_SIGNAL_FILE"


def test_what_occurs_twice_is_one(tmp_path: Path) -> None:
    array = np.arange(3)
    first, second = read(tmp_path, pickle.dumps([array, array]))
    assert first is second


def outcome(folder: Path, content: bytes) -> tuple[Any, InputError | None]:
    try:
        return read(folder, content), None
    except InputError as error:
        return None, error


class _Reduced:
    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def payloads(canary: Path) -> dict[str, Any]:
    touch = f"touch {canary}"
    python = f"open({str(canary)!r}, 'w')"
    return {
        "os.system": _Reduced(os.system, (touch,)),
        "eval": _Reduced(eval, (python,)),
        "exec": _Reduced(exec, (python,)),
        "getattr": _Reduced(getattr, (_Reduced(__import__, ("os",)), "system")),
        "open": _Reduced(builtins.open, (str(canary), "w")),
        "path": _Reduced(Path.touch, (canary,)),
        "numpy load": _Reduced(np.load, (str(canary),)),
        "numpy save": _Reduced(np.save, (str(canary), 1)),
        "a class": collections.OrderedDict(a=1),
        "in an array": np.array([_Reduced(os.system, (touch,))], dtype=object),
        "in a dict's items": _Reduced(
            dict, (), {}, None, iter([("a", _Reduced(os.system, (touch,)))])
        ),
    }


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", list(payloads(Path("x"))))
def test_F15_payloads_do_not_run(tmp_path: Path, name: str, protocol: int) -> None:
    canary = tmp_path / "canary"
    content = pickle.dumps({"data": payloads(canary)[name]}, protocol)
    error = refused(tmp_path, content)
    assert error.code == "E_PICKLE_CONTENT"
    assert "nothing of it was run" in error.sentence
    assert not canary.exists()


def test_the_canary_sings_when_pickle_reads_it(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(payloads(canary)["os.system"]))
    assert canary.exists()


HANDMADE = {
    "numpy's own file reader": b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
    "exec by numpy": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
    "a name with a line feed": b"\x80\x04\x8c\x02o\n\x8c\x06system\x93.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0dcore._methods\x93.",
    "instance": b"(S'x'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'x'\no.",
    "new object": b"\x80\x02cnumpy\nndarray\nK\x01\x85\x81.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Pna\\@me\n.",
    "an escape in a name": b"cnumpy\nnd\\@array\n.",
    "out of band": b"\x80\x05\x97.",
    "codec that runs": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00ziptR.",
    "ndarray called": b"cnumpy\nndarray\n((I9999999\nI9999999\nttR.",
    "state for a name": b"cnumpy\nndarray\n}(S'a'\nI1\nub.",
    "state for a dict": b"}}(S'a'\nI1\nub.",
    "call of text": b"S'os.system'\n(S'x'\ntR.",
    "bare name": b"cnumpy\nndarray\n.",
    "matrix": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nmatrix\n(I0\ntS'b'\ntR.",
    "key of tuples": b"}(I1\ntI2\ns.",
    "object dtype": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
    "fields": b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.",
}


@pytest.mark.parametrize("name", HANDMADE)
def test_F15_handmade_programs_are_refused(tmp_path: Path, name: str) -> None:
    error = refused(tmp_path, HANDMADE[name])
    assert error.code == "E_PICKLE_CONTENT"
    assert error.sentence.isprintable()


def test_F15_the_refused_global_is_named(tmp_path: Path) -> None:
    assert "'os.system'" in refused(tmp_path, b"cos\nsystem\n(S'x'\ntR.").sentence
    assert "'o\\n.system'" in refused(tmp_path, HANDMADE["a name with a line feed"]).sentence


def array_state(shape: bytes, content: bytes, kind: bytes = b"f8") -> bytes:
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + shape
        + b"cnumpy\ndtype\nU\x02" + kind + b"K\x00K\x01\x87R\x89"
        + b"U" + bytes([len(content)]) + content + b"tb."
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        array_state(b"K\x02\x85", bytes(8)),  # less than declared
        array_state(b"K\x01\x85", bytes(16)),  # more than declared
        array_state(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", bytes(8)),  # 32 EiB
        array_state(b"\x8a\x09" + b"\xff" * 8 + b"\x00\x85", b""),
        array_state(b"J\xff\xff\xff\xff\x85", b""),  # a negative side
        array_state(b"K\x01\x85", b"\xff\xff\xff\xff", b"U1"),  # no character
        b"\x80\x03B\xff\xff\xff\x7fabc.",  # text longer than the file
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
        b"\x8b\xff\xff\xff\x7f\x01.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"\x80\x02(((.",
        b"\x80\x02.",
        b"\x80\x02K\x01K\x02.",
        b"\x80\x02K\x01",
        b"h\x07.",
        b"2.",
        b"(t(u.",
        b"K\x01a.",
        b"\xff\xff",
        b"<html>",
    ],
)
def test_F15_what_is_no_whole_pickle_is_damaged(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content).code == "E_SIGNAL_FILE"


def test_whole_array_state_is_read(tmp_path: Path) -> None:
    content = struct.pack("<2d", 1.5, -2.0)
    np.testing.assert_array_equal(read(tmp_path, array_state(b"K\x02\x85", content)), [1.5, -2.0])


def test_depth_loops_steps_and_size_have_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep: list[Any] = []
    for _ in range(array_pickle.MAXIMUM_DEPTH - 1):
        deep = [deep]
    assert read(tmp_path, pickle.dumps(deep)) == deep
    assert refused(tmp_path, pickle.dumps([deep])).code == "E_PICKLE_CONTENT"
    loop: list[Any] = []
    loop.append(loop)
    assert "holds itself" in refused(tmp_path, pickle.dumps(loop)).sentence
    laughs: list[Any] = []
    for _ in range(30):
        laughs = [laughs] * 10  # 10^30 if it were copied
    assert len(read(tmp_path, pickle.dumps(laughs))) == 10
    monkeypatch.setattr(array_pickle, "MAXIMUM_OPCODES", 1000)
    assert "steps" in refused(tmp_path, b"N0" * 600 + b"N.").sentence
    monkeypatch.setattr(array_pickle, "MAXIMUM_BYTES", 3)
    assert refused(tmp_path, b"NNN.").code == "E_FILE_LIMIT"


def test_missing_and_empty_files(tmp_path: Path) -> None:
    assert refused(tmp_path, b"").code == "E_FILE_EMPTY"
    with pytest.raises(InputError) as caught:
        read_array_pickle(tmp_path / "absent")
    assert caught.value.code == "E_FILE_MISSING"


SEEDS = [
    python2_pickle({"data": np.arange(24.0).reshape(2, 3, 4), "labels": np.ones((2, 4))}),
    *(pickle.dumps({"a": np.arange(5), "b": [("x", 1.5)]}, protocol) for protocol in (0, 3, 5)),
]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(SEEDS),
    cut=st.floats(0.0, 1.0),
    changes=st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 255)), max_size=6),
)
def test_F15_any_cut_or_change_is_read_or_refused(
    tmp_path: Path, content: bytes, cut: float, changes: list[tuple[float, int]]
) -> None:
    changed = bytearray(content[: max(1, round(cut * len(content)))] if changes == [] else content)
    for place, value in changes:
        changed[min(len(changed) - 1, int(place * len(changed)))] = value
    found, error = outcome(tmp_path, bytes(changed))
    if error is not None:
        assert error.code in ("E_SIGNAL_FILE", "E_PICKLE_CONTENT")
        assert error.sentence.isprintable()
    else:
        plain = dict | list | tuple | str | bytes | int | float | np.generic | np.ndarray | None
        assert isinstance(found, plain)
