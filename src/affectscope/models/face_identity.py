"""Who a face belongs to: dlib's face recognition network, and how far a face is from a photo.

The network is Davis King's ``dlib_face_recognition_resnet_model_v1`` (2017, CC0): a small ResNet
(He et al. 2016) that maps a face to a point, so trained that faces of one person lie within a ball
and balls do not overlap. Its author states an accuracy of 99.38 % on LFW pairs of photos.

Where dlib's documentation is silent, and what we do

1. The file is dlib's own serialisation. We read nothing but the tensors, each at its place behind
   the exact header that the layer must have; all else in the file is settings of the training.
2. Each convolution is followed by an affine layer, a scale and a shift per channel. The two are
   folded into one convolution when the file is read.
3. A convolution of stride 2 has no border, one of stride 1 has a border of 1 pixel of zeros.
4. Where the two arms of a residual block differ in shape, dlib fills the smaller one with zeros: on
   the right, at the bottom and in the missing channels.
5. dlib aligns by five points, the corners of the eyes and the nose. We have other key points
   (``preprocessing.face``). So ``align_face`` is asked for a crop in which the eyes lie as far
   apart as in dlib's mean face, and what stands over is cut off (docs/face-identity.md).

Legend: N faces; C channels; 128 numbers, here called an embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, pad, relu

from affectscope.errors import ModelError, SessionError
from affectscope.io.model_files import identity_model
from affectscope.picture import ImageArray
from affectscope.preprocessing.face import FaceDetection, FaceDetector, align_face
from affectscope.records import FloatArray

SIDE = 150
"""Pixels, height and width of a crop."""
WIDTH = 128
"""Numbers in an embedding."""
SAME_PERSON = 0.6
"""The largest Euclidean distance of two embeddings that dlib takes for one person."""

_MEAN = (122.782, 117.001, 104.298)
_SCALE = 256.0
_STAGES = ((32, 32, 32), (64, 64, 64, 64), (128, 128, 128), (256, 256, 256), (256,))
"""Output channels of the residual blocks; stages but the first begin with a block of stride 2."""
_BATCH = 16
_LARGEST_GAP = 512
"""Bytes between two tensors of the file: settings of the training; the largest gap has 334."""

# dlib's mean face in a crop with a border of a quarter: eyes 0.350 of the side apart, in row 0.314.
# align_face puts them 0.30 apart in row 0.37: a side of 176 gives the same distance in pixels.
_ALIGNED = 176
_TOP, _LEFT = 18, 13


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is halved where the block has stride 2."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(channels_in, channels, 3, stride, padding=int(stride == 1))
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, H', W')."""
        changed = self.second(relu(self.first(features)))
        kept = avg_pool2d(features, 2) if self.stride == 2 else features
        shape = [max(pair) for pair in zip(changed.shape, kept.shape, strict=True)]
        return relu(_filled(changed, shape) + _filled(kept, shape))


class IdentityNetwork(nn.Module):
    """The network; a convolution's parameters are those after folding (weights and biases).

    ======================  ============  ==========
    layer                   output shape  parameters
    ======================  ============  ==========
    input                   3 x 150 x 150
    convolution 7 x 7 / 2   32 x 72 x 72       4,736
    maximum 3 x 3 / 2       32 x 35 x 35
    3 blocks of 32          32 x 35 x 35      55,488
    block of 64 / 2         64 x 17 x 17      55,424
    3 blocks of 64          64 x 17 x 17     221,568
    block of 128 / 2        128 x 8 x 8      221,440
    2 blocks of 128         128 x 8 x 8      590,336
    block of 256 / 2        256 x 4 x 4      885,248
    2 blocks of 256         256 x 4 x 4    2,360,320
    block of 256 / 2        256 x 2 x 2    1,180,160
    mean over places        256
    matrix, no bias         128               32,768
    ======================  ============  ==========
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STAGES[0][0], 7, stride=2)
        channels = [_STAGES[0][0], *(width for stage in _STAGES for width in stage)]
        halved = {sum(map(len, _STAGES[:stage])) for stage in range(1, len(_STAGES))}
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, stride=2 if place in halved else 1)
                for place, (before, after) in enumerate(pairwise(channels))
            )
        )
        self.matrix = nn.Linear(channels[-1], WIDTH, bias=False)

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, 150, 150) RGB, 0-255 -> (N, 128)."""
        mean = torch.tensor(_MEAN, dtype=crops.dtype, device=crops.device)[:, None, None]
        features = relu(self.stem((crops - mean) / _SCALE))
        features = self.blocks(max_pool2d(features, 3, stride=2))
        return cast(Tensor, self.matrix(features.mean(dim=(2, 3))))


