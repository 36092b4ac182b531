"""Whether systems find an effect that is not there, on twins with permuted labels.

    .venv/bin/python benchmarks/absent_effect.py RESULTS [RESULTS ...]

RESULTS are the folders of ``affectscope reproduce fg2020.table5`` on twins that were written with
``--permuted`` and different seeds. For each system and target: balanced accuracy per trial, the
mean over the twins. Twins are not pooled: the more frequent class differs between them, and a
system that always calls its own twin's would look as if it knew something. Intervals: Student's t
over people (degrees of freedom: people less twins) on the spread of each twin's draws, once at 95 %
and once for the whole table (Bonferroni).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom, t

from affectscope.baselines.compared_systems import COMPARED_SYSTEMS
from affectscope.evaluation.cluster_bootstrap import (
    draw_people,
    estimates,
    rated_people,
    resampled,
)
from affectscope.evaluation.metrics import person_sums
from affectscope.evaluation.scores import read_panel

METRIC = "balanced_accuracy"
CHANCE = 0.5
RESULTS = Path(__file__).parent / "results" / "absent_effect.json"


def cells(folders: list[Path]) -> pd.DataFrame:
    """A row per system and target: value, interval, and the interval for the whole table."""
    rows = []
    for seed, folder in enumerate(folders):
        table = pd.read_parquet(folder / "table5-predictions.parquet")
        panel = read_panel(table[table["model"].isin(COMPARED_SYSTEMS)], "trial")
        drawn = draw_people(len(panel.people), seed=seed)
        for model in panel.models:
            for target in panel.targets:
                sums = [person_sums(run.items) for run in panel.of(model, target)]
                people = rated_people(sums)
                spread = resampled(sums, drawn, [METRIC])[METRIC]
                rows.append({"model": model, "target": target, "degrees": people - 1,
                             "value": estimates(sums, [METRIC])[METRIC],
                             "variance": spread.var() * people / (people - 1)})  # fmt: skip
    grouped = pd.DataFrame(rows).groupby(["model", "target"], sort=False)
    found = grouped.agg(value=("value", "mean"), variance=("variance", "sum"),
                        degrees=("degrees", "sum")).reset_index()  # fmt: skip
    error = np.sqrt(found["variance"]) / len(folders)
    for low, high, tail in (("low", "high", 0.025), ("lowest", "highest", 0.025 / len(found))):
        half = t.ppf(1 - tail, found["degrees"]) * error
        found[low], found[high] = found["value"] - half, found["value"] + half
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    table = cells(parser.parse_args().results)
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
