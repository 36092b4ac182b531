"""EmotiEffLib and HSEmotion are not installed here and their weights are not at hand: a stand-in
package, and a file with their models' form (pictures in, a classifier last), take their place."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import pytest
import torch
from torch import nn

from affectscope.errors import MissingExtraError, ModelError
from affectscope.models.face_encoder import IMAGENET_DEVIATION, IMAGENET_MEAN
from affectscope.models.face_file import open_face_file
from affectscope.models.face_presets import PRESETS

B0 = "enet_b0_8_best_vgaf"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without any model, and both packages to be found."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for module in ("emotiefflib", "hsemotion_onnx"):
        (tmp_path / "site" / module).mkdir(parents=True)
        # Their code is not run: this would end the test.
        (tmp_path / "site" / module / "__init__.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path


def networks(features: int, last: nn.Module | None = None) -> tuple[nn.Module, nn.Module]:
    """What makes the features of a picture, and all of it with a classifier behind."""
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, features), nn.SiLU())
    return trunk.eval(), nn.Sequential(trunk, last or nn.Linear(features, 8)).eval()


def export(network: nn.Module, path: Path, side: int) -> None:
    """As both packages' authors exported theirs."""
    path.parent.mkdir(exist_ok=True)
    written = BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.randn(1, 3, side, side),),
            written,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
        )
    path.write_bytes(written.getvalue())


@pytest.mark.parametrize(
    ("name", "file", "side", "width"),
    [
        (f"emotiefflib:{B0}", f".emotiefflib/{B0}.onnx", 224, 1280),
        ("hsemotion-onnx:enet_b2_8", ".hsemotion/enet_b2_8.onnx", 260, 1408),
    ],
)
def test_a_preset_gives_what_its_classifier_is_fed(
    home: Path, name: str, file: str, side: int, width: int
) -> None:
    trunk, whole = networks(width)
    export(whole, home / file, side)
    plugged = open_face_file(name)
    assert plugged.width == width
    assert plugged.facts.preprocessing.side == side
    assert "non-commercial" in plugged.facts.licence
    assert "AffectNet" in plugged.facts.trained_on
    pictures = torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8)
    rgb = nn.functional.interpolate(pictures / 255, (side, side), mode="bilinear")
    mean, deviation = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    torch.testing.assert_close(
        plugged(pictures), trunk((rgb - mean) / deviation), atol=1e-5, rtol=1e-5
    )


def test_a_package_that_is_not_installed_is_named_in_one_sentence() -> None:
    with pytest.raises(MissingExtraError, match="E_EXTRA") as caught:
        open_face_file(f"emotiefflib:{B0}")
    assert "needs the package emotiefflib" in caught.value.sentence
    assert caught.value.remedy == "Install it with: pip install emotiefflib"


@pytest.mark.usefixtures("home")
def test_a_model_that_the_package_has_not_fetched_is_not_fetched_here() -> None:
    for name in PRESETS:
        with pytest.raises(ModelError, match="E_MODEL_MISSING") as caught:
            open_face_file(name)
        assert f"{name.partition(':')[2]}.onnx" in caught.value.sentence


@pytest.mark.usefixtures("home")
def test_an_unknown_preset_lists_the_choices() -> None:
    with pytest.raises(ModelError, match="E_FACE_FILE") as caught:
        open_face_file("emotiefflib:resnet")
    assert all(name in caught.value.remedy for name in PRESETS)


def test_a_model_of_another_form_is_refused(home: Path) -> None:
    _, whole = networks(1280, last=nn.Sigmoid())
    export(whole, home / f".emotiefflib/{B0}.onnx", 224)
    with pytest.raises(ModelError, match="its last layer is Sigmoid"):
        open_face_file(f"emotiefflib:{B0}")
    _, whole = networks(640)
    export(whole, home / f".emotiefflib/{B0}.onnx", 224)
    with pytest.raises(ModelError, match=r"it gives \(640,\) features for a face, not 1280"):
        open_face_file(f"emotiefflib:{B0}")
