"""Which modality carries the demo network's estimates of simulated people, beside what was put in.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/modality_influence.py [--people 8]

Simulated people that the network has never seen, no human data. In the simulation valence reaches
the face alone, arousal the face, the heart and the skin. Each person has one session of two minutes
in which valence and arousal wander without correlation with each other and with time. Per target
and modality: how far leaving it out moves the estimate (mean distance), how the course of what it
adds correlates with the truth, and the estimate's correlation with the truth without it, beside
that with everything (the baseline). Means over people with 95 % intervals (Student's t over
people, cut at the ends of the scale).
Cost: processor seconds of this process in the probe, in percent of the rest of the walk (the face
network among it; the video decoder has a process of its own), at 5 pictures per second: with 25 of
them the share is a fifth. The result is kept in benchmarks/results/modality_influence.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import t

from affectscope import load_checkpoint, open_session
from affectscope.datasets.body_analysis import analyse_body
from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    random_course,
    synthetic_person,
    write_session,
)
from affectscope.datasets.window_dataset import StreamSettings, WindowStream
from affectscope.evaluation.phases import default_phases
from affectscope.inference.predictor import Predictor
from affectscope.io.model_files import face_model
from affectscope.io.session import Session
from affectscope.records import TARGETS
from affectscope.therapy.influence import SHOWN, Influence, InfluenceProbe

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "modality_influence.json"
SECONDS, RATE = 120.0, 5.0


def walked(session: Session, scorer: Predictor) -> tuple[Influence, np.ndarray, dict[str, float]]:
    """The influence, (R, 2) estimates of its rows, and processor seconds of the probe and of all
    else."""
    recording = session.recording
    begun, spent = time.process_time(), 0.0
    stream = WindowStream(
        recording,
        analyse_body(recording),
        scorer.checkpoint.preprocessing,
        face_model,
        StreamSettings(rate=RATE),
    )
    probe, times, values = InfluenceProbe(scorer), [], []
    for batch in stream:
        shares = scorer.shares(batch)
        scored = scorer.values(shares, batch.present)
        before = time.process_time()
        probe.add(batch, shares)
        spent += time.process_time() - before
        times.append(batch.times)
        values.append(scored[:, [TARGETS.index(name) for name in SHOWN]])
    rest = time.process_time() - begun - spent
    influence = probe.influence(default_phases(*recording.span)[0])
    assert influence is not None
    rows = np.searchsorted(np.concatenate(times), influence.times)
    return influence, np.concatenate(values)[rows], {"probe": spent, "rest": rest}


def one_person(index: int, scorer: Predictor, folder: Path) -> tuple[list[dict[str, object]], dict]:
    """A row per target and modality, and the seconds spent."""
    name, seed = f"simulated-held-out-{index + 1:02d}", 910_000 + index
    written = write_session(
        folder / name,
        synthetic_person(name, seed),
        random_course(SECONDS, seed),
        settings=TRAINING_SETTINGS,
    )
    session = open_session(written)
    influence, estimates, seconds = walked(session, scorer)
    labels = session.recording.labels
    assert labels is not None
    rows = []
    for column, target in enumerate(SHOWN):
        truth, estimate = labels.target(target, influence.times), estimates[:, column]
        for place, modality in enumerate(influence.modalities):
            moved = influence.moved[:, place, column]
            told = np.isfinite(moved)
            rows.append(
                {
                    "person": name,
                    "target": target,
                    "modality": modality,
                    "moves": float(np.abs(moved[told]).mean()),
                    "r_of_part": correlation(moved[told], truth[told]),
                    "r_without": correlation((estimate - moved)[told], truth[told]),
                    "r_with_all": correlation(estimate[told], truth[told]),
                    "strongest": influence.most[modality],
                }
            )
    return rows, seconds


def correlation(course: np.ndarray, truth: np.ndarray) -> float:
    return float(np.corrcoef(course, truth)[0, 1])


def over_people(values: list[float], lowest: float) -> str:
    """Mean with its 95 % interval by Student's t, on a scale from ``lowest`` to 1."""
    mean = float(np.mean(values))
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean:.2f} [{max(lowest, mean - half):.2f}, {min(1.0, mean + half):.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "demo" / "checkpoint")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    scorer = load_checkpoint(given.checkpoint)
    rows, seconds = [], []
    with TemporaryDirectory() as folder:
        for index in range(given.people):
            found, spent = one_person(index, scorer, Path(folder))
            rows += found
            seconds.append(spent)
    columns = {"moves": 0.0, "r_of_part": -1.0, "r_without": -1.0, "r_with_all": -1.0,
               "strongest": 0.0}  # fmt: skip
    print(f"{given.people} SIMULATED people: mean [95 % interval over people]")
    print("| target | modality | moves the estimate by | r of its part | r without it | r with all "
          "| strongest, share of rows |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for target, modality in dict.fromkeys((row["target"], row["modality"]) for row in rows):
        own = [row for row in rows if (row["target"], row["modality"]) == (target, modality)]
        texts = [
            over_people([float(str(row[name])) for row in own], lowest)
            for name, lowest in columns.items()
        ]
        print(f"| {target} | {modality} | {' | '.join(texts)} |")
    shares = [100 * spent["probe"] / spent["rest"] for spent in seconds]
    print(f"Cost: {np.median(shares):.1f} % of the rest of the walk, median over sessions.")
    given.out.write_text(json.dumps({"rows": rows, "cost_percent": shares}, indent=1) + "\n")


if __name__ == "__main__":
    main()
