from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from affectscope.errors import ModelError
from affectscope.models.weights_file import (
    LARGEST_HEADER,
    MOST_TENSORS,
    fill,
    looks_like_pickle,
    parse_tensors,
    read_bounded,
)

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}
CONTENT = save(TENSORS)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def code_of(content: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        parse_tensors(content, "w.safetensors")
    assert "w.safetensors" in caught.value.sentence
    return caught.value.code


def outcome(content: bytes) -> str:
    try:
        parse_tensors(content, "w")
    except ModelError as error:
        return error.code
    return "tensors"


def test_tensors_come_back() -> None:
    found = parse_tensors(CONTENT, "w")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


def test_F16_every_cut_is_refused() -> None:
    for length in range(len(CONTENT)):
        assert code_of(CONTENT[:length]) == "E_CHECKPOINT"


def test_F16_a_large_header_is_refused_before_it_is_read() -> None:
    allowed = json.dumps({"__metadata__": {"a": " " * (LARGEST_HEADER - 100)}}).encode()
    assert parse_tensors(with_header(allowed.ljust(LARGEST_HEADER)), "w") == {}
    assert code_of(with_header(allowed.ljust(LARGEST_HEADER + 1))) == "E_CHECKPOINT"
    # a length that the file does not have, as large as 8 bytes can say
    assert code_of(b"\xff" * 8 + CONTENT[8:]) == "E_CHECKPOINT"


def test_F16_too_many_tensors_are_refused() -> None:
    def header(count: int) -> bytes:
        empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        return json.dumps({f"t{number}": empty for number in range(count)}).encode()

    assert len(parse_tensors(with_header(header(MOST_TENSORS)), "w")) == MOST_TENSORS
    assert code_of(with_header(header(MOST_TENSORS + 1))) == "E_CHECKPOINT"
    assert code_of(with_header(header(100_000))) == "E_CHECKPOINT"


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]},
        {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32"},
        [],
    ],
)
def test_F16_lying_headers_are_refused(entry: object) -> None:
    header = json.dumps({"t": entry}).encode()
    assert code_of(with_header(header, b"\x00" * 4)) == "E_CHECKPOINT"


@given(st.binary(max_size=200))
def test_F16_any_bytes_end_in_tensors_or_one_error(content: bytes) -> None:
    for candidate in (content, with_header(content), CONTENT[:20] + content):
        assert outcome(candidate) in {"tensors", "E_CHECKPOINT"}


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_F16_a_flipped_bit_ends_in_tensors_or_one_error(place: int, bit: int) -> None:
    content = bytearray(CONTENT)
    content[place] ^= 1 << bit
    assert outcome(bytes(content)) in {"tensors", "E_CHECKPOINT"}


def torch_saved(*, zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(TENSORS, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_F15_pickles_are_told_by_content(protocol: int) -> None:
    if protocol != 1:  # protocol 1 begins like any other bytes; such a file is refused as damaged
        assert looks_like_pickle("weights.safetensors", pickle.dumps({"a": 1}, protocol))
    assert looks_like_pickle("weights.safetensors", pickle.dumps(Path("a"), max(protocol, 2)))
    assert looks_like_pickle("weights.safetensors", pickle.dumps(Path("a"), 0))


def test_F15_pickles_are_told_by_name_and_as_torch_files() -> None:
    assert looks_like_pickle("w", torch_saved(zipped=True))
    assert looks_like_pickle("w", torch_saved(zipped=False))
    for name in ("w.pt", "w.pth", "w.CKPT", "w.pkl", "w.pickle", "w.joblib"):
        assert looks_like_pickle(name, CONTENT)


def test_good_files_are_no_pickles() -> None:
    assert not looks_like_pickle("weights.safetensors", CONTENT)
    # a header length whose bytes look like a pickle's first two
    header = json.dumps({"__metadata__": {}}).encode().ljust(0x0280)
    assert with_header(header)[:2] == b"\x80\x02"
    assert not looks_like_pickle("weights.safetensors", with_header(header))
    assert not looks_like_pickle("checkpoint.json", b'{"a": 1}')
    assert not looks_like_pickle("notes.md", b"(draft) trained on Monday")


def test_fill_names_what_does_not_fit() -> None:
    layer = nn.Linear(3, 2)
    fill(layer, dict(TENSORS), "w")
    assert torch.equal(layer.weight, TENSORS["weight"])
    for change, said in (
        ({"bias": None}, "lacks bias"),
        ({"scale": torch.ones(1)}, "scale has no place"),
        ({"weight": torch.ones(3, 2)}, "weight is"),
        ({"weight": torch.ones(2, 3, dtype=torch.float64)}, "float64"),
        ({"bias": torch.tensor([0.0, torch.inf])}, "no numbers"),
    ):
        changed = {name: t for name, t in {**TENSORS, **change}.items() if t is not None}
        with pytest.raises(ModelError, match=said):
            fill(layer, changed, "w")
    assert torch.equal(layer.weight, TENSORS["weight"])


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(ModelError, match="5 bytes"):
        read_bounded(path, 4)
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: it takes no space, and reading it would take hours
    with pytest.raises(ModelError, match=str(1 << 40)):
        read_bounded(path, 1 << 30)
