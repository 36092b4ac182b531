"""Make an engine of a checkpoint's face encoder, measure it against PyTorch, and keep it.

Legend: N rows, T = 10 targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from affectscope.datasets.window_dataset import WindowBatch
from affectscope.errors import ModelError
from affectscope.inference.engine import EngineAsked, FaceEngine, Precision
from affectscope.inference.engine_choice import LARGEST_DEVIATION, processor_name
from affectscope.inference.engine_folder import (
    Calibration,
    Deviation,
    EngineContract,
    run_files,
    save_engine,
)
from affectscope.inference.engine_rows import Rows, read_rows
from affectscope.inference.onnxruntime_engine import onnx_files
from affectscope.inference.openvino_engine import openvino_capabilities, openvino_files
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.read_ahead import made_ahead
from affectscope.io.session import Session, open_session
from affectscope.models.face_encoder import FaceEncoder
from affectscope.records import TARGETS, BoolArray, FloatArray

LARGEST_OF_FLOAT32 = 1e-4
"""A float32 engine that deviates more in any target of any row is wrong, and refused."""
CALIBRATION_SHARE = 0.4
"""The first part of each session, whose faces calibrate; the rest measures."""
FEWEST_CALIBRATION_FACES, MOST_CALIBRATION_FACES = 50, 300
FEWEST_MEASURED_ROWS = 100

_PACKAGES = {"openvino": ("openvino", "nncf"), "onnxruntime": ("onnxruntime", "onnx")}


@dataclass(frozen=True)
class ExportAsked:
    """What the command line asks for.

    Attributes:
        calibrate: sessions whose first parts calibrate an int8 engine; the rest measures it.
        check: other sessions that measure it; those that calibrate then do so whole.
    """

    checkpoint: Path
    engine: Literal["openvino", "onnxruntime"] = "openvino"
    precision: Precision = "int8"
    calibrate: tuple[Path, ...] = ()
    check: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Exported:
    """The engine that was written, and where."""

    folder: Path
    contract: EngineContract

    @property
    def lines(self) -> list[str]:
        """What the command line says of it."""
        deviation, calibration = self.contract.deviation, self.contract.calibration
        lines = [f"Engine {self.contract.label} of checkpoint {self.contract.checkpoint_id}"]
        if calibration.faces:
            lines.append(f"Calibrated on {calibration.faces} faces of {calibration.whose}")
        if not deviation.rows:
            lines.append("Not measured: no session was given, so it is used only when asked for")
            return [*lines, f"Written: {self.folder}"]
        lines += [
            f"Deviation from PyTorch over {deviation.rows} rows of {deviation.whose}, which the "
            "calibration has not seen:",
            f"  {'target':<10} {'mean':>9} {'largest':>9}",
        ]
        lines += [
            f"  {name:<10} {deviation.mean[name]:>9.2g} {deviation.maximum[name]:>9.2g}"
            for name in deviation.mean
        ]
        lines.append(f"  same quadrant of valence and arousal: {deviation.quadrants:.1%}")
        if not deviation.within(LARGEST_DEVIATION):
            lines.append(
                f"More than {LARGEST_DEVIATION} on average in valence or arousal: it is used only "
                "when asked for"
            )
        return [*lines, f"Written: {self.folder}"]


def export_engine(
    asked: ExportAsked, progress: Callable[[float, str], None] = lambda _share, _now: None
) -> Exported:
    """Write CKPT/engines/<engine>-<precision>/.

    Raises:
        ModelError: E_CONFIG for a precision that the engine lacks; E_CHECKPOINT; E_CALIBRATION
            where int8 is asked for without sessions, or they show too few faces; E_ENGINE where
            the network reads no face, the processor cannot run the engine, or it is wrong.
        MissingExtraError: E_EXTRA where a package for it is not installed.
        SessionError: a session that cannot be opened.
        OutputError: E_OUTPUT.
    """
    EngineAsked(asked.engine, asked.precision)
    if asked.precision == "int8" and not asked.calibrate:
        raise ModelError(
            "E_CALIBRATION",
            "An int8 engine takes its ranges from faces, and no session was given.",
            "Name one or more sessions like those to be scored: --calibrate SESSION.",
        )
    reference = load_checkpoint(asked.checkpoint, asked=EngineAsked("torch"))
    encoder = reference.model.face
    if encoder is None:
        raise ModelError("E_ENGINE", "This network reads no face, so no engine would run.")
    if asked.precision == "bf16" and "BF16" not in openvino_capabilities():
        raise ModelError(
            "E_ENGINE", "This processor has no instructions for bf16.", "Choose fp32 or int8."
        )
    calibrating, measuring = _rows(asked, reference, progress)
    progress(0.7, "converting")
    files, calibration = _files(asked, encoder, calibrating)
    engine = run_files(asked.engine, asked.precision, files)
    progress(0.8, "measuring")
    deviation = deviation_of(reference, engine, measuring)
    contract = EngineContract(
        engine=asked.engine,
        precision=asked.precision,
        checkpoint_id=reference.checkpoint_id,
        checkpoint=reference.checkpoint,
        calibration=calibration,
        deviation=deviation,
        versions={name: version(name) for name in (*_packages(asked), "torch")},
        processor=processor_name(),
    )
    _check_float32(contract)
    return Exported(save_engine(asked.checkpoint, contract, files), contract)


def deviation_of(reference: Predictor, engine: FaceEngine, rows: Rows) -> Deviation:
    """How far the whole network's targets, with the engine, are from the reference's.

    Raises:
        ModelError: E_ENGINE where the engine gives values that are no numbers.
    """
    if not rows.count:
        return Deviation()
    candidate = replace(reference, engine=engine)
    expected, found = (_scores(each, rows.batches) for each in (reference, candidate))
    targets = reference.model.config.targets
    columns = [TARGETS.index(name) for name in targets]
    apart = np.abs(found - expected)[:, columns]
    if not np.isfinite(apart).all():
        raise ModelError("E_ENGINE", "The engine gives values that are no numbers.", "Choose fp32.")
    return Deviation(
        rows=rows.count,
        whose=rows.whose,
        sessions=rows.digests,
        mean=_named(targets, apart.mean(axis=0)),
        maximum=_named(targets, apart.max(axis=0)),
        quadrants=float((_quadrants(found) == _quadrants(expected)).all(axis=1).mean()),
    )


def _scores(predictor: Predictor, batches: Sequence[WindowBatch]) -> FloatArray:
    """(N, T) of all rows."""
    return np.concatenate(list(made_ahead(predictor.score, batches, predictor.parallel)))


def _rows(
    asked: ExportAsked, reference: Predictor, progress: Callable[[float, str], None]
) -> tuple[Rows, Rows]:
    """The rows that calibrate, and those that measure; none of the one is among the other."""

    def read(folders: Sequence[Path], start: float, share: float) -> Rows:
        sessions: list[Session] = [open_session(folder) for folder in folders]
        if not sessions:
            return Rows((), ())
        preprocessing = reference.checkpoint.preprocessing
        return read_rows(
            sessions,
            preprocessing,
            lambda done: progress(start + share * min(done, 1.0), "reading sessions"),
        )

    half = 0.35 if asked.check else 0.7
    given = read(asked.calibrate, 0.0, half)
    if asked.precision != "int8":
        parts = Rows((), ()), Rows(given.batches, given.sessions)
    elif asked.check:
        parts = given, Rows((), ())
    else:
        parts = given.parted(CALIBRATION_SHARE)
    calibrating, measuring = parts
    if asked.check:
        checked = read(asked.check, half, 0.7 - half)
        _check_apart(calibrating, checked)
        measuring = Rows(
            (*measuring.batches, *checked.batches), (*measuring.sessions, *checked.sessions)
        )
    _check_counts(asked, calibrating, measuring)
    return calibrating, measuring


def _check_apart(calibrating: Rows, checked: Rows) -> None:
    """Raises ModelError E_CALIBRATION where a session would measure what it calibrated."""
    same = {s.folder.resolve() for s in calibrating.sessions}
    same &= {s.folder.resolve() for s in checked.sessions}
    if same:
        raise ModelError(
            "E_CALIBRATION",
            f"Session {sorted(same)[0].name} is to calibrate the engine and to measure it.",
            "Name other sessions after --check, or leave --check out: then the first part of each "
            "session calibrates and the rest measures.",
        )


def _check_counts(asked: ExportAsked, calibrating: Rows, measuring: Rows) -> None:
    """Raises ModelError E_CALIBRATION where too few faces are seen in the sessions."""
    for what, found, fewest in (
        ("calibrate", calibrating.count, FEWEST_CALIBRATION_FACES * (asked.precision == "int8")),
        ("measure", measuring.count, FEWEST_MEASURED_ROWS * bool(asked.calibrate or asked.check)),
    ):
        if found < fewest:
            raise ModelError(
                "E_CALIBRATION",
                f"The sessions show {found} faces to {what} the engine on, fewer than {fewest}.",
                "Name longer sessions, or more of them, in which the face can be seen.",
            )


def _files(
    asked: ExportAsked, encoder: FaceEncoder, calibrating: Rows
) -> tuple[dict[str, bytes], Calibration]:
    if asked.engine == "onnxruntime":
        return onnx_files(encoder), Calibration()
    if asked.precision != "int8":
        return openvino_files(encoder), Calibration()
    faces = calibrating.faces(MOST_CALIBRATION_FACES)
    files = openvino_files(encoder, calibration=faces)
    return files, Calibration(len(faces), calibrating.whose, calibrating.digests)


def _packages(asked: ExportAsked) -> tuple[str, ...]:
    names = _PACKAGES[asked.engine]
    return names if asked.engine == "onnxruntime" or asked.precision == "int8" else names[:1]


def _check_float32(contract: EngineContract) -> None:
    largest = max(contract.deviation.maximum.values(), default=0.0)
    if contract.precision == "fp32" and largest > LARGEST_OF_FLOAT32:
        raise ModelError(
            "E_ENGINE",
            f"{contract.label} deviates by {largest:.2g} from PyTorch in a target, more than "
            f"{LARGEST_OF_FLOAT32}: the conversion is wrong. Nothing was written.",
            "Use PyTorch, and tell the program's makers the versions of both.",
        )


def _named(targets: tuple[str, ...], values: FloatArray) -> Mapping[str, float]:
    return {name: float(value) for name, value in zip(targets, values, strict=True)}


def _quadrants(values: FloatArray) -> BoolArray:
    """(N, 2): whether pleasant, whether aroused; 0 counts as both."""
    columns = [TARGETS.index("valence"), TARGETS.index("arousal")]
    pleasant_and_aroused: BoolArray = values[:, columns] >= 0
    return pleasant_and_aroused
