"""A study's statistics on simulated studies, and on real people whose answers do not follow.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/group_statistics.py [--studies 500]

Simulated studies of 5, 8, 12 and 25 patients with 1 or 3 sessions each. A session's change is the
effect + the patient's own part + the session's own part, both normal with a standard deviation of
1; the effect is 0 or 1. The change of a simulated questionnaire correlates with it by 0, or by 0.6
(Pearson) where there is an effect. Printed, in per cent of the studies:

- p < 0.05 of the permutation test, the signed-rank test, the mixed model's change and its change
  per session (which is 0 in every study): false alarms without effect, power with it;
- intervals that hold the truth: of the mean change, of g_av, of the rank correlation;
- studies in which the program says that the two changes went together.

Then Stress-Predict (../shared/data/stress_predict, MIT; Iqbal et al., Sensors 22:8135, 2022): each
person's change in mean heart rate and EDA from the first rest to the stress tasks, against the
change in STAI's total from before to after. The result is kept in
benchmarks/results/group_statistics.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectscope.datasets.stress_predict import read_stress_predict, stress_predict_people
from affectscope.evaluation.statistics import Estimate
from affectscope.io.channels import SignalSource
from affectscope.io.empatica import read_empatica
from affectscope.records import FloatArray
from affectscope.therapy.study.statistics import agreements, group_changes

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "stress_predict"
RESULT = Path(__file__).resolve().parent / "results" / "group_statistics.json"
PATIENTS, SESSIONS = (5, 8, 12, 25), (1, 3)
EFFECT, CORRELATION, LEVEL = 1.0, 0.6, 0.05
SESSION_SPREAD_BEFORE = 0.5
COLUMNS = ("patient", "session", "number", "measure", "unit", "kind", "before", "after")
SHOWN = {
    "permutation": "permutation",
    "wilcoxon": "Wilcoxon",
    "mixed_change": "mixed: change",
    "mixed_per_session": "mixed: per session",
    "covers_change": "holds change",
    "covers_g": "holds g_av",
    "covers_correlation": "holds rank corr.",
    "called_together": "said to go together",
}


def simulated_study(patients: int, sessions: int, *, planted: bool, seed: int) -> pd.DataFrame:
    """The long table of one study: valence, and a questionnaire."""
    random = np.random.default_rng([seed, patients, sessions, planted])
    correlation = CORRELATION if planted else 0.0
    parts = random.normal(size=(2, patients, 1)), random.normal(size=(2, patients, sessions))
    change = parts[0] + parts[1]
    answers = correlation * change[0] + math.sqrt(1 - correlation**2) * change[1]
    before = random.normal(size=(2, patients, 1))
    before = before + SESSION_SPREAD_BEFORE * random.normal(size=(2, patients, sessions))
    rows = []
    for patient in range(patients):
        for session in range(sessions):
            head = (f"P{patient:02}", f"P{patient:02}/{session}", session + 1)
            first, second = before[:, patient, session]
            moved = change[0, patient, session] + EFFECT * planted
            rows.append((*head, "valence", "-1 to 1", "affect", first, first + moved))
            told = second + answers[patient, session]
            rows.append((*head, "STAI-S", "points", "questionnaire", second, told))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def true_values(sessions: int, *, planted: bool) -> dict[str, float]:
    """What the intervals should hold."""
    change = EFFECT * planted
    before = math.sqrt(1 + SESSION_SPREAD_BEFORE**2 / sessions)
    after = math.sqrt(before**2 + 1 + 1 / sessions)
    correlation = CORRELATION if planted else 0.0
    return {
        "covers_change": change,
        "covers_g": change / ((before + after) / 2),
        # Spearman's in a normal population with Pearson's r (Pearson 1907).
        "covers_correlation": 6 / math.pi * math.asin(correlation / 2),
    }


def one_study(patients: int, sessions: int, *, planted: bool, seed: int) -> dict[str, bool]:
    table = simulated_study(patients, sessions, planted=planted, seed=seed)
    (change,) = group_changes(table[table["measure"] == "valence"], seed=seed)
    (agreement,) = agreements(table, seed=seed)
    assert change.p_permutation is not None
    assert change.p_wilcoxon is not None
    found = {
        "permutation": change.p_permutation < LEVEL,
        "wilcoxon": change.p_wilcoxon < LEVEL,
        "called_together": agreement.sentence.startswith("Changes in"),
    }
    if change.mixed is not None:
        assert change.mixed.p_change is not None
        assert change.mixed.p_per_session is not None
        found["mixed_change"] = change.mixed.p_change < LEVEL
        found["mixed_per_session"] = change.mixed.p_per_session < LEVEL
    intervals = (change.change, change.hedges_g_av, agreement.rank_correlation)
    truths = true_values(sessions, planted=planted)
    for (name, truth), interval in zip(truths.items(), intervals, strict=True):
        found[name] = holds(interval, truth)
    return found


def holds(interval: Estimate | None, truth: float) -> bool:
    assert interval is not None
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def simulated(studies: int) -> list[dict[str, Any]]:
    """A row for each kind of study: the share of studies in which each thing is so."""
    rows = []
    for planted in (False, True):
        for patients in PATIENTS:
            for sessions in SESSIONS:
                counts: dict[str, list[bool]] = defaultdict(list)
                for seed in range(studies):
                    found = one_study(patients, sessions, planted=planted, seed=seed)
                    for name, so in found.items():
                        counts[name].append(so)
                shares = {name: float(np.mean(so)) for name, so in counts.items()}
                head = {"effect": EFFECT * planted, "patients": patients, "sessions": sessions}
                rows.append({**head, **shares})
                print(line(rows[-1]), flush=True)
    return rows


def heading() -> str:
    names = ["effect", "patients", "sessions", *SHOWN.values()]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def line(row: dict[str, Any]) -> str:
    shares = [f"{100 * row[name]:.1f}" if name in row else "–" for name in SHOWN]
    return f"| {row['effect']:g} | {row['patients']} | {row['sessions']} | {' | '.join(shares)} |"


def stai_totals(folder: Path) -> dict[tuple[str, str], float]:
    """(person, "before" or "after") -> the file's own total."""
    with (folder / "questionnaires.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["subject"], row["time"]): float(row["score"])
            for row in csv.DictReader(file)
            if row["questionnaire"] == "STAI" and row["item"] == "Total"
        }


