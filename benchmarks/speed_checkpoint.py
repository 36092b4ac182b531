"""The checkpoint of the speed benchmarks: BMMN-BAE-2 with ResNet-50, kept in demo/.

    .venv/bin/python benchmarks/speed_checkpoint.py

trains it on the demo's simulated people (``make demo``; eight minutes on two cores) and writes its
engines, calibrated on six of them and compared with PyTorch on the other two (ten minutes). How far
an engine deviates says little where the weights were never trained; how fast it is does not depend
on the weights, so quick runs take fresh ones.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch

from affectscope.inference.engine import PRECISIONS
from affectscope.inference.engine_folder import engine_folder
from affectscope.io.files import shown
from affectscope.models.bmmn import BMMN, BMMNConfig
from affectscope.models.checkpoint import CONTRACT, Checkpoint, save_checkpoint
from affectscope.preprocessing.windows import Preprocessing
from affectscope.training.fit import DEMO_SETTINGS, Start
from affectscope.training.fit_sessions import fit_sessions

DEMO = Path(__file__).resolve().parents[1] / "demo"
TRAINED, FRESH = DEMO / "speed-resnet50", DEMO / "speed-fresh-resnet50"
CONFIG = BMMNConfig(face_encoder="resnet50")
_SETTINGS = replace(DEMO_SETTINGS, epochs=(2, 1, 1), rate=1.0, batch_size=32)


def people() -> list[Path]:
    """The demo's simulated people, none of whom is in a speed session."""
    return sorted(path.parent for path in (DEMO / "people").glob("*/session.toml"))


def trained_checkpoint() -> Path:
    """The trained one; trained now where it is not there."""
    if not (TRAINED / CONTRACT).exists():
        if not people():
            raise SystemExit(f"{shown(DEMO / 'people')} holds no sessions: run make demo first.")
        fit_sessions(
            people(),
            TRAINED,
            config=CONFIG,
            settings=_SETTINGS,
            start=Start(),
            progress=lambda stage, share: print(f"{stage}: {share:.3f}", flush=True),
        )
    return TRAINED


def fresh_checkpoint() -> Path:
    """One with fresh weights, which is as fast."""
    if not (FRESH / CONTRACT).exists():
        model = BMMN(CONFIG, torch.Generator().manual_seed(0))
        contract = Checkpoint(CONFIG, Preprocessing(), population="untrained", training_subjects=())
        save_checkpoint(FRESH, model, contract)
    return FRESH


def checkpoint(quick: bool) -> Path:
    """The one to measure with, and every engine in it that can be made here.

    A quick one's engines are hardly measured: the weights are fresh anyway.
    """
    folder = fresh_checkpoint() if quick else trained_checkpoint()
    calibrating, checking = (people()[:1], []) if quick else (people()[:6], people()[6:])
    for engine, precisions in PRECISIONS.items():
        for precision in precisions:
            if engine != "torch" and not engine_folder(folder, engine, precision).is_dir():
                command = [sys.executable, "-m", "affectscope", "export", str(folder)]
                command += ["--engine", engine, "--precision", precision]
                for session in calibrating if precision == "int8" else []:
                    command += ["--calibrate", str(session)]
                for session in checking:
                    command += ["--check", str(session)]
                # What cannot be made is missing later, and says why there.
                subprocess.run(command, check=False)
    return folder


if __name__ == "__main__":
    print(checkpoint(quick=False))
