"""The Spatial Network: an aligned face picture -> features.

Comas, Aspandi, Binefa: End-to-end facial and physiological model for affective computing and
applications, FG 2020, doi 10.1109/FG47880.2020.00001, section III: ResNet-50 (He et al., CVPR
2016), pretrained on ImageNet, global average pool, 2048 features, fine-tuned.

"resnet50", 23,508,032 parameters:

=============================  =================  ==========
layer                          output             parameters
=============================  =================  ==========
conv 7 x 7, stride 2, norm     64 x 112 x 112     9,536
max-pool 3 x 3, stride 2       64 x 56 x 56       0
layer1, 3 bottlenecks          256 x 56 x 56      215,808
layer2, 4 bottlenecks          512 x 28 x 28      1,219,584
layer3, 6 bottlenecks          1024 x 14 x 14     7,098,368
layer4, 3 bottlenecks          2048 x 7 x 7       14,964,736
global average pool            2048               0
=============================  =================  ==========

"small", 91,056 parameters, ours, for processors and the demo:

=============================  =================  ==========
layer                          output             parameters
=============================  =================  ==========
average pool 4                 3 x 56 x 56        0
conv 3 x 3, stride 2           16 x 28 x 28       480
conv 3 x 3, stride 2           32 x 14 x 14       4,704
conv 3 x 3, stride 2           48 x 7 x 7         13,968
conv 3 x 3                     48 x 7 x 7         20,880
conv 1 x 1                     16 x 7 x 7         784
flatten, linear                64                 50,240
=============================  =================  ==========

A norm follows each 3 x 3 convolution (its parameters are counted there); ReLU follows every
layer.

Where the paper is silent, and what we do:
1. Pictures are normalised with ImageNet's channel means and deviations, inside the network.
2. Which ResNet-50: torchvision's, with the stride in the 3 x 3 convolution, so that its weights
   load.
3. The small network keeps the 7 x 7 map as it is: the faces are aligned, so a place in the
   picture is a place in the face. Its norms are per picture (GroupNorm): a batch holds many
   frames of few people, whose common statistics are not those of the next person.

Legend: N rows, H = 224 rows and columns of a picture, F features.
"""

from __future__ import annotations

import re
import warnings
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectscope.errors import ModelError, require
from affectscope.models.initialisation import initialise_uniformly

FACE_SIZE = 224
"""H, the side of the face pictures that every encoder takes."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class FaceEncoder(nn.Module):
    """Pictures (N, 3, H, H), uint8 or float in [0, 1] -> features (N, ``width``)."""

    width: int


def _brightest(pictures: Tensor) -> float:
    """The value of white: 255 in uint8 pictures, 1 in float ones."""
    assert pictures.shape[1:] == (3, FACE_SIZE, FACE_SIZE), tuple(pictures.shape)
    return 255.0 if pictures.dtype == torch.uint8 else 1.0


class ResNet50(FaceEncoder):
    """The paper's Spatial Network. ``backbone`` has torchvision's parameter names, without "fc"."""

    width = 2048
    mean: Tensor
    deviation: Tensor

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # MONAI's own modules use torch.jit's deprecated decorators when they are imported.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            resnet = require("monai.networks.nets.resnet", "The ResNet-50 face encoder", "resnet")
        self.backbone = resnet.resnet50(
            spatial_dims=2,
            n_input_channels=3,
            conv1_t_size=7,
            conv1_t_stride=2,
            shortcut_type="B",
            bias_downsample=False,
            feed_forward=False,
        )
        # A checkpoint needs no constants; they move with the module all the same.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(IMAGENET_DEVIATION)[:, None, None], persistent=False
        )
        initialise_uniformly(self, generator)
        # Channels last: what a processor's and a GPU's convolutions are fastest with.
        self.backbone.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, H) -> (N, 2048)."""
        white = _brightest(pictures)
        normalised = (pictures.float() - self.mean * white) / (self.deviation * white)
        features: Tensor = self.backbone(normalised)
        return features


class SmallFaceEncoder(FaceEncoder):
    """A face encoder for processors: under a millisecond per face on two cores."""

    width = 64

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(3, 16, stride=2),
            *_block(16, 32, stride=2),
            *_block(32, 48, stride=2),
            *_block(48, 48, stride=1),
            nn.Conv2d(48, 16, kernel_size=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, self.width),
            nn.ReLU(),
        )
        initialise_uniformly(self, generator)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, H) -> (N, 64)."""
        # Pooled before it is scaled: one pass over the large picture in place of three.
        coarse = functional.avg_pool2d(pictures.float(), 4) / _brightest(pictures)  # (N, 3, 56, 56)
        features: Tensor = self.layers((coarse - 0.5) * 4)
        return features


def _block(channels: int, filters: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, filters, kernel_size=3, stride=stride, padding=1)
    return convolution, nn.GroupNorm(8, filters), nn.ReLU()


FACE_ENCODERS: dict[str, type[ResNet50] | type[SmallFaceEncoder]] = {
    "resnet50": ResNet50,
    "small": SmallFaceEncoder,
}


class GivenFeatures(FaceEncoder):
    """The place of an encoder that is no part of the network: it is fed features, no pictures."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, pictures: Tensor) -> NoReturn:
        """Raises ModelError E_CONFIG: what turns pictures into features stayed elsewhere."""
        raise ModelError(
            "E_CONFIG",
            f"This network takes {self.width} features of a face and no pictures.",
            "Train one whose face encoder is inside it: --faces fold, or --face-weights.",
        )


_GIVEN = re.compile(r"given-([1-9]\d{0,3})")


def given_name(width: int) -> str:
    """What ``BMMNConfig.face_encoder`` is where ``width`` features are given, 1-9999."""
    return f"given-{width}"


def given_width(name: str) -> int | None:
    """The features that a name of ``given_name`` stands for; None for any other name."""
    found = _GIVEN.fullmatch(name)
    return None if found is None else int(found[1])


def face_width(name: str) -> int:
    """Features of an encoder of ``FACE_ENCODERS``, or of one that is given."""
    return given_width(name) or FACE_ENCODERS[name].width


def build_face_encoder(name: str, generator: torch.Generator | None = None) -> FaceEncoder:
    """A face encoder with fresh weights, or the place of one that is given.

    Raises:
        ModelError: E_CONFIG for an unknown name; the sentence lists the choices.
        MissingExtraError: E_EXTRA where "resnet50" is asked for without MONAI.
    """
    width = given_width(name)
    if width is not None:
        return GivenFeatures(width)
    if name not in FACE_ENCODERS:
        raise ModelError(
            "E_CONFIG",
            f"There is no face encoder named '{name}'.",
            f"Choose one of {', '.join(FACE_ENCODERS)}.",
        )
    return FACE_ENCODERS[name](generator)
