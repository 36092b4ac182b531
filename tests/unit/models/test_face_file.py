from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import Tensor, nn

from affectscope.errors import ModelError
from affectscope.inference.onnxruntime_engine import MODEL, onnx_files
from affectscope.io.photo import read_photo
from affectscope.io.video import FrameReader, inspect_video
from affectscope.models.face_encoder import ResNet50, SmallFaceEncoder
from affectscope.models.face_file import PluggedFace, open_face_file
from affectscope.models.weights_file import LARGEST_HEADER
from affectscope.preprocessing.face import FaceDetector, align_face

NEUTRAL = {
    "network": "onnx", "side": 224, "resize": "area", "channels": "RGB", "layout": "NCHW",
    "white": 255.0, "mean": [0.0, 0.0, 0.0], "deviation": [1.0, 1.0, 1.0], "output": "features",
    "width": 64, "licence": "made up", "trained_on": "nobody",
}  # fmt: skip
OF_SMALL = {"side": 56, "white": 1.0, "mean": [0.5] * 3, "deviation": [0.25] * 3}
"""What SmallFaceEncoder does to its pictures before its layers."""


@dataclass
class Kit:
    """A folder with an encoder's file and its facts."""

    folder: Path

    def open(self, content: bytes, name: str = "face.onnx", **changes: Any) -> PluggedFace:
        (self.folder / name).write_bytes(content)
        return open_face_file(str(self.facts(**{"file": name, **changes})))

    def facts(self, **changes: Any) -> Path:
        path = self.folder / "face.toml"
        stated = {**NEUTRAL, "file": "face.onnx", **changes}
        # A list, a text or a number of Python is one of TOML too.
        lines = [f"{key} = {value!r}\n" for key, value in stated.items() if value is not None]
        path.write_text("".join(lines))
        return path


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


@pytest.fixture(scope="module")
def small() -> SmallFaceEncoder:
    return SmallFaceEncoder(torch.Generator().manual_seed(1)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def content(small: SmallFaceEncoder) -> bytes:
    """Our own small encoder as the program itself exports it: uint8 in, 64 features out."""
    return onnx_files(small)[MODEL]


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    random = np.random.default_rng(3)
    coarse = torch.from_numpy(random.integers(0, 255, (20, 3, 14, 14)).astype(np.float32))
    return nn.functional.interpolate(coarse, 224, mode="bicubic").clamp(0, 255).to(torch.uint8)


def exported(network: nn.Module, example: Tensor, *, batch: str | None = "rows") -> bytes:
    """An ONNX file with the input "input" and the output "output"."""
    written = BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (example,),
            written,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=None if batch is None else {"input": {0: batch}, "output": {0: batch}},
        )
    return written.getvalue()


class SwappedLayers(nn.Module):
    """The small encoder's layers for pictures (N, S, S, 3) in BGR."""

    def __init__(self, small: SmallFaceEncoder) -> None:
        super().__init__()
        self.layers = small.layers

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.layers(pictures.permute(0, 3, 1, 2).flip(1))
        return features


def test_our_own_encoder_gives_the_same_features_out_of_an_onnx_file(
    kit: Kit, small: SmallFaceEncoder, content: bytes, pictures: Tensor
) -> None:
    plugged = kit.open(content)
    assert plugged.width == 64
    expected = small(pictures)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(plugged(pictures), expected, atol=1e-4, rtol=0)


def test_what_is_stated_of_the_input_is_done_outside_the_file(
    kit: Kit, small: SmallFaceEncoder, pictures: Tensor
) -> None:
    content = exported(SwappedLayers(small), torch.zeros(1, 56, 56, 3))
    asked = {**OF_SMALL, "channels": "BGR", "layout": "NHWC", "output": "output"}
    plugged = kit.open(content, **asked)
    torch.testing.assert_close(plugged(pictures), small(pictures), atol=1e-4, rtol=0)
    other = kit.open(content, **{**asked, "channels": "RGB"})
    assert float((other(pictures) - small(pictures)).abs().max()) > 1e-2


def test_a_file_for_one_picture_at_a_time_is_fed_so(
    kit: Kit, small: SmallFaceEncoder, pictures: Tensor
) -> None:
    content = exported(small.layers, torch.zeros(1, 3, 56, 56), batch=None)
    plugged = kit.open(content, **OF_SMALL, output="output")
    torch.testing.assert_close(plugged(pictures), small(pictures), atol=1e-4, rtol=0)


