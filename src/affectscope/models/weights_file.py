"""The one reader of weights: safetensors, checked before anything is allocated; never a pickle.

A safetensors file is 8 bytes with its header's length, a JSON header, and the tensors' bytes.
Nothing in it can run. A pickle (.pt, .pth, .ckpt, .pkl, .joblib) runs what its author wrote, so
that it is told apart by name and by content, and refused (F15).
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from affectscope.errors import InputError, ModelError
from affectscope.io.files import check_file, shown
from affectscope.models.strict_json import parse_object

LARGEST_HEADER = 10_000_000
"""Bytes; a header of 10,000 tensors has about 1,000,000."""
MOST_TENSORS = 10_000

_AGAIN = "Take an unchanged copy, or train it again."
_PICKLE_NAMES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
_PICKLE_STARTS = (
    b"PK\x03\x04",  # torch.save's zip
    *(bytes((0x80, protocol)) for protocol in range(2, 6)),
)
_TEXT_PICKLE = re.compile(rb"\([dl]p\d|c[\w.]+\n[\w.]+\n")
"""How protocol 0 begins: a dict, a list, or a global's module and name."""


def read_bounded(path: Path, largest: int) -> bytes:
    """A file's bytes, read once, so that what is checked is what is used.

    Raises:
        ModelError: E_CHECKPOINT where it is missing, empty, unreadable or larger.
    """
    try:
        size = check_file(path)
        content = path.read_bytes() if size <= largest else b""
    except InputError as error:
        raise ModelError("E_CHECKPOINT", error.sentence, error.remedy) from error
    except OSError as error:
        raise _damaged(shown(path), f"it cannot be read ({error.strerror})") from error
    if size > largest:
        raise _damaged(shown(path), f"it has {size} bytes, more than the {largest} allowed")
    return content


def looks_like_pickle(name: str, content: bytes) -> bool:
    """Whether a file is a pickle by its name's ending or its first bytes."""
    if Path(name).suffix.lower() in _PICKLE_NAMES:
        return True
    if content[8:9] == b"{":  # a safetensors header, whose length may begin like a pickle
        return False
    return content.startswith(_PICKLE_STARTS) or _TEXT_PICKLE.match(content) is not None


def refuse_pickle(path: Path, content: bytes) -> None:
    """Raises ModelError E_CHECKPOINT_PICKLE for a file that looks like a pickle."""
    if looks_like_pickle(path.name, content):
        raise ModelError(
            "E_CHECKPOINT_PICKLE",
            f"{shown(path)} is a pickle, which could run any program when it is loaded.",
            "Give a checkpoint folder, or a .safetensors file made by somebody you trust.",
        )


def parse_tensors(content: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ModelError: E_CHECKPOINT where it is cut or damaged, or its header is larger than 10 MB or
            names more than 10,000 tensors.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise _damaged(name, "it ends before its header does")
    if length > LARGEST_HEADER:
        raise _damaged(name, f"its header has {length} bytes, more than {LARGEST_HEADER}")
    tensors = len(parse_object(content[8 : 8 + length], f"the header of {name}"))
    if tensors > MOST_TENSORS:
        raise _damaged(name, f"it names {tensors} tensors, more than {MOST_TENSORS}")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _damaged(name, str(error)) from error


def fill(module: nn.Module, tensors: dict[str, Tensor], name: str) -> None:
    """Put tensors into a module; names, shapes and types must agree, and the numbers be finite.

    Raises:
        ModelError: E_CHECKPOINT, names the first tensor that does not fit.
    """
    wanted = module.state_dict()
    for key in sorted(wanted.keys() | tensors.keys()):
        if key not in tensors:
            raise _damaged(name, f"it lacks {key}")
        if key not in wanted:
            raise _damaged(name, f"{key} has no place in the network")
        found, place = tensors[key], wanted[key]
        if found.shape != place.shape or found.dtype != place.dtype:
            raise _damaged(
                name,
                f"{key} is {found.dtype} {tuple(found.shape)}, "
                f"not {place.dtype} {tuple(place.shape)}",
            )
        if not bool(torch.isfinite(found).all()):
            raise _damaged(name, f"{key} holds values that are no numbers")
    module.load_state_dict(tensors)


def _damaged(name: str, reason: str) -> ModelError:
    return ModelError("E_CHECKPOINT", f"{name} cannot be used: {reason[:300]}.", _AGAIN)
