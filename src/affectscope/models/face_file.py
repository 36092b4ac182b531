"""Face encoders from elsewhere: an ONNX file, or weights of a network that is here.

Their features stand in place of those of an encoder that each fold trains (docs/face-encoders.md).
A torch file (.pt, .pth, TorchScript) is a pickle, which runs what its author wrote when it is
loaded: it is refused, and has to be turned into safetensors or ONNX by whoever trusts it.

Legend: N pictures, H = 224 rows and columns, F features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from affectscope.errors import ModelError
from affectscope.io.files import lies_inside, shown
from affectscope.models.face_encoder import (
    FACE_SIZE,
    FaceEncoder,
    ResNet50,
    SmallFaceEncoder,
)
from affectscope.models.face_facts import FaceFacts, read_facts
from affectscope.models.face_onnx import OnnxNetwork, refusal
from affectscope.models.face_presets import preset_facts, preset_file
from affectscope.models.imagenet_weights import without_classifier
from affectscope.models.weights_file import (
    fill,
    looks_like_pickle,
    parse_tensors,
    read_bounded,
)

LARGEST_FILE = 512 << 20
"""Bytes."""
_AT_A_TIME = 16
"""Pictures: what lies between a network's layers takes far more memory than they do."""


class PluggedFace(FaceEncoder):
    """An encoder from elsewhere behind what is stated of it; it learns nothing.

    Args:
        facts: what is stated.
        network: inputs as ``facts.preprocessing`` makes them -> features (N, F).
        name: the file's, for errors.
        content_hash: the file's sha256.

    Raises:
        ModelError: E_FACE_FILE where the network cannot be fed so, or gives another width.
    """

    def __init__(
        self,
        facts: FaceFacts,
        network: Callable[[Tensor], Tensor],
        *,
        name: str,
        content_hash: str,
    ) -> None:
        super().__init__()
        self.facts, self.name, self.width = facts, name, facts.width
        self.network = network
        decides = json.dumps([content_hash, facts.deciding])
        self.identity = hashlib.sha256(decides.encode()).hexdigest()
        self.eval().requires_grad_(False)
        with torch.inference_mode():
            self(torch.zeros(1, 3, FACE_SIZE, FACE_SIZE, dtype=torch.uint8))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, H) -> (N, F).

        Raises:
            ModelError: E_FACE_FILE where the network gives another width, or what is no number.
        """
        parts = torch.split(pictures, _AT_A_TIME)
        return torch.cat([self._features(part) for part in parts])

    def _features(self, pictures: Tensor) -> Tensor:
        try:
            features = self.network(self.facts.preprocessing(pictures))
        except RuntimeError as error:  # torch's, for an input that does not fit the layers
            reason = f"its network refuses pictures of side {self.facts.preprocessing.side}"
            raise refusal(self.name, reason) from error
        if features.shape != (len(pictures), self.width):
            found = tuple(features.shape[1:])
            raise refusal(self.name, f"it gives {found} features for a face, not {self.width}")
        if not bool(torch.isfinite(features).all()):
            raise refusal(self.name, "it gives features that are no numbers")
        return features


def open_face_file(asked: str) -> PluggedFace:
    """A face encoder from elsewhere.

    Args:
        asked: the TOML file with its facts; or the encoder's own file, with a TOML file of the same
            name beside it; or a name of ``face_presets.PRESETS``.

    Raises:
        ModelError: E_FACE_FILE where facts are missing or wrong, or the file is not as they say;
            E_CHECKPOINT where it is missing or damaged, E_CHECKPOINT_PICKLE where it is a pickle.
        MissingExtraError: E_EXTRA.
    """
    preset = preset_file(asked)
    if preset is not None:
        content = _read(preset)
        return _plugged(preset_facts(asked, content), content, preset.name)
    given = Path(asked)
    refuse_torch_file(given.name, b"")
    facts_file = given if _is_facts(given) else given.parent / f"{given.stem}.toml"
    facts, stated = read_facts(facts_file)
    if not lies_inside(given.parent, stated.name):
        raise refusal(facts_file.name, "the file that it names must lie beside it")
    path = given.parent / stated.name
    if not _is_facts(given) and path != given:
        raise refusal(facts_file.name, f"it states facts of {shown(path)}")
    content = _read(path)
    if stated.sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise refusal(path.name, "its sha256 is not the stated one")
    return _plugged(facts, content, path.name)


def refuse_torch_file(name: str, content: bytes) -> None:
    """Raises ModelError E_CHECKPOINT_PICKLE for a pickle; the remedy says how to convert it."""
    if looks_like_pickle(name, content):
        raise ModelError(
            "E_CHECKPOINT_PICKLE",
            f"{shown(Path(name))} is a pickle, which could run any program when it is loaded.",
            "Whoever trusts it can convert it elsewhere: torch.onnx.export(network, example, "
            "'face.onnx'), or safetensors.torch.save_file(network.state_dict(), "
            "'face.safetensors').",
        )


def _is_facts(path: Path) -> bool:
    return path.suffix.lower() == ".toml"


def _read(path: Path) -> bytes:
    refuse_torch_file(path.name, b"")
    content = read_bounded(path, LARGEST_FILE)
    refuse_torch_file(path.name, content)
    return content


def _plugged(facts: FaceFacts, content: bytes, name: str) -> PluggedFace:
    return PluggedFace(
        facts,
        _network(facts, content, name),
        name=name,
        content_hash=hashlib.sha256(content).hexdigest(),
    )


def _network(facts: FaceFacts, content: bytes, name: str) -> Callable[[Tensor], Tensor]:
    """What stands behind the preprocessing."""
    if facts.network == "onnx":
        return OnnxNetwork(content, name, output=facts.output, preprocessing=facts.preprocessing)
    tensors = parse_tensors(content, name)
    if facts.network == "resnet50":
        resnet = ResNet50()
        fill(resnet.backbone, without_classifier(tensors), name)
        backbone: nn.Module = resnet.backbone
        return backbone
    small = SmallFaceEncoder()
    fill(small, tensors, name)
    return small.layers