class FaceIdentity:
    """Embeds faces.

    Args:
        content: the published file, from ``io.model_files.identity_model``.

    Raises:
        ModelError: E_MODEL_CHECKSUM where it does not hold this network.
    """

    def __init__(self, content: bytes) -> None:
        self._network = IdentityNetwork().eval().requires_grad_(False)
        load_dlib_weights(self._network, content)

    def embed(self, crops: ImageArray) -> FloatArray:
        """(N, 150, 150, 3) uint8 RGB from ``identity_crop`` -> (N, 128) float64.

        The Euclidean distance of two rows says how unlike the faces are; see ``SAME_PERSON``.
        """
        found = np.empty((len(crops), WIDTH))
        with torch.inference_mode():
            for start in range(0, len(crops), _BATCH):
                pixels = torch.from_numpy(crops[start : start + _BATCH].astype(np.float32))
                found[start : start + _BATCH] = self._network(pixels.permute(0, 3, 1, 2)).numpy()
        return found


def identity_crop(rgb: ImageArray, detection: FaceDetection) -> ImageArray:
    """The face of a picture (H, W, 3) as the network expects it, (150, 150, 3) uint8."""
    aligned = align_face(rgb, detection.key_points, _ALIGNED)
    return aligned[_TOP : _TOP + SIDE, _LEFT : _LEFT + SIDE]


def photo_distance(
    photo: ImageArray, detector: FaceDetector
) -> Callable[[ImageArray, FaceDetection], float]:
    """How far a face in a picture is from the one in a reference photo.

    Args:
        photo: (H, W, 3) uint8 RGB, upright, showing one face.

    Returns:
        (picture (H, W, 3) uint8 RGB, a face in it) -> distance; up to ``SAME_PERSON``: one person.

    Raises:
        SessionError: E_PERSON where the photo shows no face, or more than one.
        ModelError: E_MODEL_MISSING, E_MODEL_CHECKSUM.
    """
    identity = FaceIdentity(identity_model())
    faces = detector.detect(photo)
    if len(faces) != 1:
        count = f"{len(faces)} faces" if faces else "no face"
        raise SessionError(
            "E_PERSON",
            f"The reference photo shows {count}, not exactly one.",
            "Give a sharp photo, from the front, that shows nobody but the person to follow.",
        )
    reference = identity.embed(identity_crop(photo, faces[0])[None])[0]

    def distance(rgb: ImageArray, face: FaceDetection) -> float:
        found = identity.embed(identity_crop(rgb, face)[None])[0]
        return float(np.linalg.norm(found - reference))

    return distance


def load_dlib_weights(network: IdentityNetwork, content: bytes) -> None:
    """Fill the network from dlib's file, in place.

    Raises:
        ModelError: E_MODEL_CHECKSUM where a layer is not where it must be, or holds no number.
    """
    place = 0
    for layer in (module for module in network.modules() if isinstance(module, nn.Conv2d)):
        weights, channels = layer.weight.numel(), layer.out_channels
        count = weights + channels
        values, place = _tensor(content, place, _header("con_4", 2, count, 1, 1, 1), count)
        count = 2 * channels
        factors, place = _tensor(content, place, _header("affine_", 2, count, 1, 1, 1), count)
        scale, shift = factors[:channels], factors[channels:]
        layer.weight.copy_(values[:weights].view_as(layer.weight) * scale[:, None, None, None])
        assert layer.bias is not None
        layer.bias.copy_(values[weights:] * scale + shift)
    inputs = network.matrix.in_features
    header = _header("fc_2", WIDTH, inputs, 2, inputs, WIDTH, 1, 1)
    values, _ = _tensor(content, place, header, inputs * WIDTH)
    network.matrix.weight.copy_(values.view(inputs, WIDTH).T)


def _header(layer: str, *numbers: int) -> bytes:
    """How dlib begins a layer: its name, then whole numbers, each after its length in bytes."""
    found = bytes((1, len(layer))) + layer.encode()
    for number in numbers:
        digits = number.to_bytes((number.bit_length() + 7) // 8, "little")
        found += bytes((len(digits),)) + digits
    return found


def _tensor(content: bytes, place: int, header: bytes, count: int) -> tuple[Tensor, int]:
    """The next ``count`` numbers, which stand behind ``header``, and where they end."""
    start = content.find(header, place, place + _LARGEST_GAP)
    end = start + len(header) + 4 * count
    if start < 0 or end > len(content):
        raise _damaged(f"the layer that must follow byte {place} is missing")
    values = np.frombuffer(content, "<f4", count, start + len(header)).astype(np.float32)
    if not np.isfinite(values).all():
        raise _damaged(f"the layer at byte {start} holds what is no number")
    return torch.from_numpy(values), end


def _damaged(reason: str) -> ModelError:
    return ModelError(
        "E_MODEL_CHECKSUM",
        f"The identity model is not the published one: {reason}.",
        "Run: affectscope fetch-models --identity",
    )


def _filled(features: Tensor, shape: list[int]) -> Tensor:
    """Zeros added behind the channels, rows and columns (C, H, W) up to ``shape``."""
    missing = [wanted - had for wanted, had in zip(shape, features.shape, strict=True)]
    return pad(features, (0, missing[3], 0, missing[2], 0, missing[1]))
