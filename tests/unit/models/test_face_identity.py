"""Whose face it is: the network against plain sums and dlib itself, and real people's faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import conv2d

from affectscope.errors import ModelError, SessionError
from affectscope.io.model_files import identity_model
from affectscope.io.video import FrameReader, inspect_video
from affectscope.models.face_identity import (
    SAME_PERSON,
    SIDE,
    FaceIdentity,
    IdentityNetwork,
    ResidualBlock,
    identity_crop,
    load_dlib_weights,
    photo_distance,
)
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetection, FaceDetector
from affectscope.records import FloatArray

SETTINGS_OF_TRAINING = bytes(85)
DLIB = [-0.086819, 0.145123, 0.082929, -0.02534, -0.093074, -0.059767, -0.060432, -0.018463]
DLIB_NORM = 1.3146328
"""Of one picture, printed by dlib 20.0.1: its first 8 of 128 numbers, and the norm of all."""


def layer(name: bytes, numbers: list[bytes], values: FloatArray) -> bytes:
    return bytes((1, len(name))) + name + b"".join(numbers) + values.astype("<f4").tobytes()


def dlib_number(number: int) -> bytes:
    return b"\x01" + bytes((number,)) if number < 256 else b"\x02" + number.to_bytes(2, "little")


def dlib_count(number: int) -> bytes:
    return dlib_number(number) if number < 65536 else b"\x03" + number.to_bytes(3, "little")


def made_file(seed: int = 0) -> tuple[bytes, list[FloatArray]]:
    """A file as dlib writes it, of random numbers, and its tensors in their order."""
    random = np.random.default_rng(seed)
    parts, tensors = [b"\x01\x01settings"], []
    one = b"\x01\x01"
    for module in IdentityNetwork().modules():
        if isinstance(module, nn.Conv2d):
            weights = random.normal(size=module.weight.numel()) / np.sqrt(module.weight[0].numel())
            values = np.concatenate([weights, random.normal(size=module.out_channels)])
            factors = random.uniform(0.5, 1.5, 2 * module.out_channels)
            tensors += [values, factors]
            for name, written in ((b"con_4", values), (b"affine_", factors)):
                shape = [b"\x01\x02", dlib_count(len(written)), one, one, one]
                parts += [layer(name, shape, written), SETTINGS_OF_TRAINING]
    matrix = random.normal(size=256 * 128)
    shape = [dlib_number(n) for n in (128, 256)] + [b"\x01\x02", dlib_number(256)]
    parts.append(layer(b"fc_2", [*shape, dlib_number(128), one, one], matrix))
    return b"".join(parts), [*tensors, matrix]


@pytest.fixture(scope="module")
def made() -> tuple[bytes, list[FloatArray]]:
    return made_file()


@pytest.fixture(scope="module")
def identity() -> FaceIdentity:
    try:
        return FaceIdentity(identity_model())
    except ModelError as error:
        pytest.skip(str(error))


# --- the network


def plain_convolution(
    features: FloatArray, convolution: nn.Conv2d, stride: int, border: int
) -> FloatArray:
    """(C, H, W), by sums over patches."""
    assert convolution.bias is not None
    weights, bias = convolution.weight.numpy(), convolution.bias.numpy()
    padded = np.pad(features, ((0, 0), (border, border), (border, border)))
    size = (padded.shape[1] - 3) // stride + 1
    found = np.empty((len(weights), size, size))
    for row, column in np.ndindex(size, size):
        y, x = row * stride, column * stride
        found[:, row, column] = (weights * padded[:, y : y + 3, x : x + 3]).sum((1, 2, 3)) + bias
    return found


@pytest.mark.parametrize(
    ("before", "after", "stride", "side", "arms"),
    [(3, 3, 1, 5, (5, 5)), (2, 4, 2, 8, (3, 4)), (2, 3, 2, 7, (3, 3))],
)
def test_a_residual_block_is_the_plain_sum_of_its_two_arms(
    before: int, after: int, stride: int, side: int, arms: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    block = ResidualBlock(before, after, stride).requires_grad_(False)
    features = np.random.default_rng(2).normal(size=(before, side, side))
    changed = np.maximum(plain_convolution(features, block.first, stride, int(stride == 1)), 0)
    changed = plain_convolution(changed, block.second, 1, 1)
    kept = features
    if stride == 2:
        even = features[:, : side // 2 * 2, : side // 2 * 2]
        kept = even.reshape(before, side // 2, 2, side // 2, 2).mean((2, 4))
    assert (changed.shape[1], kept.shape[1]) == arms
    wanted = np.zeros((max(before, after), max(arms), max(arms)))
    for arm in (changed, kept):
        wanted[: arm.shape[0], : arm.shape[1], : arm.shape[2]] += arm
    found = block(torch.from_numpy(features[None].astype(np.float32)))[0].numpy()
    np.testing.assert_allclose(found, np.maximum(wanted, 0), atol=1e-5)


def test_layers_have_the_shapes_and_parameters_of_the_table() -> None:
    network = IdentityNetwork()
    shapes: list[tuple[int, ...]] = []
    for module in (network.stem, *network.blocks, network.matrix):
        module.register_forward_hook(lambda _module, _in, out: shapes.append(tuple(out.shape[1:])))
    with torch.inference_mode():
        network(torch.zeros(1, 3, SIDE, SIDE))
    assert shapes == [
        (32, 72, 72),
        *[(32, 35, 35)] * 3,
        *[(64, 17, 17)] * 4,
        *[(128, 8, 8)] * 3,
        *[(256, 4, 4)] * 3,
        (256, 2, 2),
        (128,),
    ]
    rows = [line.split() for line in (IdentityNetwork.__doc__ or "").splitlines()]
    stated = [int(row[-1].replace(",", "")) for row in rows if row and "," in row[-1]]
    assert sum(stated) == sum(parameter.numel() for parameter in network.parameters())


def test_a_convolution_is_folded_with_the_affine_layer_behind_it(
    made: tuple[bytes, list[FloatArray]],
) -> None:
    content, tensors = made
    network = IdentityNetwork().requires_grad_(False)
    load_dlib_weights(network, content)
    values, factors = (torch.from_numpy(tensor.astype(np.float32)) for tensor in tensors[:2])
    pictures = torch.randn(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    plain = conv2d(pictures, values[:-32].view(32, 3, 7, 7), values[-32:], stride=2)
    wanted = plain * factors[:32, None, None] + factors[32:, None, None]
    torch.testing.assert_close(network.stem(pictures), wanted, atol=1e-4, rtol=1e-4)
    matrix = torch.from_numpy(tensors[-1].astype(np.float32)).view(256, 128)
    features = torch.ones(1, 256)
    torch.testing.assert_close(network.matrix(features), features @ matrix)


def test_the_same_face_gives_the_same_numbers_alone_and_among_others(
    made: tuple[bytes, list[FloatArray]],
) -> None:
    identity = FaceIdentity(made[0])
    crops = np.random.default_rng(0).integers(0, 256, (18, SIDE, SIDE, 3), dtype=np.uint8)
    together = identity.embed(crops)
    assert together.shape == (18, 128)
    assert together.dtype == np.float64
    np.testing.assert_array_equal(identity.embed(crops), together)
    np.testing.assert_allclose(identity.embed(crops[17:]), together[17:], rtol=1e-4)
    assert not np.allclose(together[0], together[1])
    assert identity.embed(crops[:0]).shape == (0, 128)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: b"", "byte 0 is missing"),
        (lambda content: content[: len(content) // 2], "is missing"),
        (lambda content: content[:-1], "is missing"),
        (lambda content: content.replace(b"affine_", b"affine2", 1), "is missing"),
        (lambda content: content[:40] + b"\x00\x00\x80\x7f" + content[44:], "no number"),
        (lambda content: content[:10] + bytes(600) + content[10:], "byte 0 is missing"),
    ],
    ids=["empty", "half", "a byte short", "another layer", "infinite", "far away"],
)
def test_a_file_that_does_not_hold_the_network_is_refused(
    made: tuple[bytes, list[FloatArray]], damage: Callable[[bytes], bytes], says: str
) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        FaceIdentity(damage(made[0]))
    assert caught.value.code == "E_MODEL_CHECKSUM"
    assert "fetch-models --identity" in caught.value.remedy


# --- the crop


@pytest.mark.parametrize("angle", [0.0, 20.0])
def test_eyes_lie_where_dlib_puts_them(angle: float) -> None:
    turn = np.deg2rad(angle)
    across = 60 * np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array([160.0, 120.0])
    right, left = middle - across / 2, middle + across / 2
    points = np.stack([right, left, middle + 30 * down, middle + 60 * down, right, left])
    y, x = np.indices((300, 320))
    rgb = np.zeros((300, 320, 3), np.uint8)
    for channel, (eye_x, eye_y) in enumerate((right, left)):
        rgb[..., channel] = 255 * np.exp(-((x - eye_x) ** 2 + (y - eye_y) ** 2) / 18)
    crop = identity_crop(rgb, FaceDetection((100, 60, 120, 120), points, 0.9)).astype(float)
    assert crop.shape == (SIDE, SIDE, 3)
    # dlib's mean face: eyes at 0.318 and 0.669 of the side, in row 0.314.
    for channel, column in enumerate((0.318, 0.669)):
        weights = crop[..., channel] / crop[..., channel].sum()
        rows, columns = np.indices(weights.shape)
        assert (weights * columns).sum() == pytest.approx(column * SIDE, abs=1.5)
        assert (weights * rows).sum() == pytest.approx(0.314 * SIDE, abs=1.5)


# --- the published weights


def test_the_published_network_gives_the_numbers_that_dlib_gives(identity: FaceIdentity) -> None:
    y, x, channel = np.indices((SIDE, SIDE, 3))
    found = identity.embed(((3 * y + 5 * x * (channel + 1)) % 256).astype(np.uint8)[None])[0]
    np.testing.assert_allclose(found[:8], DLIB, atol=2e-6)
    assert np.linalg.norm(found) == pytest.approx(DLIB_NORM, abs=2e-6)


def frames(real_data: Path, name: str, rate: float) -> list[ImageArray]:
    reader = FrameReader(inspect_video(real_data / "faces" / name), rate=rate)
    return [frame.rgb for frame in reader]


def photo(real_data: Path, name: str) -> ImageArray:
    return np.asarray(Image.open(real_data / "faces" / name).convert("RGB"))


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize("name", ["single_face.mp4", "WolfgangLanger_Pexels.mp4"])
def test_a_photo_finds_its_person_and_nobody_else(
    real_data: Path, detector: FaceDetector, name: str
) -> None:
    first, *later = frames(real_data, name, 0.5 if name.startswith("W") else 2.0)
    distance = photo_distance(first, detector)
    own = [distance(rgb, detector.detect(rgb)[0]) for rgb in later]
    crowd = photo(real_data, "multi_face.jpg")
    others = [distance(crowd, face) for face in detector.detect(crowd)]
    assert len(own) >= 4
    assert len(others) == 5
    assert np.median(own) < SAME_PERSON
    assert max(own) < min(others)
    assert min(others) > SAME_PERSON
    assert distance(first, detector.detect(first)[0]) == pytest.approx(0, abs=1e-5)


@pytest.mark.usefixtures("identity")
def test_a_photo_of_several_people_or_of_nobody_is_refused(
    real_data: Path, detector: FaceDetector
) -> None:
    for picture, says in (
        (photo(real_data, "multi_face.jpg"), "5 faces"),
        (np.full((300, 300, 3), 128, np.uint8), "no face"),
    ):
        with pytest.raises(SessionError, match=says) as caught:
            photo_distance(picture, detector)
        assert caught.value.code == "E_PERSON"
