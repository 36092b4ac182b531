"""What must be stated of a face encoder from elsewhere before it can be used.

The facts stand in a TOML file. Nothing is guessed: an encoder that is fed BGR for RGB, or pixels of
another scale, gives features all the same, and worse ones.

===========  ================================================================================
file         the encoder's file, beside the TOML file; ``sha256`` may pin it
network      "onnx", or weights (.safetensors) of a network that is here: "resnet50", "small"
side         pixels, height and width of the pictures that it takes
resize       from our 224 x 224 pixels to these; see ``RESIZES``
channels     "RGB" or "BGR"
layout       "NCHW" or "NHWC"; "onnx" only, the networks that are here take "NCHW"
white        what a white pixel (255) is, before ``mean`` is taken off: 255.0 or 1.0 as a rule
mean         three numbers, in the order of ``channels``, taken off
deviation    three numbers, in the same order, divided by
output       the tensor that holds the features; "onnx" only
width        how many features it gives
licence      under which it may be used
trained_on   whom it learnt from, in words
people       ids of people of the corpus whom it learnt from, for the leak check; may be left out
===========  ================================================================================

Legend: N pictures, H = 224 rows and columns of ours, S rows and columns of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor
from torch.nn import functional

from affectscope.errors import ModelError, SessionError
from affectscope.io.files import shown
from affectscope.io.toml_table import StatedFile, TomlTable, is_number, parsed
from affectscope.models.face_encoder import FACE_ENCODERS

Network = Literal["onnx", "resnet50", "small"]
Resize = Literal["bilinear", "antialiased", "area"]
Channels = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC"]
Choice = TypeVar("Choice", bound=str)

LARGEST_SIDE = 1024
LARGEST_WIDTH = 9999
RESIZES: dict[Resize, str] = {
    "bilinear": "between the four nearest pixels, as OpenCV does",
    "antialiased": "the same, smoothed before it is made smaller, as Pillow does",
    "area": "means over the pixels that fall into one",
}

_THREE = "three finite numbers, one per channel"
_KEYS = {
    "": (
        "file", "sha256", "network", "side", "resize", "channels", "layout", "white", "mean",
        "deviation", "output", "width", "licence", "trained_on", "people",
    )
}  # fmt: skip
_HOW = "Write it as docs/face-encoders.md shows."


@dataclass(frozen=True)
class FacePreprocessing:
    """From our face pictures to an encoder's input; the names are those of the file's head."""

    side: int
    resize: Resize
    channels: Channels
    layout: Layout
    white: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @property
    def keeps_values(self) -> bool:
        """Whether an input's values are those of the pixels, 0 to 255."""
        return self.white == 255 and not any(self.mean) and set(self.deviation) == {1.0}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one picture's input."""
        side = self.side
        return (3, side, side) if self.layout == "NCHW" else (side, side, 3)

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, H), uint8 or float in [0, 1] -> (N, 3, S, S) or (N, S, S, 3) float32."""
        brightest = 255.0 if pictures.dtype == torch.uint8 else 1.0
        values = self._resized(pictures.float()) * (self.white / brightest)
        if self.channels == "BGR":
            values = values.flip(1)
        mean, deviation = (
            torch.tensor(each, device=values.device)[:, None, None]
            for each in (self.mean, self.deviation)
        )
        values = (values - mean) / deviation
        return values if self.layout == "NCHW" else values.permute(0, 2, 3, 1)

    def _resized(self, pictures: Tensor) -> Tensor:
        if self.side == pictures.shape[-1]:
            return pictures
        if self.resize == "area":
            return functional.adaptive_avg_pool2d(pictures, self.side)
        return functional.interpolate(
            pictures,
            size=(self.side, self.side),
            mode="bilinear",
            align_corners=False,
            antialias=self.resize == "antialiased",
        )


@dataclass(frozen=True)
class FaceFacts:
    """All that is stated of an encoder; the names are those of the file's head."""

    network: Network
    preprocessing: FacePreprocessing
    output: str
    width: int
    licence: str
    trained_on: str
    people: tuple[str, ...] = ()

    @property
    def deciding(self) -> dict[str, object]:
        """What of it decides the features."""
        made = self.preprocessing
        return {
            "network": self.network,
            "preprocessing": [getattr(made, name) for name in made.__dataclass_fields__],
            "output": self.output,
            "width": self.width,
        }


def read_facts(path: Path) -> tuple[FaceFacts, StatedFile]:
    """What a TOML file states of an encoder, and the encoder's file.

    Raises:
        ModelError: E_FACE_FILE for a fact that is missing or wrong; the sentence lists the choices.
    """
    try:
        if not path.is_file():
            raise _refused(
                f"Nothing states what the face encoder's input must be: {shown(path)} is missing"
            )
        table = TomlTable(path.name, _KEYS, "", parsed(path, _HOW))
        network = _choice(table, "network", get_args(Network))
        facts = FaceFacts(
            network,
            _preprocessing(table, network),
            _output(table, network),
            _whole(table, "width", LARGEST_WIDTH),
            table.required("licence"),
            table.required("trained_on"),
            _people(table),
        )
        if network != "onnx" and facts.width != FACE_ENCODERS[network].width:
            raise table.wrong("width", f"{FACE_ENCODERS[network].width}, which '{network}' gives")
        return facts, table.file()
    except SessionError as error:
        raise ModelError("E_FACE_FILE", error.sentence, f"{error.remedy} {_HOW}") from error


def _preprocessing(table: TomlTable, network: Network) -> FacePreprocessing:
    return FacePreprocessing(
        side=_whole(table, "side", LARGEST_SIDE),
        resize=_choice(table, "resize", get_args(Resize)),
        channels=_choice(table, "channels", get_args(Channels)),
        layout=_choice(table, "layout", get_args(Layout) if network == "onnx" else ("NCHW",)),
        white=_positive(table, "white"),
        mean=_three(table, "mean"),
        deviation=_three(table, "deviation", positive=True),
    )


def _output(table: TomlTable, network: Network) -> str:
    if network == "onnx":
        return table.required("output")
    if "output" in table.values:
        raise table.wrong("output", f"left out: what '{network}' gives is known")
    return ""


def _choice(table: TomlTable, key: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if table.values.get(key) == choice:
            return choice
    raise table.wrong(key, " or ".join(f'"{choice}"' for choice in choices))


def _whole(table: TomlTable, key: str, largest: int) -> int:
    value = table.values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise table.wrong(key, f"a whole number from 1 to {largest}")
    return value


def _positive(table: TomlTable, key: str) -> float:
    value = table.number(key, positive=True)
    if value is None:
        raise table.wrong(key, "a number greater than 0")
    return value


def _three(table: TomlTable, key: str, *, positive: bool = False) -> tuple[float, float, float]:
    value = table.values.get(key)
    expected = f"{_THREE}, each greater than 0" if positive else _THREE
    if not (isinstance(value, list) and len(value) == 3 and all(map(is_number, value))):
        raise table.wrong(key, expected)
    first, second, third = (float(number) for number in value)
    if positive and min(first, second, third) <= 0:
        raise table.wrong(key, expected)
    return first, second, third


def _people(table: TomlTable) -> tuple[str, ...]:
    value = table.values.get("people", [])
    if not (isinstance(value, list) and all(isinstance(who, str) and who for who in value)):
        raise table.wrong("people", 'a list of ids as the corpus has them, such as ["P01", "P02"]')
    return tuple(sorted(set(value)))


def _refused(sentence: str) -> ModelError:
    return ModelError("E_FACE_FILE", f"{sentence}.", _HOW)
