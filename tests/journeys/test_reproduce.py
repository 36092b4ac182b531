"""The paper's tables and figures from a twin of AMIGOS, as a researcher asks for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin
from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.errors import LeakError
from affectscope.evaluation.crossval import cross_validate
from affectscope.models.bmmn import BMMNConfig
from affectscope.models.checkpoint import load_checkpoint
from affectscope.models.face_encoder import build_face_encoder
from affectscope.recipes.fg2020 import Experiment, open_experiment, reproduce_table
from affectscope.recipes.fg2020_systems import GivenEncoder, NetworkSettings, network_systems
from affectscope.training.fit import FitSettings

QUICK = FitSettings(epochs=(1, 1, 1), learning_rate=1e-3, run_length=5, decoded_every=5)
BODY = NetworkSettings(
    network=BMMNConfig(modalities=("ecg", "eda"), face_encoder="small"), fit=QUICK, lambdas=(1.0,)
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin")
    settings = TwinSettings(
        participants=4,
        seed=3,
        frame_rate=1.0,
        clip_scale=0.12,
        long_videos=False,
        face_clips=("4", "5", "9", "10"),
    )
    write_amigos_twin(folder / "amigos", settings)
    return folder / "amigos"


@pytest.fixture
def options(twin: Path, tmp_path: Path) -> list[object]:
    quick = ["--epochs", 1, "--seeds", 1, "--folds", 1, "--limit", 6, "--processes", 1]
    return ["--data", twin, "--out", tmp_path / "out", *quick, "--lambdas", "1"]


@pytest.mark.usefixtures("_face_model")
def test_a_table_is_one_command_and_the_second_run_reads(
    command, options: list[object], tmp_path: Path
) -> None:
    first = command("reproduce", "fg2020.table3", *options)
    assert first.status == 0, first.err
    assert "SIMULATED people" in first.out
    assert "bio only" in first.out
    assert "duration only" in first.out
    page = (tmp_path / "out" / "table3.html").read_text()
    for words in ("Simulated people", "Quick look", "1 of 4 folds", "6 trials of each person"):
        assert words.lower() in page.lower(), words
    table = pd.read_parquet(tmp_path / "out" / "table3-predictions.parquet")
    wanted = {"subject", "trial", "onset", "target", "truth", "prediction", "fold", "seed", "model"}
    assert wanted <= set(table.columns)
    assert set(table["subject"]) == {"P01"}
    assert {"bio only", "faces only", "BMMN", "majority", "duration only"} <= set(table["model"])
    states = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "work").rglob("state-*.bin")}
    assert states
    second = command("reproduce", "fg2020.table3", *options)
    assert second.out == first.out
    again = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "work").rglob("state-*.bin")}
    assert again == states
    assert pd.read_parquet(tmp_path / "out" / "table3-predictions.parquet").equals(table)


@pytest.mark.usefixtures("_face_model")
def test_figures_are_one_command_each(command, options: list[object], tmp_path: Path) -> None:
    write_session(
        tmp_path / "sessions" / "simulated-patient",
        synthetic_person("simulated-patient", 5),
        therapy_course(60.0, 5),
        settings=TRAINING_SETTINGS,
    )
    for figure in ("figure1", "figure4", "figure5"):
        ended = command(
            "reproduce", f"fg2020.{figure}", *options, "--sessions", tmp_path / "sessions"
        )
        assert ended.status == 0, ended.err
        assert (tmp_path / "out" / f"{figure}.svg").stat().st_size > 5000
        assert (tmp_path / "out" / f"{figure}.png").stat().st_size > 5000
    assert "latent alone" in (tmp_path / "out" / "figure4.md").read_text()
    assert "simulated-patient" in (tmp_path / "out" / "figure5.md").read_text()
    _, checkpoint, _ = load_checkpoint(tmp_path / "out" / "checkpoint")
    assert checkpoint.population == "simulated people"
    assert checkpoint.training_subjects == ("P01", "P02", "P03", "P04")


def test_inspect_says_what_is_there(command, twin: Path) -> None:
    ended = command("inspect", "amigos", twin)
    assert ended.status == 0, ended.err
    assert "P04" in ended.out
    assert "GSR is taken for a resistance" in ended.out


def test_a_folder_without_a_corpus_is_refused(command, tmp_path: Path) -> None:
    ended = command("reproduce", "fg2020.table3", "--data", tmp_path, "--out", tmp_path / "out")
    assert ended.status == 2
    assert "E_CORPUS" in ended.err
    assert "Traceback" not in ended.err


def test_T15_a_face_encoder_that_has_seen_a_test_person_is_refused(
    twin: Path, tmp_path: Path
) -> None:
    networks = replace(BODY, network=BMMNConfig(face_encoder="small"), faces="frozen")
    given = GivenEncoder(build_face_encoder("small").eval(), frozenset({"P01"}))
    opened = open_experiment(
        Experiment(twin, tmp_path, networks, limit=1, rate=0.5, seeds=1), given
    )
    system = network_systems(opened.material, ("faces only",))[0]
    with pytest.raises(LeakError, match="E_LEAK_FITTED") as caught:
        cross_validate(system, opened.samples, folds=opened.folds(0)[:1], protocol=opened.protocol)
    assert "P01" in caught.value.sentence


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("face.pt", "E_CHECKPOINT_PICKLE"),
        ("face.toml", "E_FACE_FILE"),
        ("emotiefflib:enet_b2_8", "E_EXTRA"),
    ],
)
def test_F15_a_face_encoder_from_elsewhere_is_refused_in_one_sentence(
    command, tmp_path: Path, name: str, code: str
) -> None:
    (tmp_path / "face.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "face.toml").write_text('file = "face.onnx"\n')
    asked = name if ":" in name else tmp_path / name
    ended = command(
        "reproduce", "fg2020.table3", "--data", tmp_path, "--out", tmp_path / "o",
        "--face-file", asked,
    )  # fmt: skip
    assert ended.status == 2
    assert f"REJECTED {code}" in ended.err
    assert "Traceback" not in ended.err


def test_without_any_affect_signal_nothing_beats_the_baselines(tmp_path: Path) -> None:
    """Labels dealt anew within each person: what a model then 'finds' is a leak or luck."""
    settings = TwinSettings(
        participants=4, seed=11, frame_rate=1.0, clip_scale=0.12, long_videos=False,
        face_clips=(), permuted=True,
    )  # fmt: skip
    write_amigos_twin(tmp_path / "amigos", settings)
    experiment = Experiment(
        tmp_path / "amigos", tmp_path / "work", BODY, rate=0.3, seeds=1, processes=1
    )
    report = reproduce_table("table4", experiment, tmp_path / "out")
    found = report.summary
    found = found[found["level"] == "trial"].set_index(["model", "target", "metric"])
    for metric in ("macro_f1", "balanced_accuracy"):
        for target in ("valence", "arousal", "liking"):
            best = max(
                found.loc[(name, target, metric), "value"] for name in ("majority", "duration only")
            )
            for model in report.models:
                low = found.loc[(model, target, metric), "low"]
                assert low <= max(best, 0.5), (model, target, metric, low, best)
