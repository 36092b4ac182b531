"""Face encoders whose facts are known, where the user has installed them: EmotiEffLib, HSEmotion.

Savchenko, Savchenko, Makarov: Classifying emotions and engagement in online learning based on a
single facial expression recognition neural network, IEEE Transactions on Affective Computing 2022.
The packages ``emotiefflib`` (1.1.1) and ``hsemotion-onnx`` (0.3.1) hold no weights: each fetches a
model at its first use and keeps it in a folder below the home directory. Here nothing is fetched
and no code of theirs is run; the file is read where they left it.

Facts as both packages' own code has them (``facial_analysis.py``, ``facial_emotions.py``): RGB, a
bilinear resize by OpenCV to 224 (EfficientNet-B0) or 260 pixels (EfficientNet-B2), ImageNet's means
and deviations. The features are what the last layer, a classifier, is fed: 1280 of B0 and 1408 of
B2 (Tan and Le, ICML 2019). They learnt faces from VGGFace2 and expressions from AffectNet: pictures
from the web, of people of no corpus that is read here as far as is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from affectscope.errors import MissingExtraError, ModelError
from affectscope.models.face_encoder import IMAGENET_DEVIATION, IMAGENET_MEAN
from affectscope.models.face_facts import FaceFacts, FacePreprocessing
from affectscope.models.face_onnx import classifier_input, parse_onnx

LICENCE = (
    "code Apache-2.0; the weights learnt from AffectNet, whose terms allow non-commercial research "
    "only"
)
TRAINED_ON = "VGGFace2 (identities), then AffectNet (expressions): pictures from the web"


@dataclass(frozen=True)
class _Package:
    """Where a package is found, and where it keeps its models below the home directory."""

    distribution: str
    module: str
    folder: str


_PACKAGES = (
    _Package("emotiefflib", "emotiefflib", ".emotiefflib"),
    _Package("hsemotion-onnx", "hsemotion_onnx", ".hsemotion"),
)
_SIDES_AND_WIDTHS = {
    "enet_b0_8_best_vgaf": (224, 1280),
    "enet_b0_8_best_afew": (224, 1280),
    "enet_b0_8_va_mtl": (224, 1280),
    "enet_b2_8": (260, 1408),
    "enet_b2_7": (260, 1408),
}


@dataclass(frozen=True)
class _Preset:
    package: _Package
    model: str


PRESETS: Mapping[str, _Preset] = {
    f"{package.distribution}:{model}": _Preset(package, model)
    for package in _PACKAGES
    for model in _SIDES_AND_WIDTHS
}


def preset_file(asked: str) -> Path | None:
    """The file of a preset; None where ``asked`` is no preset's name, but a file's.

    Raises:
        ModelError: E_FACE_FILE for a name like a preset's that is none, with the choices;
            E_MODEL_MISSING where the package has not fetched the model yet.
        MissingExtraError: E_EXTRA where the package is not installed.
    """
    distribution, colon, _ = asked.partition(":")
    if not colon or distribution not in {package.distribution for package in _PACKAGES}:
        return None
    if asked not in PRESETS:
        raise ModelError(
            "E_FACE_FILE",
            f"There is no face encoder {asked!a}.",
            f"Choose one of {', '.join(PRESETS)}.",
        )
    package, model = PRESETS[asked].package, PRESETS[asked].model
    if find_spec(package.module) is None:
        raise MissingExtraError(
            "E_EXTRA",
            f"The face encoder {asked} needs the package {distribution}, which is not installed.",
            f"Install it with: pip install {distribution}",
        )
    path = Path.home() / package.folder / f"{model}.onnx"
    if not path.is_file():
        raise ModelError(
            "E_MODEL_MISSING",
            f"{distribution} has not fetched its model {model}.onnx into ~/{package.folder} yet.",
            f"Use the model once with {distribution}, which fetches it; nothing is fetched here.",
        )
    return path


def preset_facts(asked: str, content: bytes) -> FaceFacts:
    """What is known of a preset whose file has been read.

    Raises:
        ModelError: E_FACE_FILE where the file's last layer is no classifier.
        MissingExtraError: E_EXTRA.
    """
    model = PRESETS[asked].model
    side, width = _SIDES_AND_WIDTHS[model]
    name = f"{model}.onnx"
    return FaceFacts(
        "onnx",
        FacePreprocessing(
            side=side,
            resize="bilinear",
            channels="RGB",
            layout="NCHW",
            white=1.0,
            mean=IMAGENET_MEAN,
            deviation=IMAGENET_DEVIATION,
        ),
        output=classifier_input(parse_onnx(content, name), name),
        width=width,
        licence=LICENCE,
        trained_on=TRAINED_ON,
    )
