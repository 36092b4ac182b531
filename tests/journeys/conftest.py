"""What journeys share: the command line as a user calls it, session folders of real data."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from affectscope.cli import main
from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.errors import ModelError
from affectscope.io.model_files import face_model
from affectscope.models.bmmn import BMMNConfig
from affectscope.training.fit import DEMO_SETTINGS
from affectscope.training.fit_sessions import fit_sessions

DEMO_VARIANT = "bmmn_bae_2"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status and what it said."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``affectscope`` with arguments, as from a shell without a terminal."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["affectscope", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as ending:
            status = int(ending.code or 0)
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run


@pytest.fixture
def no_pdf_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where WeasyPrint is not installed: drawing a PDF takes longer than the rest of a short
    session."""
    monkeypatch.setitem(sys.modules, "weasyprint", None)


@pytest.fixture(scope="session")
def _face_model() -> None:
    try:
        face_model()
    except ModelError as error:
        pytest.skip(f"no face model on this machine: {error}")


@pytest.fixture
def needs_face_model(_face_model: None) -> None:
    """Skip with the reason where set-up could not fetch the face model."""


@pytest.fixture
def event_related(real_data: Path, tmp_path: Path) -> Path:
    """A session of real recordings: a man's video (19.7 s), somebody's ECG and EDA (150 s)."""
    folder = tmp_path / "event-related"
    folder.mkdir()
    shutil.copy(real_data / "faces" / "WolfgangLanger_Pexels.mp4", folder / "face.mp4")
    shutil.copy(real_data / "neurokit" / "bio_eventrelated_100hz.csv", folder / "signals.csv")
    return folder


@pytest.fixture(scope="session")
def demo_checkpoint(_face_model: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's network, trained as ``make demo`` does: on eight simulated people."""
    folder = tmp_path_factory.mktemp("demo")
    for index in range(8):
        name = f"simulated-{index + 1:02d}"
        write_session(
            folder / name,
            synthetic_person(name, 1000 + index),
            random_course(120.0, 1000 + index),
            settings=TRAINING_SETTINGS,
        )
    fit_sessions(
        sorted(folder.iterdir()),
        folder / "checkpoint",
        config=BMMNConfig(variant=DEMO_VARIANT, face_encoder="small"),
        settings=DEMO_SETTINGS,
    )
    return folder / "checkpoint"
