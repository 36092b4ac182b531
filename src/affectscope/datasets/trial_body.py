"""What heart, skin and brain did in a trial, in physical units: kept beside the network's inputs.

Hand-crafted features need beats and microsiemens; the network's signals are scaled and hold
neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affectscope.datasets.body_analysis import BodyAnalysis
from affectscope.preprocessing.ecg import EcgAnalysis
from affectscope.preprocessing.eda import EdaAnalysis
from affectscope.preprocessing.eeg import EegPower
from affectscope.records import Signal

BODY_FILE = "body.npz"


@dataclass(frozen=True, eq=False)
class TrialBody:
    """One trial's analyses, their notices left out; None for what is absent or not usable."""

    ecg: EcgAnalysis | None = None
    eda: EdaAnalysis | None = None
    eeg: EegPower | None = None


def write_body(folder: Path, analysis: BodyAnalysis, eeg: EegPower | None) -> None:
    """Write ``BODY_FILE`` into the trial's folder."""
    content: dict[str, Any] = {}
    if (ecg := analysis.ecg) is not None:
        content |= _signal("ecg", ecg.cleaned) | {
            "ecg_valid": ecg.valid,
            "ecg_peak_times": ecg.peak_times,
            "ecg_inverted": ecg.inverted,
        }
    if (eda := analysis.eda) is not None:
        content |= _signal("eda", eda.cleaned) | {
            "eda_valid": eda.valid,
            "eda_tonic": eda.tonic.astype(np.float32),
            "eda_response_times": eda.response_times,
            "eda_response_amplitudes": eda.response_amplitudes,
        }
    if eeg is not None:
        content |= {
            "eeg_density": eeg.density,
            "eeg_channels": np.array(eeg.channels),
            "eeg_start_time": eeg.start_time,
        }
    np.savez(folder / BODY_FILE, **content)


def read_body(folder: Path) -> TrialBody:
    """Open what ``write_body`` wrote."""
    with np.load(folder / BODY_FILE, allow_pickle=False) as stored:
        content = dict(stored)
    ecg = eda = eeg = None
    if "ecg_valid" in content:
        ecg = EcgAnalysis(
            _read_signal("ecg", content),
            content["ecg_valid"],
            content["ecg_peak_times"],
            bool(content["ecg_inverted"]),
            (),
        )
    if "eda_valid" in content:
        cleaned, tonic = _read_signal("eda", content), content["eda_tonic"].astype(np.float64)
        eda = EdaAnalysis(
            cleaned,
            content["eda_valid"],
            tonic,
            cleaned.values - tonic,
            content["eda_response_times"],
            content["eda_response_amplitudes"],
            (),
        )
    if "eeg_density" in content:
        channels = tuple(content["eeg_channels"].tolist())
        eeg = EegPower(content["eeg_density"], channels, float(content["eeg_start_time"]))
    return TrialBody(ecg, eda, eeg)


def read_eeg_channels(folder: Path) -> tuple[str, ...]:
    """The names of the EEG's channels alone, which is quick; () where there is no EEG."""
    with np.load(folder / BODY_FILE, allow_pickle=False) as stored:
        return tuple(stored["eeg_channels"].tolist()) if "eeg_channels" in stored else ()


def _signal(name: str, signal: Signal) -> dict[str, Any]:
    return {
        f"{name}_values": signal.values.astype(np.float32),
        f"{name}_unit": signal.unit,
        f"{name}_clock": np.array([signal.sampling_rate, signal.start_time]),
    }


def _read_signal(name: str, content: dict[str, Any]) -> Signal:
    rate, start = content[f"{name}_clock"].tolist()
    return Signal(
        content[f"{name}_values"].astype(np.float64), rate, str(content[f"{name}_unit"]), start
    )
