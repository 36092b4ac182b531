"""How well the demo's network estimates simulated people that it has never seen.

    .venv/bin/python benchmarks/held_out_people.py [--people 10] [--checkpoint demo/checkpoint]

Simulated people, no human data: this shows that the program recovers what was put in, not that it
can read a person. Each person is seen in two sessions of 90 s: one whose course wanders at random,
one of the therapy kind (arousal falls, valence rises). Per session: correlation over time for
valence and arousal, and whether the change from the first to the last third has the right sign; the
wandering courses hardly change, so their sign says little. Beside them two baselines: elapsed time
alone (its correlation with the truth), and a constant 0 (its mean absolute error).
The result is kept in benchmarks/results/held_out_people.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affectscope import load_checkpoint, open_session
from affectscope.datasets.synthetic import (
    TRAINING_SETTINGS,
    random_course,
    synthetic_person,
    therapy_course,
    write_session,
)
from affectscope.evaluation.phases import default_phases
from affectscope.inference.predictor import Predictor

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "held_out_people.json"
SECONDS = 90.0
COURSES = {"random": random_course, "therapy": therapy_course}


def one_session(
    index: int, kind: str, *, predictor: Predictor, folder: Path
) -> list[dict[str, float | str]]:
    """A row per target for one session of one held-out person."""
    seed = 900_000 + index
    name = f"simulated-held-out-{index + 1:02d}"
    written = write_session(
        folder / f"{name}-{kind}",
        synthetic_person(name, seed),
        COURSES[kind](SECONDS, seed),
        settings=TRAINING_SETTINGS,
    )
    session = open_session(written)
    prediction = predictor.predict(session, rate=2.0)
    times, labels = prediction.times, session.recording.labels
    assert labels is not None
    (first, last), _ = default_phases(*session.recording.span)
    rows: list[dict[str, float | str]] = []
    for target in ("valence", "arousal"):
        estimate, truth = prediction.target(target), labels.target(target, times)
        seen = np.isfinite(estimate)
        before, after = seen & (times < first.end), seen & (times >= last.start)
        change = estimate[after].mean() - estimate[before].mean()
        true_change = truth[after].mean() - truth[before].mean()
        rows.append(
            {
                "person": name,
                "course": kind,
                "target": target,
                "r": float(np.corrcoef(estimate[seen], truth[seen])[0, 1]),
                "r_of_elapsed_time": float(np.corrcoef(times[seen], truth[seen])[0, 1]),
                "error": float(np.abs(estimate - truth)[seen].mean()),
                "error_of_zero": float(np.abs(truth).mean()),
                "change": float(change),
                "true_change": float(true_change),
            }
        )
    return rows


def bootstrap(values: list[float]) -> str:
    """Mean over people with a 95 % interval by resampling people."""
    random = np.random.default_rng(0)
    draws = random.choice(values, size=(10_000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{np.mean(values):.2f} [{low:.2f}, {high:.2f}]"


def table_row(rows: list[dict[str, float | str]]) -> str:
    """One line of the table: the means over the people of these rows."""
    columns = [
        bootstrap([float(row[name]) for row in rows])
        for name in ("r", "r_of_elapsed_time", "error", "error_of_zero")
    ]
    right = sum(float(row["change"]) * float(row["true_change"]) > 0 for row in rows)
    first = [str(rows[0]["course"]), str(rows[0]["target"])]
    return f"| {' | '.join(first + columns)} | {right} of {len(rows)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "demo" / "checkpoint")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    predictor = load_checkpoint(arguments.checkpoint)
    rows: list[dict[str, float | str]] = []
    with TemporaryDirectory() as folder:
        for index in range(arguments.people):
            for kind in COURSES:
                rows += one_session(index, kind, predictor=predictor, folder=Path(folder))
    print("Simulated people. Mean over people [95 % interval over people].")
    print(
        "| course | target | r | r of elapsed time | error | error of a constant 0 | sign right |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind in COURSES:
        for target in ("valence", "arousal"):
            print(table_row([r for r in rows if (r["course"], r["target"]) == (kind, target)]))
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