def test_the_embedding_may_lie_inside_the_network(
    kit: Kit, small: SmallFaceEncoder, pictures: Tensor
) -> None:
    content = exported(nn.Sequential(small.layers, nn.Linear(64, 8)), torch.zeros(1, 3, 56, 56))
    inner = onnx.load_model_from_string(content).graph.node[-1].input[0]
    plugged = kit.open(content, **OF_SMALL, output=inner)
    torch.testing.assert_close(plugged(pictures), small(pictures), atol=1e-4, rtol=0)
    with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
        kit.open(content, **OF_SMALL, output="embedding")
    assert "'output'" in caught.value.sentence
    assert repr(inner) in caught.value.sentence


def test_weights_of_a_network_that_is_here_are_taken_as_safetensors(
    kit: Kit, small: SmallFaceEncoder, pictures: Tensor
) -> None:
    save_file(small.state_dict(), kit.folder / "small.safetensors")
    asked = {**OF_SMALL, "network": "small", "output": None}
    plugged = open_face_file(str(kit.facts(**asked, file="small.safetensors")))
    torch.testing.assert_close(plugged(pictures), small(pictures), atol=1e-5, rtol=0)
    with pytest.raises(ModelError, match="refuses pictures of side 224") as caught:
        open_face_file(str(kit.facts(**{**asked, "side": 224}, file="small.safetensors")))
    assert caught.value.code == "E_FACE_FILE"


def test_a_resnet_of_others_with_its_own_preprocessing(kit: Kit, pictures: Tensor) -> None:
    pytest.importorskip("monai")
    resnet = ResNet50(torch.Generator().manual_seed(2)).eval().requires_grad_(False)
    weights = {key: tensor.contiguous() for key, tensor in resnet.backbone.state_dict().items()}
    classifier = {"fc.weight": torch.zeros(7, 2048), "fc.bias": torch.zeros(7)}
    save_file({**weights, **classifier}, kit.folder / "face.safetensors")
    vggface = {"channels": "BGR", "mean": [91.4953, 103.8827, 131.0912]}
    plugged = open_face_file(
        str(kit.facts(**vggface, network="resnet50", output=None, width=2048,
                      file="face.safetensors"))
    )  # fmt: skip
    bgr = pictures[:1].float().flip(1) - torch.tensor(vggface["mean"])[:, None, None]
    torch.testing.assert_close(plugged(pictures[:1]), resnet.backbone(bgr))


