"""Seconds that heart and skin features of an hour take, beside NeuroKit2, and whether they agree.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/feature_extraction.py [--minutes 60]

One hour of simulated ECG and EDA at 128 Hz. Ours: ``analyse_ecg``, ``analyse_eda`` and all features
of spans of 40 s each 5 s. NeuroKit2: ``ecg_process`` and ``eda_process``, without features of
spans. Both on one core in this run; seconds are the processor's, ours the median of five runs. Then
the heart rate, its variability, the skin's level and its responses over the whole recording, ours
beside NeuroKit2's. Where ../shared/data is there, the same for the ECG of a real half hour (record
100 of the MIT-BIH Arrhythmia Database, ODC-BY 1.0; Moody & Mark 2001), with the annotated beats.
NeuroKit2 moves beats after it found them (Kubios' correction), so both are compared. The result is
kept in benchmarks/results/feature_extraction.json; docs/features.md states the tolerances.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import neurokit2
import numpy as np

from affectscope.datasets.synthetic_signals import (
    beat_times,
    draw_body,
    ecg_values,
    eda_values,
    wander,
)
from affectscope.preprocessing.ecg import EcgAnalysis, analyse_ecg, heart_rate_variability
from affectscope.preprocessing.eda import EdaAnalysis, analyse_eda, responses_per_minute
from affectscope.preprocessing.heart_features import HEART_FEATURES, heart_features
from affectscope.preprocessing.skin_features import SKIN_FEATURES, skin_features
from affectscope.records import TARGETS, FloatArray, Labels, Signal

MITBIH = Path(__file__).resolve().parents[2] / "shared" / "data" / "mitbih" / "100.npz"
RESULT = Path(__file__).resolve().parent / "results" / "feature_extraction.json"
RATE = 128.0
SPAN, HOP, REPEATS = 40.0, 5.0, 5
NEAR = 0.02  # seconds between beats that are the same
TOLERANCES = {
    "mean heart rate, 1/min": 0.002,
    "RMSSD, ms": 0.06,
    "SDNN, ms": 0.01,
    "share of beats before NeuroKit2's correction that the other has": 0.002,
    "mean level, uS": 0.001,
}
"""Largest relative difference that docs/features.md states; responses have another definition."""

Result = TypeVar("Result")


def simulated(duration: float) -> tuple[Signal, Signal, FloatArray]:
    """ECG, EDA of so many seconds, and the times of the beats that the ECG was made of."""
    random = np.random.default_rng(7)
    body, times = draw_body(random), np.arange(0.0, duration + 1)
    values = np.zeros((len(times), len(TARGETS)))
    values[:, TARGETS.index("arousal")] = np.tanh(
        0.7 * wander(random, len(times), 1.0, time_scale=60.0)
    )
    labels = Labels(times, values)

    def heart() -> np.random.Generator:
        return np.random.default_rng(8)  # the same beats twice

    ecg = ecg_values(body, labels, duration=duration, sampling_rate=RATE, generator=heart())
    eda = eda_values(body, labels, duration=duration, sampling_rate=RATE, generator=random)
    beats = beat_times(body, labels, duration=duration, generator=heart())
    return Signal(ecg, RATE, "mV", 0.0), Signal(eda, RATE, "uS", 0.0), beats


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Seconds of the processor, which other programs on a busy machine hardly change."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def ours(ecg: Signal, eda: Signal | None) -> tuple[EcgAnalysis, EdaAnalysis | None]:
    """Both analyses, after all features of all spans."""
    starts = np.arange(0.0, ecg.duration - SPAN, HOP)
    spans = np.column_stack([starts, starts + SPAN])
    heart = analyse_ecg(ecg)
    assert heart_features(heart, spans).shape == (len(spans), len(HEART_FEATURES))
    if eda is None:
        return heart, None
    skin = analyse_eda(eda)
    features = skin_features(skin, spans, reference=(0.0, 5.0))
    assert features.shape == (len(spans), len(SKIN_FEATURES))
    return heart, skin


def neurokits(ecg: Signal, eda: Signal | None) -> tuple[Any, Any, Any]:
    """Its tables of ECG and EDA, and its facts about the ECG."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about pandas and empty slices
        heart, facts = neurokit2.ecg_process(ecg.values, sampling_rate=ecg.sampling_rate)
        skin = None
        if eda is not None:
            skin, _ = neurokit2.eda_process(eda.values, sampling_rate=eda.sampling_rate)
    return heart, facts, skin


