from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from affectscope.errors import ModelError
from affectscope.models.face_facts import FaceFacts, FacePreprocessing, read_facts

FACTS = {
    "file": '"face.onnx"',
    "network": '"onnx"',
    "side": "112",
    "resize": '"bilinear"',
    "channels": '"BGR"',
    "layout": '"NHWC"',
    "white": "255.0",
    "mean": "[104.0, 117.0, 123.0]",
    "deviation": "[1.0, 1.0, 1.0]",
    "output": '"features"',
    "width": "512",
    "licence": '"CC BY 4.0"',
    "trained_on": '"simulated people"',
    "people": '["P02", "P01"]',
}
PLAIN = FacePreprocessing(224, "area", "RGB", "NCHW", 255.0, (0.0,) * 3, (1.0,) * 3)


def read(folder: Path, **changes: str | None) -> FaceFacts:
    """The facts after some are changed, or left out where None."""
    stated = {key: value for key, value in {**FACTS, **changes}.items() if value is not None}
    path = folder / "face.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in stated.items()))
    return read_facts(path)[0]


@pytest.fixture
def pictures() -> torch.Tensor:
    """Two noisy pictures with a bright corner."""
    random = np.random.default_rng(0)
    made = random.integers(0, 200, (2, 3, 224, 224), dtype=np.uint8)
    made[:, 1, :80, :60] += 50
    return torch.from_numpy(made)


def test_what_is_stated_is_what_is_read(tmp_path: Path) -> None:
    assert read(tmp_path) == FaceFacts(
        "onnx",
        FacePreprocessing(
            112, "bilinear", "BGR", "NHWC", 255.0, (104.0, 117.0, 123.0), (1.0, 1.0, 1.0)
        ),
        "features",
        512,
        "CC BY 4.0",
        "simulated people",
        ("P01", "P02"),
    )
    assert read(tmp_path, people=None).people == ()


@pytest.mark.parametrize("key", [key for key in FACTS if key != "people"])
def test_no_fact_has_a_silent_default(tmp_path: Path, key: str) -> None:
    with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
        read(tmp_path, **{key: None})
    assert f"{key} is missing" in caught.value.sentence
    assert "face-encoders.md" in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("network", '"vgg"', '"onnx" or "resnet50" or "small"'),
        ("channels", '"rgb"', '"RGB" or "BGR"'),
        ("layout", "true", '"NCHW" or "NHWC"'),
        ("resize", '"nearest"', '"bilinear" or "antialiased" or "area"'),
        ("side", "224.0", "a whole number from 1 to 1024"),
        ("width", "0", "a whole number from 1 to 9999"),
        ("white", "0.0", "greater than 0"),
        ("mean", "0.5", "three finite numbers"),
        ("mean", "[0.5, 0.5, nan]", "three finite numbers"),
        ("deviation", "[1.0, 0.0, 1.0]", "greater than 0"),
        ("licence", '""', "not empty"),
        ("people", '"P01"', "a list of ids"),
        ("scale", "1.0", "is no key"),
    ],
)
def test_a_wrong_fact_is_refused_with_what_is_allowed(
    tmp_path: Path, key: str, value: str, allowed: str
) -> None:
    with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
        read(tmp_path, **{key: value})
    assert key in caught.value.sentence
    assert allowed in caught.value.sentence


def test_of_a_network_that_is_here_neither_output_nor_another_width_can_be_stated(
    tmp_path: Path,
) -> None:
    known = {"network": '"small"', "layout": '"NCHW"', "output": None, "width": "64"}
    assert read(tmp_path, **known).network == "small"
    for key, value in (("output", '"features"'), ("width", "65"), ("layout", '"NHWC"')):
        with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
            read(tmp_path, **{**known, key: value})
        assert key in caught.value.sentence


@settings(max_examples=40)
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_whatever_the_file_holds_it_is_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("facts") / "face.toml"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="E_FACE_FILE"):
        read_facts(path)


def test_pictures_are_scaled_as_stated(pictures: torch.Tensor) -> None:
    made = FacePreprocessing(
        224, "area", "BGR", "NHWC", 1.0, mean=(0.1, 0.2, 0.3), deviation=(0.5, 1.0, 2.0)
    )
    rgb = pictures.numpy().transpose(0, 2, 3, 1) / 255
    expected = (rgb[..., ::-1] - (0.1, 0.2, 0.3)) / (0.5, 1.0, 2.0)
    np.testing.assert_allclose(made(pictures).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(made(pictures.float() / 255).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "resize"), [(112, "antialiased"), (90, "antialiased"),
                                              (260, "bilinear")])  # fmt: skip
def test_bilinear_resizes_are_those_of_pillow(
    pictures: torch.Tensor, side: int, resize: str
) -> None:
    made = FacePreprocessing(side, resize, *("RGB", "NCHW", 255.0, (0.0,) * 3, (1.0,) * 3))  # type: ignore[arg-type]
    for picture, found in zip(pictures.numpy(), made(pictures).numpy(), strict=True):
        image = Image.fromarray(picture.transpose(1, 2, 0))
        expected = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
        # Pillow rounds to whole values twice, along rows and along columns.
        np.testing.assert_allclose(found.transpose(1, 2, 0), expected, atol=1.01)


def test_bilinear_takes_the_four_nearest_pixels_and_area_means_them_all(
    pictures: torch.Tensor,
) -> None:
    values = pictures.float()
    quarters = FacePreprocessing(56, "area", "RGB", "NCHW", 255.0, PLAIN.mean, PLAIN.deviation)
    whole = values.reshape(2, 3, 56, 4, 56, 4).mean(dim=(3, 5))
    torch.testing.assert_close(quarters(pictures), whole)
    four = FacePreprocessing(56, "bilinear", "RGB", "NCHW", 255.0, PLAIN.mean, PLAIN.deviation)
    inner = values.reshape(2, 3, 56, 4, 56, 4)[:, :, :, 1:3, :, 1:3].mean(dim=(3, 5))
    torch.testing.assert_close(four(pictures), inner)
