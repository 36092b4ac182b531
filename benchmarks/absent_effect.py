"""Whether systems find an effect that is not there, on twins with permuted labels.

    .venv/bin/python benchmarks/absent_effect.py RESULTS [RESULTS ...]

RESULTS are the folders of ``affectscope reproduce fg2020.table5`` on twins that were written with
``--permuted`` and different seeds; their simulated people are counted together. For each system and
target: balanced accuracy per trial with its 95 % interval over people, and the interval that holds
for all of the table at once (Bonferroni: Student's t at 1 - 0.025 / cells on the draws' spread).
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom, t

from affectscope.baselines.compared_systems import COMPARED_SYSTEMS
from affectscope.evaluation.cluster_bootstrap import (
    draw_people,
    estimates,
    interval,
    rated_people,
    resampled,
)
from affectscope.evaluation.metrics import person_sums
from affectscope.evaluation.scores import read_panel

METRIC = "balanced_accuracy"
CHANCE = 0.5
RESULTS = Path(__file__).parent / "results" / "absent_effect.json"


def joined(folders: list[Path]) -> pd.DataFrame:
    """All twins' predictions; people of different twins are different people."""
    tables = []
    for number, folder in enumerate(folders):
        table = pd.read_parquet(folder / "table5-predictions.parquet")
        tables.append(table.assign(subject=f"{number}/" + table["subject"].astype(str),
                                   fold=f"{number}/" + table["fold"].astype(str)))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def cells(predictions: pd.DataFrame) -> pd.DataFrame:
    """A row per system and target, with the 95 % interval and the spread of the draws."""
    panel = read_panel(predictions[predictions["model"].isin(COMPARED_SYSTEMS)], "trial")
    drawn = draw_people(len(panel.people))
    rows = []
    for model in panel.models:
        for target in panel.targets:
            sums = [person_sums(run.items) for run in panel.of(model, target)]
            people = rated_people(sums)
            spread = resampled(sums, drawn, [METRIC])[METRIC]
            low, high = interval(spread, people)
            rows.append({
                "model": model, "target": target, "people": people,
                "value": estimates(sums, [METRIC])[METRIC], "low": low, "high": high,
                "error": float(spread.std() * math.sqrt(people / (people - 1))),
            })  # fmt: skip
    table = pd.DataFrame(rows)
    degrees = table["people"] - 1
    half = t.ppf(1 - 0.025 / len(table), degrees) * table["error"]
    return table.assign(lowest=table["value"] - half, highest=table["value"] + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    table = cells(joined(parser.parse_args().results))
    single = (table["low"] <= CHANCE) & (table["high"] >= CHANCE)
    together = (table["lowest"] <= CHANCE + 1e-9) & (table["highest"] >= CHANCE - 1e-9)
    targets = table["target"].unique()
    print("SIMULATED people, permuted labels: balanced accuracy per trial, 95 % interval")
    print("| system | " + " | ".join(targets) + " |\n|---|" + "---|" * len(targets))
    for model in table["model"].unique():
        own = table[table["model"] == model].set_index("target").loc[targets]
        texts = [f"{r.value:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in own.itertuples()]
        print(f"| {model} | " + " | ".join(texts) + " |")
    fewest = int(binom.ppf(0.025, len(table), 0.95))
    print(f"\n{single.sum()} of {len(table)} single intervals hold one half"
          f" (at 95 % each, {fewest} or more are expected).")  # fmt: skip
    print(f"{together.sum()} of {len(table)} hold it for the whole table at once.")
    print(f"Mean over all: {table['value'].mean():.3f}.")
    for row in table[~single].itertuples():
        print(f"  {row.model}, {row.target}: {row.value:.3f} [{row.low:.3f}, {row.high:.3f}],"
              f" for the whole table [{row.lowest:.3f}, {row.highest:.3f}]")  # fmt: skip
    RESULTS.write_text(json.dumps(json.loads(table.round(4).to_json(orient="records")), indent=1))


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