def matched(beats: FloatArray, others: FloatArray) -> float:
    """Share of ``beats`` that have one of ``others`` within 20 ms."""
    place = np.clip(np.searchsorted(others, beats), 1, len(others) - 1)
    nearest = np.minimum(np.abs(others[place] - beats), np.abs(others[place - 1] - beats))
    return float((nearest <= NEAR).mean())


def hearts(ecg: Signal, analysis: EcgAnalysis, table: Any, facts: Any) -> dict[str, Any]:
    """Ours beside NeuroKit2's, over the whole recording."""
    own = heart_rate_variability(analysis, 0.0, ecg.duration)
    peaks = np.asarray(facts["ECG_R_Peaks"])
    theirs = neurokit2.hrv_time(peaks, sampling_rate=ecg.sampling_rate).iloc[0]
    beats = peaks / ecg.sampling_rate
    uncorrected = np.asarray(facts["ECG_R_Peaks_Uncorrected"]) / ecg.sampling_rate
    return {
        "mean heart rate, 1/min": (own.mean_heart_rate, float(table["ECG_Rate"].mean())),
        "RMSSD, ms": (own.rmssd, float(theirs["HRV_RMSSD"])),
        "SDNN, ms": (own.sdnn, float(theirs["HRV_SDNN"])),
        "share of beats that the other has": (
            matched(analysis.peak_times, beats),
            matched(beats, analysis.peak_times),
        ),
        "share of beats before NeuroKit2's correction that the other has": (
            matched(analysis.peak_times, uncorrected),
            matched(uncorrected, analysis.peak_times),
        ),
    }


def skins(eda: Signal, analysis: EdaAnalysis, table: Any) -> dict[str, Any]:
    rate = responses_per_minute(analysis, 0.0, eda.duration).per_minute
    return {
        "mean level, uS": (float(analysis.tonic.mean()), float(table["EDA_Tonic"].mean())),
        "responses per minute": (rate, 60.0 * float(table["SCR_Peaks"].sum()) / eda.duration),
    }


def judged(name: str, own: float, other: float) -> str:
    if name not in TOLERANCES:
        return ""
    agree = abs(own - other) <= TOLERANCES[name] * abs(other)
    return f" ({'within' if agree else 'BEYOND'} {100 * TOLERANCES[name]:.1f} %)"


def compared(ecg: Signal, eda: Signal | None, beats: FloatArray) -> dict[str, Any]:
    """Seconds and values of one recording; ``beats`` are the true ones."""
    ours(ecg, eda)  # imports what is imported late
    (heart, skin), _ = timed(lambda: ours(ecg, eda))
    seconds = statistics.median(timed(lambda: ours(ecg, eda))[1] for _ in range(REPEATS))
    (table, facts, skin_table), theirs = timed(lambda: neurokits(ecg, eda))
    print(f"ours {seconds:.2f} s, NeuroKit2 {theirs:.2f} s, ratio {theirs / seconds:.1f}")
    values = hearts(ecg, heart, table, facts)
    if eda is not None and skin is not None:
        values |= skins(eda, skin, skin_table)
    for name, (own, other) in values.items():
        print(f"  {name}: ours {own:.4g}, NeuroKit2 {other:.4g}{judged(name, own, other)}")
    true = beats[(beats > 0.5) & (beats < ecg.duration - 0.5)]
    found = {
        "ours": matched(true, heart.peak_times),
        "NeuroKit2": matched(true, np.asarray(facts["ECG_R_Peaks"]) / ecg.sampling_rate),
    }
    print(f"  true beats found: ours {found['ours']:.4f}, NeuroKit2 {found['NeuroKit2']:.4f}")
    return {
        "seconds": {"ours": seconds, "NeuroKit2": theirs},
        "values": {name: {"ours": a, "NeuroKit2": b} for name, (a, b) in values.items()},
        "true_beats_found": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0, help="Of both recordings, at most.")
    minutes = parser.parse_args().minutes
    ecg, eda, beats = simulated(60 * minutes)
    print(f"simulated ECG and EDA, {minutes:g} min at {RATE:.0f} Hz:")
    result = {"simulated hour": compared(ecg, eda, beats)}
    if MITBIH.is_file():
        with np.load(MITBIH, allow_pickle=False) as stored:
            rate = float(stored["sampling_rate"])
            values = stored["ecg_mv"].astype(np.float64)[: round(60 * minutes * rate)]
            real = Signal(values, rate, "mV", 0.0)
            annotated = stored["r_peaks"] / rate
        print(f"real ECG, MIT-BIH record 100, {real.duration / 60:.0f} min at {rate:.0f} Hz:")
        result["mitbih 100"] = compared(real, None, annotated)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
