"""Writing an engine: what it measures, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.errors import ModelError
from affectscope.inference import export
from affectscope.inference.engine import EngineAsked, EngineName, FaceEngine, Precision
from affectscope.inference.engine_rows import Rows
from affectscope.inference.export import ExportAsked, deviation_of, export_engine
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.session import Session
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.records import TARGETS, PersonChoice, Recording, Signal


class Shifted:
    """An engine whose features are off by a constant; a NaN one gives no numbers."""

    name: EngineName = "openvino"
    precision: Precision = "int8"
    parallel = 1

    def __init__(self, inner: FaceEngine, shift: float) -> None:
        self._inner, self._shift = inner, shift

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._inner.features(pictures) + np.float32(self._shift)


def session(name: str, *, simulated: bool = True, seconds: float = 5.0) -> Session:
    signal = Signal(np.zeros(round(seconds * 128)), 128.0, "mV", 0.0)
    recording = Recording("s", name, simulated, ecg=signal)
    return Session(Path(name), recording, None, PersonChoice(), {"face.mp4": "a" * 64})


@pytest.fixture
def rows(rows_with_faces: WindowBatch) -> Rows:
    return Rows((rows_with_faces,), (session("t"),))


@pytest.fixture
def reference(checkpoint: Path) -> Predictor:
    return load_checkpoint(checkpoint)


def test_the_deviation_is_that_of_the_targets_through_the_whole_network(
    reference: Predictor, rows: Rows
) -> None:
    assert reference.engine is not None
    shift = 0.05
    (batch,) = rows.batches
    face = {"inputs": {"face": batch.inputs["face"]}, "present": {"face": batch.present["face"]}}
    alone = replace(rows, batches=(replace(batch, **face),))  # near 0, where nothing is clipped
    found = deviation_of(reference, Shifted(reference.engine, shift), alone)
    head: Any = reference.model.head[0]
    weights = head.weight.detach().numpy()[:, : reference.model.config.feature_widths["face"]]
    expected = dict(zip(TARGETS, np.abs(weights.sum(axis=1)) * shift, strict=True))
    assert found.rows == 5
    assert found.whose == "simulated people"
    assert found.sessions == {"t/face.mp4": "a" * 64}
    for name in ("valence", "arousal"):
        assert found.mean[name] == pytest.approx(expected[name], rel=1e-3)
        assert found.maximum[name] == pytest.approx(expected[name], rel=1e-3)


def test_the_reference_does_not_deviate_from_itself(reference: Predictor, rows: Rows) -> None:
    assert reference.engine is not None
    found = deviation_of(reference, reference.engine, rows)
    assert set(found.maximum.values()) == {0.0}
    assert found.quadrants == 1.0
    assert found.within(0.0)


def test_quadrants_agree_in_the_share_of_rows_whose_signs_stay(
    reference: Predictor, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [[(0.1, 0.1), (0.1, -0.1), (-0.1, 0.1), (-0.1, -0.1), (0.0, 0.2)]]
    pairs.append([(0.2, 0.1), (0.1, 0.1), (-0.1, 0.3), (0.1, 0.1), (0.1, 0.1)])
    values = np.zeros((2, 5, len(TARGETS)))
    values[:, :, :2] = pairs
    answers = iter(values)
    monkeypatch.setattr(Predictor, "score", lambda _predictor, _batch: next(answers))
    assert reference.engine is not None
    found = deviation_of(reference, reference.engine, rows)
    assert found.quadrants == pytest.approx(3 / 5)
    assert found.mean["valence"] == pytest.approx((0.1 + 0 + 0 + 0.2 + 0.1) / 5)
    assert found.maximum["arousal"] == pytest.approx(0.2)


def test_an_engine_that_gives_no_numbers_is_refused(reference: Predictor, rows: Rows) -> None:
    assert reference.engine is not None
    with pytest.raises(ModelError, match="E_ENGINE: The engine gives values that are no numbers"):
        deviation_of(reference, Shifted(reference.engine, np.nan), rows)


def test_the_first_part_of_each_session_calibrates_and_the_rest_measures(rows: Rows) -> None:
    first, later = rows.parted(0.4)
    assert [key.centre for batch in first.batches for key in batch.keys] == [0.0, 1.0]
    assert [key.centre for batch in later.batches for key in batch.keys] == [2.0, 3.0, 4.0]
    assert first.count + later.count == rows.count
    np.testing.assert_array_equal(later.batches[0].inputs["face"], rows.faces(5)[2:])
    assert len(rows.faces(2)) == 2


def test_people_and_simulated_people_are_told_apart(rows_with_faces: WindowBatch) -> None:
    people = session("u", simulated=False)
    assert Rows((), ()).whose == "nobody"
    assert Rows((), (people,)).whose == "people"
    assert Rows((), (people, session("t"))).whose == "people and simulated people"


def test_a_float32_engine_is_written_without_sessions_and_says_that_it_was_not_measured(
    checkpoint: Path,
) -> None:
    exported = export_engine(ExportAsked(checkpoint, "onnxruntime", "fp32"))
    assert exported.contract.deviation.rows == 0
    assert any(line.startswith("Not measured") for line in exported.lines)
    assert exported.folder == checkpoint / "engines" / "onnxruntime-fp32"
    asked = EngineAsked("onnxruntime", "fp32")
    assert load_checkpoint(checkpoint, asked=asked).choice.contract == exported.contract  # type: ignore[union-attr]
    assert load_checkpoint(checkpoint).engine.name == "torch"  # type: ignore[union-attr]


def test_a_float32_engine_that_deviates_is_refused_and_not_written(
    checkpoint: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = export.run_files
    monkeypatch.setattr(export, "run_files", lambda *given: Shifted(run(*given), 0.01))
    monkeypatch.setattr(export, "_rows", lambda *_given: (Rows((), ()), rows))
    with pytest.raises(ModelError, match=r"E_ENGINE: OpenVINO fp32 deviates by .* Nothing was"):
        export_engine(ExportAsked(checkpoint, "openvino", "fp32"))
    assert not (checkpoint / "engines").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"precision": "int8"}, "E_CALIBRATION: An int8 engine .* --calibrate SESSION"),
        ({"engine": "onnxruntime", "precision": "int8"}, "E_CONFIG: ONNX Runtime does not run in"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(
    checkpoint: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        export_engine(replace(ExportAsked(checkpoint), **changes))


def test_a_network_that_reads_no_face_needs_no_engine(tmp_path: Path) -> None:
    config = BMMNConfig(modalities=("ecg", "eda"))
    network = BMMN(config).eval()
    save_checkpoint(tmp_path, network, Checkpoint(config, Preprocessing(), "people", ("s1",)))
    assert load_checkpoint(tmp_path).engine is None
    with pytest.raises(ModelError, match="E_ENGINE: This network reads no face"):
        export_engine(ExportAsked(tmp_path, "openvino", "fp32"))


def test_too_few_faces_are_refused(
    checkpoint: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "open_session", lambda _folder: session("t"))
    monkeypatch.setattr(export, "read_rows", lambda *_given: rows)
    asked = ExportAsked(checkpoint, "openvino", "int8", calibrate=(Path("t"),))
    with pytest.raises(ModelError, match="E_CALIBRATION: The sessions show 2 faces to calibrate"):
        export_engine(asked)
    with pytest.raises(ModelError, match="E_CALIBRATION: The sessions show 5 faces to measure"):
        export_engine(replace(asked, precision="fp32"))


def test_a_session_cannot_measure_what_it_calibrated(
    checkpoint: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "open_session", lambda _folder: session("t"))
    monkeypatch.setattr(export, "read_rows", lambda *_given: rows)
    asked = ExportAsked(checkpoint, "openvino", "int8", (Path("t"),), (Path("t"),))
    with pytest.raises(ModelError, match="E_CALIBRATION: Session t is to calibrate"):
        export_engine(asked)