def test_the_facts_are_found_beside_the_encoders_file(kit: Kit, content: bytes) -> None:
    kit.open(content)
    assert open_face_file(str(kit.folder / "face.onnx")).width == 64
    (kit.folder / "other.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"'other\.toml' is missing"):
        open_face_file(str(kit.folder / "other.onnx"))
    kit.facts().rename(kit.folder / "other.toml")
    with pytest.raises(ModelError, match=r"it states facts of 'face\.onnx'"):
        open_face_file(str(kit.folder / "other.onnx"))


@pytest.mark.parametrize("asked", ["", ".", "/", "nowhere/face.toml", "no\nsuch.onnx"])
def test_a_path_that_leads_nowhere_is_refused(asked: str) -> None:
    with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
        open_face_file(asked)
    assert caught.value.sentence.isprintable()


def test_an_encoder_travels_to_another_process(kit: Kit, content: bytes, pictures: Tensor) -> None:
    plugged = kit.open(content)
    arrived = pickle.loads(pickle.dumps(plugged))
    assert arrived.identity == plugged.identity
    torch.testing.assert_close(arrived(pictures), plugged(pictures))


def test_its_identity_is_its_file_and_what_decides_its_features(
    kit: Kit, small: SmallFaceEncoder, content: bytes
) -> None:
    first = kit.open(content).identity
    assert kit.open(content, licence="another", people=["P01"]).identity == first
    assert kit.open(content, channels="BGR").identity != first
    other = SmallFaceEncoder(torch.Generator().manual_seed(9)).eval()
    assert kit.open(onnx_files(other)[MODEL]).identity != first


@pytest.mark.parametrize("name", ["face.pt", "face.pth", "face.onnx", "face.safetensors"])
def test_F15_a_pickle_is_refused_by_name_and_by_content_with_how_to_convert_it(
    kit: Kit, name: str
) -> None:
    stream = BytesIO()
    torch.save({"weight": torch.ones(2)}, stream)
    with pytest.raises(ModelError, match="E_CHECKPOINT_PICKLE") as caught:
        kit.open(stream.getvalue(), name)
    assert "torch.onnx.export" in caught.value.remedy
    assert "safetensors" in caught.value.remedy
    if not name.endswith(("onnx", "safetensors")):
        with pytest.raises(ModelError, match="E_CHECKPOINT_PICKLE"):
            open_face_file(str(kit.folder / name))


def graph_file(
    *nodes: Any, inputs: tuple[str, ...] = ("x",), weights: tuple[Any, ...] = ()
) -> bytes:
    """A file with pictures (1, 3, 224, 224) in and "features" out."""
    shaped = [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 3, 224, 224]) for x in inputs]
    out = helper.make_tensor_value_info("features", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "g", shaped, [out], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    found: bytes = model.SerializeToString()
    return found


def outside(name: str) -> TensorProto:
    """A tensor whose numbers lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)
    return tensor


MEAN = helper.make_node("GlobalAveragePool", ["x"], ["features"])
ADD = helper.make_node("Add", ["x", "w"], ["features"])
CONSTANT = helper.make_node("Constant", [], ["w"], value=outside("secret.bin"))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (b"", "holds no data"),
        (b"no onnx file", "it is no ONNX file"),
        (graph_file(MEAN)[:-20], "it is no ONNX file"),
        (graph_file(ADD, weights=(outside("../secret.bin"),)), "its weights lie in other files"),
        (graph_file(CONSTANT, ADD), "its weights lie in other files"),
        (graph_file(helper.make_node("Add", ["x", "y"], ["features"]), inputs=("x", "y")),
         r"it has 2 inputs \('x', 'y'\)"),
        (graph_file(helper.make_node("Strange", ["x"], ["features"], domain="unknown")), "unknown"),
        (graph_file(MEAN), r"it gives \(3,\) features for a face, not 64"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_it_must_be_is_refused(kit: Kit, made: bytes, reason: str) -> None:
    (kit.folder / "secret.bin").write_bytes(bytes(4))
    with pytest.raises(ModelError, match=reason) as caught:
        kit.open(made)
    assert caught.value.code in ("E_FACE_FILE", "E_CHECKPOINT")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side": 112}, r"its input is \('rows', 3, 224, 224\)"),
        ({"layout": "NHWC"}, r"\(224, 224, 3\) is stated"),
        ({"white": 1.0}, "its input is uint8: white must be 255.0"),
        ({"width": 65}, r"it gives \(64,\) features"),
        ({"sha256": "0" * 64}, "its sha256 is not the stated one"),
        ({"file": "../face.onnx"}, "must lie beside it"),
        ({"file": "/dev/zero"}, "must lie beside it"),
    ],
)
def test_facts_that_do_not_fit_the_file_are_refused(
    kit: Kit, content: bytes, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        kit.open(content, **changes)
    assert caught.value.code == "E_FACE_FILE"


def test_features_that_are_no_numbers_are_refused(kit: Kit, pictures: Tensor) -> None:
    """log(1 - mean) is a number for the black picture that every file is tried on, and no other."""
    nodes = (
        helper.make_node("GlobalAveragePool", ["x"], ["means"]),
        helper.make_node("Sub", ["one", "means"], ["left"]),
        helper.make_node("Log", ["left"], ["features"]),
    )
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    plugged = kit.open(graph_file(*nodes, weights=(one,)), width=3)
    with pytest.raises(ModelError, match="features that are no numbers"):
        plugged(pictures)


def test_a_safetensors_file_with_a_huge_header_is_refused(kit: Kit) -> None:
    header = (LARGEST_HEADER + 1).to_bytes(8, "little") + b"{" + b" " * LARGEST_HEADER
    asked = {**OF_SMALL, "network": "small", "output": None}
    with pytest.raises(ModelError, match="E_CHECKPOINT"):
        kit.open(header, "face.safetensors", **asked)


def test_real_faces_give_the_same_features_through_the_file(
    kit: Kit,
    small: SmallFaceEncoder,
    content: bytes,
    real_data: Path,
    detector: FaceDetector,
) -> None:
    plugged = kit.open(content)
    shown = [read_photo(real_data / "faces" / f"{name}_face.jpg") for name in ("single", "multi")]
    track = inspect_video(real_data / "faces" / "single_face.mp4")
    shown.extend(frame.rgb for frame in FrameReader(track, rate=0.5))
    assert len(shown) > 3
    for rgb in shown:
        found = detector.detect(rgb)
        assert found
        crops = np.stack([align_face(rgb, face.key_points, 224) for face in found])
        faces = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
        torch.testing.assert_close(plugged(faces), small(faces), atol=1e-4, rtol=0)
