"""What it costs to do without a modality: measured as if it had not been recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import LeakError, ModelError, SessionError
from affectscope.inference.missing_modality import (
    CONTRACT,
    FOLDER,
    MissingModality,
    read_missing,
)
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.session import open_session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.models.manifest import MANIFEST, manifest_of
from affectscope.preprocessing.windows import Preprocessing
from affectscope.recipes.missing_modality import measure_missing
from affectscope.records import TARGETS

BODY_ONLY = replace(TRAINING_SETTINGS, sampling_rate=64.0, frame_rate=0)
RATE = 0.5
BODY = BMMNConfig(variant="bmmn", modalities=("ecg", "eda"))


def saved(folder: Path, config: BMMNConfig = BODY) -> Path:
    """A checkpoint with random weights."""
    network = BMMN(config, torch.Generator().manual_seed(3)).eval()
    contract = Checkpoint(config, Preprocessing(), "simulated people", ("learnt",))
    save_checkpoint(folder, network, contract)
    return folder


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Of three simulated people, the last one longer than the others; "learnt" is a fourth."""
    folder = tmp_path_factory.mktemp("sessions")
    return tuple(
        write_session(
            folder / name,
            synthetic_person(name, seed),
            random_course(seconds, seed),
            settings=BODY_ONLY,
        )
        for seed, (name, seconds) in enumerate(
            [("one", 20.0), ("two", 20.0), ("three", 30.0), ("learnt", 15.0)]
        )
    )


@pytest.fixture(scope="module")
def measured(
    sessions: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, MissingModality]:
    checkpoint = saved(tmp_path_factory.mktemp("checkpoint"))
    return checkpoint, measure_missing(checkpoint, sessions[:3], rate=RATE)


def errors(predictor: Predictor, folder: Path) -> dict[tuple[str, str], float]:
    """(what is left out, target) -> mean absolute error where both signals are there, of a session
    that lacks one: it is scored as any other is, without that recording."""
    session = open_session(folder)
    recording = session.recording
    labels = recording.labels
    assert labels is not None
    scored = {
        left_out: predictor.predict(
            replace(
                session, recording=replace(recording, **({left_out: None} if left_out else {}))
            ),
            rate=RATE,
        )
        for left_out in ("", "ecg", "eda")
    }
    times = np.array([key.centre for key in scored[""].keys])
    both = scored[""].present[:, 1:].all(axis=1)
    both &= (times >= labels.times[0]) & (times <= labels.times[-1])
    truth = labels.at(times)
    assert all(prediction.keys == scored[""].keys for prediction in scored.values())
    return {
        (left_out, target): float(np.abs(prediction.values - truth)[both, column].mean())
        for left_out, prediction in scored.items()
        for column, target in enumerate(TARGETS[:2])
    }


def test_the_errors_are_those_of_sessions_that_lack_the_modality(
    measured: tuple[Path, MissingModality], sessions: tuple[Path, ...]
) -> None:
    checkpoint, found = measured
    predictor = load_checkpoint(checkpoint)
    people = [errors(predictor, folder) for folder in sessions[:3]]
    assert [row[:3] for row in found.table.rows] == [
        (modality, target, "3") for modality in ("ecg", "eda") for target in ("valence", "arousal")
    ]
    for left_out, target, _, _, error, change, *_ in found.table.rows:
        whole, without = (
            float(np.mean([person[name, target] for person in people])) for name in ("", left_out)
        )
        assert float(error) == pytest.approx(whole, abs=0.0006)
        assert float(change.split()[0]) == pytest.approx(without - whole, abs=0.0006)
    changes = [abs(float(row[5].split()[0])) for row in found.table.rows]
    assert max(changes) > 0.005, "the network must make use of what is taken away"


def test_what_was_measured_lies_in_the_checkpoint_and_is_bound_to_it(
    measured: tuple[Path, MissingModality],
) -> None:
    checkpoint, found = measured
    assert read_missing(checkpoint, found.checkpoint_id) == found
    assert found.people == ("one", "two", "three")
    assert any(name.startswith("one/") for name in found.sessions)
    assert "3 simulated people" in found.table.title
    with pytest.raises(ModelError, match=r"E_CHECKPOINT.*of checkpoint"):
        read_missing(checkpoint, "000000000000")
    load_checkpoint(checkpoint)


def test_without_a_measurement_there_is_none(tmp_path: Path) -> None:
    assert read_missing(saved(tmp_path), "000000000000") is None


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "newer"])
def test_a_damaged_measurement_is_refused(
    measured: tuple[Path, MissingModality], tmp_path: Path, damage: str
) -> None:
    checkpoint, found = measured
    place = tmp_path / FOLDER
    place.mkdir()
    text = (checkpoint / FOLDER / CONTRACT).read_text()
    (place / MANIFEST).write_bytes((checkpoint / FOLDER / MANIFEST).read_bytes())
    if damage == "changed":
        (place / CONTRACT).write_text(text.replace('"People"', '"Lemurs"'))
    elif damage == "cut":
        (place / CONTRACT).write_text(text[: len(text) // 2])
    elif damage == "newer":
        newer = json.dumps(json.loads(text) | {"format_version": 9})
        (place / CONTRACT).write_text(newer)
        (place / MANIFEST).write_text(manifest_of({CONTRACT: newer.encode()}))
    with pytest.raises(ModelError, match=r"E_CHECKPOINT.*'missing' cannot be used"):
        read_missing(tmp_path, found.checkpoint_id)


def test_people_whom_the_network_knows_are_refused(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(LeakError, match="E_LEAK_SUBJECT"):
        measure_missing(saved(tmp_path), sessions)
    assert not (tmp_path / FOLDER).exists()


def test_sessions_without_labels_are_refused(sessions: tuple[Path, ...], tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    for path in sessions[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    described = (folder / "session.toml").read_text()
    start = described.index("[labels]")
    end = described.find("\n[", start)
    (folder / "session.toml").write_text(described[:start] + (described[end:] if end > 0 else ""))
    with pytest.raises(SessionError, match=r"E_SESSION.*no labels"):
        measure_missing(saved(tmp_path / "checkpoint"), (folder,))


def test_a_network_of_one_modality_cannot_do_without_it(
    sessions: tuple[Path, ...], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"E_CONFIG.*eda only"):
        measure_missing(saved(tmp_path, replace(BODY, modalities=("eda",))), sessions[:1])
