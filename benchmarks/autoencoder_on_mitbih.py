"""What the paper's auto-encoder gives back of real ECG that it has never seen.

    .venv/bin/python benchmarks/autoencoder_on_mitbih.py [--epochs 30]

Trained on six half-hours of the MIT-BIH Arrhythmia Database (../shared/data/mitbih, ODC-BY 1.0;
Moody & Mark 2001), tested on the two others: PRD and PRDN over all windows of 7.8 s of a record,
without overlap, once with the encoder's max positions in the decoder (the paper's unpooling; they
are information past the latent) and once from the latent alone. Beside it what Yildirim et al.
print for MIT-BIH (Cognitive Systems Research 52, 2018): PRD 2.73 % at a compression ratio of 32.25,
on windows of 2000 samples at 360 Hz, from other records; PRD falls with a signal's offset, PRDN
does not. The result is kept in benchmarks/results/autoencoder_on_mitbih.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from affectscope.datasets.prepared_trial import PreparedTrial
from affectscope.datasets.runs import RunSet
from affectscope.evaluation.reconstruction import compression_ratio, prd, prdn
from affectscope.io.files import sha256
from affectscope.models.bio_autoencoder import BioAutoEncoder, Unpooling
from affectscope.models.bmmn import BMMNConfig
from affectscope.preprocessing.ecg import analyse_ecg
from affectscope.preprocessing.scaling import network_signal
from affectscope.preprocessing.windows import Preprocessing, cut_windows
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
YILDIRIM = {"prd": 2.73, "compression_ratio": 32.25}


def read(path: Path) -> PreparedTrial:
    """One record, cleaned and scaled as every ECG of the program; a row per second."""
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
    return PreparedTrial(
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


def tested(autoencoder: BioAutoEncoder, trial: PreparedTrial) -> dict[str, float]:
    """PRD and PRDN over a record's windows, side by side."""
    width = PREPROCESSING.window_duration
    centres = np.arange(width / 2, trial.duration - width / 2, width)
    windows, usable = cut_windows(trial.signals["ecg"], centres, PREPROCESSING)
    original = windows[usable]
    with torch.inference_mode():
        rebuilt = autoencoder(torch.from_numpy(original))[0].double().numpy()
    each = [prdn(x, y) for x, y in zip(original.astype(float), rebuilt, strict=True)]
    return {
        "windows": int(usable.sum()),
        "prd": prd(original.astype(float), rebuilt),
        "prdn": prdn(original.astype(float), rebuilt),
        "prdn_median_window": float(np.median(each)),
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--epochs", type=int, default=30)
    epochs = options.parse_args().epochs
    trials = [read(path) for path in sorted(DATA.glob("*.npz"))]
    learnt, held_out = trials[:-TESTED], trials[-TESTED:]
    print(f"learnt from {', '.join(t.subject_id for t in learnt)}")
    samples = PREPROCESSING.window_samples
    result: dict[str, object] = {"epochs": epochs, "yildirim": YILDIRIM}
    result["trained_on"] = [trial.subject_id for trial in learnt]
    unpoolings: tuple[Unpooling, ...] = ("indices", "interpolation")
    for unpooling in unpoolings:
        autoencoder = trained(learnt, unpooling, epochs)
        bits = index_bits(samples) if unpooling == "indices" else 0
        ratio = compression_ratio(samples, latent=autoencoder.config.latent, index_bits=bits)
        found = {trial.subject_id: tested(autoencoder, trial) for trial in held_out}
        result[unpooling] = {"compression_ratio": ratio, "records": found}
        for name, numbers in found.items():
            print(
                f"{unpooling}, CR {ratio:.2f}, record {name}: PRD {numbers['prd']:.2f} %, "
                f"PRDN {numbers['prdn']:.2f} % over {numbers['windows']} windows"
            )
    print(f"Yildirim et al. print PRD {YILDIRIM['prd']} % at CR {YILDIRIM['compression_ratio']}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
