"""ImageNet weights for the ResNet-50 face encoder: torchvision's published files.

They are zipped pickles. One is loaded only from bytes whose sha256 is that of a published file,
and then with ``weights_only=True``; this is the one place of the program that loads a pickle. A
.safetensors file with the same parameter names is taken too. The network is used by
``fetch_imagenet_weights`` alone.

Sources: torchvision, ``ResNet50_Weights`` (BSD-3-Clause); the file names carry the first 8 digits
of the sha256. The full digests and sizes are as independent public projects print them for these
files.
"""

from __future__ import annotations

import hashlib
import io
import re
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from affectscope.errors import ModelError
from affectscope.io.files import atomic_write
from affectscope.io.model_files import cache_folder
from affectscope.models.face_encoder import FaceEncoder, ResNet50
from affectscope.models.weights_file import fill, parse_tensors, read_bounded, refuse_pickle

_LARGEST_FILE = 200 << 20
_TIMEOUT = 60.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class PublishedWeights:
    """A published file, pinned by its content: size in bytes and sha256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


PUBLISHED: dict[str, PublishedWeights] = {
    "IMAGENET1K_V1": PublishedWeights(
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        102_530_333,
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
    "IMAGENET1K_V2": PublishedWeights(
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        102_540_417,
        "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
    ),
}


def load_imagenet_weights(encoder: FaceEncoder, path: Path) -> None:
    """Put ImageNet weights into a ResNet-50, in place; the classifier in the file is left out.

    Args:
        path: a file of ``PUBLISHED``, or a .safetensors file with torchvision's parameter names.

    Raises:
        ModelError: E_CONFIG where the encoder is no ResNet-50, E_CHECKPOINT_PICKLE for any other
            pickle, E_CHECKPOINT for a file that is missing, damaged or holds another network.
    """
    if not isinstance(encoder, ResNet50):
        raise ModelError(
            "E_CONFIG",
            "ImageNet weights fit the face encoder 'resnet50' only.",
            "Choose that encoder, or leave the weights out.",
        )
    content = read_bounded(path, _LARGEST_FILE)
    tensors = _published_tensors(content)
    if tensors is None:
        refuse_pickle(path, content)
        tensors = parse_tensors(content, path.name)
    fill(encoder.backbone, without_classifier(tensors), path.name)


def fetch_imagenet_weights(name: str = "IMAGENET1K_V1") -> Path:
    """Download a published file into the cache, unless it lies there unchanged; its path.

    Args:
        name: a key of ``PUBLISHED``.

    Raises:
        ModelError: E_CONFIG for an unknown name, E_MODEL_MISSING where the download fails,
            E_MODEL_CHECKSUM where other content arrives.
        OutputError: E_OUTPUT where the cache cannot be written.
    """
    if name not in PUBLISHED:
        raise ModelError(
            "E_CONFIG",
            f"There are no published weights named '{name}'.",
            f"Choose one of {', '.join(PUBLISHED)}.",
        )
    published = PUBLISHED[name]
    path = cache_folder() / published.name
    if not (path.is_file() and _digest(read_bounded(path, _LARGEST_FILE)) == published.sha256):
        _download(published, path)
    return path


def _published_tensors(content: bytes) -> dict[str, Tensor] | None:
    """The tensors of a published file; None where the content is not that of one."""
    if _digest(content) not in {published.sha256 for published in PUBLISHED.values()}:
        return None
    tensors: dict[str, Tensor] = torch.load(
        io.BytesIO(content), map_location="cpu", weights_only=True
    )
    return tensors


def without_classifier(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors; files from before PyTorch 1.0 lack the norms' batch counters."""
    kept = {key: value for key, value in tensors.items() if not key.startswith("fc.")}
    for key in tensors:
        if key.endswith(".running_mean"):
            counter = re.sub("running_mean$", "num_batches_tracked", key)
            kept.setdefault(counter, torch.tensor(0))
    return kept


def _download(published: PublishedWeights, path: Path) -> None:
    with atomic_write(path) as stream:
        digest = hashlib.sha256()
        left = published.size
        try:
            with urllib.request.urlopen(published.url, timeout=_TIMEOUT) as answer:
                while left >= 0 and (piece := answer.read(_CHUNK)):
                    left -= len(piece)
                    digest.update(piece)
                    stream.write(piece)
        except (OSError, HTTPException) as error:
            raise ModelError(
                "E_MODEL_MISSING",
                f"{published.name} could not be fetched from {published.url} ({error}).",
                "Check the network, or fetch the file elsewhere and give its path.",
            ) from error
        if left != 0 or digest.hexdigest() != published.sha256:
            raise ModelError(
                "E_MODEL_CHECKSUM",
                f"{published.url} gave another file than the published {published.sha256[:12]}.",
                "Try again later; nothing was kept.",
            )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
