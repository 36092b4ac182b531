from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectscope.errors import ModelError
from affectscope.models.strict_json import decode, parse_object


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"]
    share: float


@dataclass(frozen=True)
class Outer:
    inner: Inner
    count: int
    names: tuple[str, ...]
    limits: Mapping[str, tuple[float, float]]
    rest: Mapping[str, Any]


GOOD: dict[str, Any] = {
    "inner": {"kind": "a", "share": 1},
    "count": 3,
    "names": ["x", "ü"],
    "limits": {"v": [-1, 1.0]},
    "rest": {"losses": [0.5, None]},
}

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
scalars |= st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def outcome(read: Callable[[], object]) -> str:
    """The kind of what was read, or the code of the refusal."""
    try:
        return type(read()).__name__
    except ModelError as error:
        return error.code


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "9" * 5_000 + "}",
        '{"a": ' + "9" * 19 + "}",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": 1} {"b": 2}',
        '{"a": 1',
        "[1]",
        "1",
        "",
        "\ufeff{}",
    ],
    ids=lambda text: text[:20],
)
def test_F22_what_readers_disagree_on_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"file\.json") as caught:
        parse_object(text.encode(), "file.json")
    assert caught.value.code == "E_CHECKPOINT"
    assert len(str(caught.value)) < 500


@given(st.binary(max_size=60))
def test_F22_any_bytes_end_in_an_object_or_one_error(content: bytes) -> None:
    assert outcome(lambda: parse_object(content, "x")) in {"dict", "E_CHECKPOINT"}


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), documents, max_size=3))
def test_plain_json_comes_back(document: dict[str, Any]) -> None:
    assert parse_object(json.dumps(document).encode(), "x") == document


def test_decodes_in_depth() -> None:
    found = decode(Outer, GOOD, "file")
    assert found == Outer(
        inner=Inner("a", 1.0),
        count=3,
        names=("x", "ü"),
        limits={"v": (-1.0, 1.0)},
        rest={"losses": [0.5, None]},
    )
    assert type(found.inner.share) is float


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"inner": None}, "file.inner"),
        ({"inner": {"kind": "a"}}, "file.inner"),
        ({"inner": {"kind": "c", "share": 1}}, "file.inner.kind"),
        ({"inner": {"kind": ["a"], "share": 1}}, "file.inner.kind"),
        ({"inner": {"kind": "a", "share": "1"}}, "file.inner.share"),
        ({"inner": {"kind": "a", "share": True}}, "file.inner.share"),
        ({"count": 3.0}, "file.count"),
        ({"count": True}, "file.count"),
        ({"names": "x"}, "file.names"),
        ({"names": [1]}, "file.names"),
        ({"names": ["two\nlines"]}, "file.names"),
        ({"names": ["\ud800"]}, "file.names"),
        ({"limits": {"v": [1]}}, "file.limits.v"),
        ({"limits": []}, "file.limits"),
        ({"extra": 1}, "file"),
    ],
)
def test_F22_ill_typed_fields_are_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ModelError) as caught:
        decode(Outer, {**GOOD, **change}, "file")
    assert caught.value.code == "E_CHECKPOINT"
    assert caught.value.sentence.startswith(f"{where} is ")
    str(caught.value).encode()


@settings(max_examples=60, deadline=None)
@given(documents)
def test_F22_any_document_decodes_or_is_refused(document: Any) -> None:
    for field in GOOD:
        decoding = partial(decode, Outer, {**GOOD, field: document}, "file")
        assert outcome(decoding) in {"Outer", "E_CHECKPOINT"}
