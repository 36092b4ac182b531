"""What auto-encoders give back of real ECG that they have never seen: the paper's and Yildirim's.

    .venv/bin/python benchmarks/autoencoder_on_mitbih.py [--epochs 40] [--only yildirim]

Trained on six half-hours of the MIT-BIH Arrhythmia Database (../shared/data/mitbih, ODC-BY 1.0;
Moody & Mark 2001), tested on the two others, so on other people: PRD and PRDN over all windows of a
record, without overlap. The paper's auto-encoder (windows of 7.8 s) once with the encoder's max
positions in the decoder (the paper's unpooling; they are information past the latent) and once
from the latent alone. Yildirim's network (``baselines.yildirim``, windows of 2000 samples at 360
Hz), its epoch chosen by the last tenth of the six records, which is shown too: the same people,
minutes that were not learnt from. Beside it what Yildirim et al. print for MIT-BIH (Cognitive
Systems Research 52, 2018): PRD 2.73 % at a compression ratio of 32.25; PRD falls with a signal's
offset, PRDN does not. The result is kept in benchmarks/results/autoencoder_on_mitbih.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectscope.baselines import yildirim
from affectscope.baselines.yildirim import FloatWindows
from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.evaluation.reconstruction import compression_ratio, prd, prdn
from affectscope.io.files import sha256
from affectscope.models.bio_autoencoder import BioAutoEncoder, Unpooling
from affectscope.models.bmmn import BMMNConfig
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.preprocessing.scaling import network_signal
from affectscope.preprocessing.windows import NetworkSignal, Preprocessing, cut_windows
from affectscope.recipes.fg2020_pictures import index_bits
from affectscope.records import Signal
from affectscope.training.devices import make_fabric
from affectscope.training.fit import fresh
from affectscope.training.loop import Stage, StageSettings, TrainingRows
from affectscope.training.objective import Objective

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mitbih"
RESULT = Path(__file__).resolve().parent / "results" / "autoencoder_on_mitbih.json"
TESTED = 2
PREPROCESSING = Preprocessing()
PUBLISHED = {"prd": 2.73, "compression_ratio": 32.25}

Row = dict[str, Any]
"""A compression ratio, the records' figures and the seconds it took."""


@dataclass(frozen=True, eq=False)
class Record:
    """One record, cleaned and scaled as every ECG of the program, for both networks."""

    trial: PreparedTrial
    fine: NetworkSignal  # at Yildirim's 360 Hz

    @property
    def name(self) -> str:
        return self.trial.subject_id


def read(path: Path) -> Record:
    """A record; its trial has a row per second."""
    with np.load(path, allow_pickle=False) as stored:
        values = stored["ecg_mv"].astype(np.float64)
        signal = Signal(values, float(stored["sampling_rate"]), "mV", 0.0)
    analysis = analyse_ecg(signal)
    ecg = network_signal(
        analysis.cleaned,
        analysis.valid,
        scaling=PREPROCESSING.ecg_scaling,
        sampling_rate=PREPROCESSING.sampling_rate,
    )
    times = np.arange(0.0, signal.duration)
    trial = PreparedTrial(
        subject_id=path.stem,
        trial_id="ecg",
        times=times,
        duration=signal.duration,
        targets=np.full((len(times), 10), np.nan, dtype=np.float32),
        signals={"ecg": ecg},
        faces=None,
        face_present=np.zeros(len(times), dtype=bool),
        key=sha256(path),
    )
    return Record(trial, yildirim.ecg_signal(analysis))


def trained(trials: list[PreparedTrial], unpooling: Unpooling, epochs: int) -> BioAutoEncoder:
    config = BMMNConfig(
        variant="bmmn_bae_1", modalities=("ecg",), face_encoder="small", unpooling=unpooling
    )
    network = fresh(config, 0)
    windows = RunSet(trials, PREPROCESSING, modalities=("ecg",))
    rows = np.arange(len(windows))
    stage = Stage(
        Objective(network, "reconstruction"),
        TrainingRows(windows, rows, rows[:0]),
        StageSettings(epochs=epochs, learning_rate=1e-3, run_length=5, decoded_every=5),
        fabric=make_fabric(),
        progress=lambda share: print(f"\r{unpooling}: {100 * share:.0f} %", end="", flush=True),
    )
    position = stage.train()
    print(f"\n{unpooling}: loss {position.losses[0]:.5f} -> {position.losses[-1]:.5f}")
    autoencoder = network.eval().autoencoders["ecg"]
    assert isinstance(autoencoder, BioAutoEncoder)
    return autoencoder