def stress_predict_table(folder: Path = DATA) -> pd.DataFrame:
    """The long table of the 24 people with labels: heart rate, EDA level, STAI's total."""
    totals = stai_totals(folder)
    rows = []
    for person in stress_predict_people(folder):
        read = read_stress_predict(folder, person)
        if not read.phases:
            continue
        head = (person, person, 1)
        heart = read_empatica(folder / person / "HR.csv", SignalSource(1))
        assert heart.unix_start is not None
        # The axis of a person begins with the EDA, whose first row is its start.
        with (folder / person / "EDA.csv").open(encoding="utf-8") as file:
            late = heart.unix_start - float(file.readline())
        rest = [next((phase.start, phase.end) for phase in read.phases if not phase.stress)]
        tasks = [(phase.start, phase.end) for phase in read.phases if phase.stress]
        for name, unit, values, rate, start in (
            ("heart rate", "bpm", heart.values, heart.sampling_rate, late),
            ("EDA level", "µS", read.eda.values, read.eda.sampling_rate, 0.0),
        ):
            means = [mean_within(values, rate, start, spans) for spans in (rest, tasks)]
            rows.append((*head, name, unit, "physiology", *means))
        answers = (totals[person, "before"], totals[person, "after"])
        rows.append((*head, "STAI total", "points", "questionnaire", *answers))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def mean_within(
    values: FloatArray, rate: float, start: float, spans: list[tuple[float, float]]
) -> float:
    """Mean over the samples that lie in one of the spans, seconds."""
    times = start + np.arange(len(values)) / rate
    inside = np.any([(times >= first) & (times < last) for first, last in spans], axis=0)
    return float(np.nanmean(values[inside]))


def real_people() -> dict[str, Any]:
    table = stress_predict_table()
    found, changes = agreements(table), group_changes(table)
    print("\nStress-Predict: change from the first rest to the stress tasks, STAI before and after")
    for change in changes:
        mean = change.change
        assert mean is not None
        print(
            f"- {change.measure}: {mean.mean:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}] "
            f"{change.unit}, {change.patients} people, permutation p = {change.p_permutation:.2g}"
        )
    for one in found:
        print(f"- {one.first} and {one.second}: {one.sentence}")
    return {
        "changes": {one.measure: vars(one.change) for one in changes},
        "agreement": {f"{one.first} and {one.second}": one.sentence for one in found},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=500, help="simulated, of each kind")
    studies = parser.parse_args().studies
    begun = time.process_time()
    print(heading())
    kept: dict[str, Any] = {"studies": studies, "simulated": simulated(studies)}
    if DATA.is_dir():
        kept["stress_predict"] = real_people()
    print(
        f"\n{studies} studies of each kind, {time.process_time() - begun:.0f} s of processor time"
    )
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
