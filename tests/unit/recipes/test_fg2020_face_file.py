"""A face encoder from a file in place of the fold's own: the networks, the compared systems."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from affectscope.baselines.compared import ComparedData
from affectscope.errors import LeakError, ModelError
from affectscope.evaluation.crossval import Task, cross_validate
from affectscope.evaluation.protocols import PROTOCOLS
from affectscope.inference.onnxruntime_engine import MODEL, onnx_files
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.face_encoder import GivenFeatures, SmallFaceEncoder, build_face_encoder
from affectscope.models.face_file import PluggedFace, open_face_file
from affectscope.recipes.fg2020_asked import Asked, given_encoder
from affectscope.recipes.fg2020_systems import (
    FoldNetworks,
    GivenEncoder,
    Material,
    NetworkSettings,
    network_systems,
)
from affectscope.training.devices import DeviceSettings, make_fabric
from affectscope.training.fit import FitSettings, fresh

FACTS = """
file = "face.onnx"
network = "onnx"
side = 224
resize = "area"
channels = "RGB"
layout = "NCHW"
white = 255.0
mean = [0.0, 0.0, 0.0]
deviation = [1.0, 1.0, 1.0]
output = "features"
width = 64
licence = "made up"
trained_on = "nobody"
"""
SETTINGS = NetworkSettings(
    network=BMMNConfig(face_encoder="small"),
    fit=FitSettings(epochs=(1, 1, 1), learning_rate=1e-3, run_length=5, decoded_every=5),
    faces="frozen",
    lambdas=(1.0,),
)


@pytest.fixture(scope="module")
def small() -> SmallFaceEncoder:
    return SmallFaceEncoder(torch.Generator().manual_seed(5)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory, small: SmallFaceEncoder) -> Path:
    """Of our own small encoder as an ONNX file."""
    folder = tmp_path_factory.mktemp("face")
    (folder / "face.onnx").write_bytes(onnx_files(small)[MODEL])
    (folder / "face.toml").write_text(FACTS)
    return folder / "face.toml"


@pytest.fixture(scope="module")
def given(facts: Path) -> GivenEncoder:
    return GivenEncoder(open_face_file(str(facts)))


@pytest.fixture
def material(
    compared_data: Callable[..., Any], tmp_path: Path, given: GivenEncoder
) -> Callable[..., Material]:
    data: ComparedData = compared_data(people=3, faces=True, lacking=(("P03", "c2", "face"),))

    def made(given: GivenEncoder = given) -> Material:
        return Material(
            prepared=data.prepared,
            samples=data.samples,
            settings=given.taken_by(SETTINGS),
            cache=data.cache,
            runs=tmp_path / f"runs-{given.identity[:6]}",
            fabric=lambda: make_fabric(DeviceSettings(accelerator="cpu")),
            given=given,
        )

    return made


def first_task(material: Material) -> Task:
    fold = PROTOCOLS["A"].split(material.samples, 0, None)[0]
    return Task(material.samples, fold, seed=0)


def asked(**changes: Any) -> Asked:
    plain = Asked(
        what="fg2020.table3", data=Path("x"), out=Path("y"), protocol="A", rate=1.0, folds=None,
        seeds=1, limit=None, epochs=1, learning_rate=1e-3, lambdas="1", face_encoder="small",
        faces="fold", face_weights=None, imagenet=None, sessions=None, systems=None,
        personality=None, processes=1, accelerator="cpu", force=False,
    )  # fmt: skip
    return replace(plain, **changes)


def test_every_system_is_given_the_files_features_kept_like_any_others(
    material: Callable[..., Material], given: GivenEncoder, small: SmallFaceEncoder
) -> None:
    opened = material()
    found = FoldNetworks(opened, first_task(opened)).face_embeddings()
    assert found is not None
    for trial in opened.prepared.trials:
        features = found.features[trial.key]
        assert features.shape == (len(trial.times), 64)
        if trial.faces is None:
            assert not features.any()
            continue
        expected = small(torch.from_numpy(np.asarray(trial.faces[trial.face_present]))).numpy()
        np.testing.assert_allclose(features[trial.face_present], expected, atol=1e-4)
        assert not features[~trial.face_present].any()
    kept = list(opened.cache.glob(f"*/features-{given.identity[:32]}-*"))
    assert len(kept) == sum(trial.faces is not None for trial in opened.prepared.trials)


def test_networks_estimate_from_the_files_features_where_a_face_was_seen(
    material: Callable[..., Material],
) -> None:
    opened = material()
    task = first_task(opened)
    [faces, both] = network_systems(opened, ("faces only", "BMMN"))
    tested = task.fold.test
    seen = np.concatenate([trial.face_present for trial in opened.prepared.trials])[tested]
    assert 0 < seen.sum() < len(seen)
    estimates = faces.fit(task).predict(tested)
    np.testing.assert_array_equal(np.isfinite(estimates).all(axis=1), seen)
    assert estimates[seen].std(axis=0).max() > 0
    assert np.isfinite(both.fit(task).predict(tested)).all()


def test_weights_of_a_network_that_is_here_stay_outside_the_networks_that_learn(
    material: Callable[..., Material], small: SmallFaceEncoder, tmp_path: Path
) -> None:
    save_file(small.state_dict(), tmp_path / "face.safetensors")
    stated = FACTS.replace("onnx", "safetensors", 1).replace('"onnx"', '"small"')
    stated = stated.replace('output = "features"\n', "").replace("side = 224", "side = 56")
    (tmp_path / "face.toml").write_text(stated)
    opened = material(GivenEncoder(open_face_file(str(tmp_path / "face.toml"))))
    network = FoldNetworks(opened, first_task(opened)).network("faces only")
    assert isinstance(network.face, GivenFeatures)


def test_T15_an_encoder_that_states_a_tested_person_is_refused(
    material: Callable[..., Material], facts: Path
) -> None:
    seen = facts.with_name("seen.toml")
    seen.write_text(FACTS + 'people = ["P02"]\n')
    given = given_encoder(asked(face_file=str(seen)))
    assert given is not None
    assert given.subjects == {"P02"}
    assert given.doubts == ()
    opened = material(given)
    [system] = network_systems(opened, ("faces only",))
    folds = {fold.name: fold for fold in PROTOCOLS["A"].split(opened.samples, 0, None)}
    tested = next(f for f in folds.values() if "P02" in set(opened.samples.subject[f.test]))
    with pytest.raises(LeakError, match="E_LEAK_FITTED") as caught:
        cross_validate(system, opened.samples, folds=[tested], protocol=PROTOCOLS["A"])
    assert "P02" in caught.value.sentence
    assert "face encoder" in caught.value.sentence


def test_without_stated_people_the_report_says_what_the_leak_check_cannot_know(
    given: GivenEncoder,
) -> None:
    [doubt] = given.doubts
    assert "'nobody'" in doubt
    assert "face.onnx" in doubt
    assert given.described["licence"] == "made up"
    assert GivenEncoder(build_face_encoder("small")).doubts == ()


def test_the_encoder_travels_to_the_processes_of_the_folds(given: GivenEncoder) -> None:
    arrived = pickle.loads(pickle.dumps(given))
    assert isinstance(given.encoder, PluggedFace)
    assert arrived.identity == given.identity == given.encoder.identity
    assert arrived.taken_by(SETTINGS) == given.taken_by(SETTINGS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"face_weights": Path("checkpoint")}, "--face-weights"),
        ({"imagenet": "none"}, "--imagenet"),
        ({"faces": "fine-tuned"}, "--faces fine-tuned"),
        ({"what": "fg2020.figure5"}, "fg2020.figure5"),
    ],
)
def test_a_file_and_another_encoder_exclude_each_other(
    facts: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ModelError, match="E_CONFIG") as caught:
        given_encoder(asked(face_file=str(facts), **changes))
    assert named in caught.value.sentence


def test_a_network_that_is_given_features_takes_no_pictures() -> None:
    network = fresh(BMMNConfig(variant="bmmn", modalities=("face",), face_encoder="given-64"), 0)
    with pytest.raises(ModelError, match="takes 64 features of a face and no pictures"):
        network.estimate({"face": torch.zeros(1, 3, 224, 224, dtype=torch.uint8)})
    for name in ("given-0", "given-064", "given-10000", "given"):
        with pytest.raises(ModelError, match="E_CONFIG"):
            BMMNConfig(face_encoder=name)