def windows_of(
    signal: NetworkSignal, preprocessing: Preprocessing, span: tuple[float, float], hop: float
) -> FloatWindows:
    """Usable windows inside a span (s), ``hop`` window lengths apart."""
    width = preprocessing.window_duration
    centres = np.arange(span[0] + width / 2, span[1] - width / 2, hop * width)
    windows, usable = cut_windows(signal, centres, preprocessing)
    return windows[usable]


def measured(original: FloatWindows, rebuilt: FloatWindows) -> dict[str, float]:
    """PRD and PRDN of windows, all together and the median window's."""
    x, y = original.astype(np.float64), rebuilt.astype(np.float64)
    return {
        "windows": len(x),
        "prd": prd(x, y),
        "prdn": prdn(x, y),
        "prdn_median_window": float(np.median([prdn(*pair) for pair in zip(x, y, strict=True)])),
    }


def ours(unpooling: Unpooling, learnt: list[Record], held_out: list[Record], epochs: int) -> Row:
    """The paper's auto-encoder on the held-out records."""
    autoencoder = trained([record.trial for record in learnt], unpooling, epochs)
    samples = PREPROCESSING.window_samples
    bits = index_bits(samples) if unpooling == "indices" else 0
    found = {}
    for record in held_out:
        trial = record.trial
        windows = windows_of(trial.signals["ecg"], PREPROCESSING, (0.0, trial.duration), 1.0)
        with torch.inference_mode():
            found[record.name] = measured(
                windows, autoencoder(torch.from_numpy(windows))[0].numpy()
            )
    ratio = compression_ratio(samples, latent=autoencoder.config.latent, index_bits=bits)
    return {"compression_ratio": ratio, "records": found}


def theirs(learnt: list[Record], held_out: list[Record], epochs: int) -> Row:
    """Yildirim's network, learnt from nine tenths of each record, on the same records."""
    window = yildirim.WINDOW
    parts: dict[str, list[FloatWindows]] = {"learnt": [], "chosen by": []}
    for record in learnt:
        cut = 0.9 * record.trial.duration
        parts["learnt"].append(windows_of(record.fine, window, (0.0, cut), 0.5))
        rest = (cut, record.trial.duration)
        parts["chosen by"].append(windows_of(record.fine, window, rest, 1.0))
    inner = np.random.default_rng(0).permutation(np.concatenate(parts["chosen by"]))
    network = yildirim.fit_autoencoder(
        np.concatenate(parts["learnt"]), inner, epochs=epochs, seed=0
    )
    asked = {"the six, last tenth": inner}
    for record in held_out:
        whole = (0.0, record.trial.duration)
        asked[record.name] = windows_of(record.fine, window, whole, 1.0)
    found = {name: measured(x, yildirim.rebuilt(network, x)) for name, x in asked.items()}
    ratio = compression_ratio(window.window_samples, latent=yildirim.CODE)
    return {"compression_ratio": ratio, "records": found}


def main() -> None:
    systems: dict[str, Callable[[list[Record], list[Record], int], Row]] = {
        "indices": lambda *given: ours("indices", *given),
        "interpolation": lambda *given: ours("interpolation", *given),
        "yildirim": theirs,
    }
    options = argparse.ArgumentParser()
    options.add_argument("--epochs", type=int, default=40)
    options.add_argument("--only", choices=systems, help="the other results stay as they are")
    asked = options.parse_args()
    records = [read(path) for path in sorted(DATA.glob("*.npz"))]
    learnt, held_out = records[:-TESTED], records[-TESTED:]
    names = [record.name for record in learnt]
    print(f"learnt from {', '.join(names)}")
    result: Row = json.loads(RESULT.read_text()) if asked.only else {}
    result |= {"published": PUBLISHED, "trained_on": names}
    for name in [asked.only] if asked.only else systems:
        begun = time.monotonic()
        row = systems[name](learnt, held_out, asked.epochs)
        result[name] = row | {"epochs": asked.epochs, "seconds": round(time.monotonic() - begun)}
        show(name, result[name])
    print(f"Yildirim et al. print PRD {PUBLISHED['prd']} % at CR {PUBLISHED['compression_ratio']}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1))


def show(name: str, row: Row) -> None:
    for record, numbers in row["records"].items():
        print(
            f"{name}, CR {row['compression_ratio']:.2f}, {record}: PRD {numbers['prd']:.2f} %, "
            f"PRDN {numbers['prdn']:.2f} % over {numbers['windows']} windows (median window's "
            f"PRDN {numbers['prdn_median_window']:.2f} %)"
        )
    print(f"{name}: {row['seconds']} s")


if __name__ == "__main__":
    main()
