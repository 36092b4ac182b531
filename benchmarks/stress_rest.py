"""The stress model that ships, leaving one person out: beside chance, the time, and plain features.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/stress_rest.py

Stress-Predict (../shared/data/stress_predict, MIT; Iqbal et al., Sensors 22:8135, 2022): trains the
model anew into a folder of its own and prints the tables of its contract, which are those that
docs/stress.md and ``affectscope models show stress-rest`` show. The result is kept in
benchmarks/results/stress_rest.json.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from affectscope.models.shipped import ResultTable, open_model
from affectscope.recipes.stress_rest import train_stress_rest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULT = Path(__file__).resolve().parent / "results" / "stress_rest.json"


def printed(table: ResultTable) -> str:
    """As Markdown."""
    lines = [table.title, "", *(f"| {' | '.join(row)} |" for row in (table.columns, *table.rows))]
    lines.insert(3, "|" + "---|" * len(table.columns))
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model_id = train_stress_rest(DATA, Path(folder), lambda share, what: None)
        tables = open_model(Path(folder)).contract.results
    print(f"model {model_id}\n")
    for table in tables:
        print(printed(table) + "\n")
    RESULT.parent.mkdir(exist_ok=True)
    held = {"model_id": model_id, "tables": [asdict(table) for table in tables]}
    RESULT.write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()
