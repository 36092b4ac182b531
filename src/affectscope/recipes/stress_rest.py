"""The stress model that ships: trained on Stress-Predict, with its contract.

Deterministic: the same files give the same weights on the same machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from affectscope.datasets.stress_predict import stress_predict_people
from affectscope.inference.stress_features import FEATURES, SPAN, STEP
from affectscope.inference.stress_model import (
    BASELINE,
    EDGES,
    INPUTS,
    LEAST_SESSION,
    REFERENCES,
    model_tensors,
)
from affectscope.io.files import sha256
from affectscope.models.shipped import DataSource, ModelContract, ResultTable, save_model
from affectscope.recipes.stress_rest_fit import COVERAGE, FARTHEST, RIDGE, trained
from affectscope.recipes.stress_rest_results import (
    all_scored,
    columns,
    refuse_drift,
    result_tables,
)
from affectscope.recipes.stress_rest_rows import (
    FOLDER,
    REACHES,
    StressRows,
    labelled_spans,
    stress_rows,
)

NAME = "stress-rest"
INTERVAL = (
    "Of people like those of the training, 90 % have their own observed rate of stress, where this "
    "likelihood was said, within the interval (split by participant)."
)
_CITATION = (
    "Iqbal, Simpkin, Roshan, Glynn, Killilea, Walsh, Molloy, Ganly, Ryman, Coen, Elahi, Wijns, "
    'Shahzad: "Stress monitoring using wearable sensors: a pilot study and Stress-Predict '
    'dataset", Sensors 22:8135 (2022)'
)


def train_stress_rest(data: Path, out: Path, progress: Callable[[float, str], None]) -> str:
    """Train and write the model.

    Args:
        data: the folder that holds stress_predict.
        out: the folder to write.
        progress: called with the share that is done and what is done now.

    Returns:
        The model's id.

    Raises:
        InputError: E_CORPUS, E_FILE_... where the recordings are not there or not whole.
        LeakError: E_LEAK_DURATION where a feature carries elapsed time.
        OutputError: E_OUTPUT where the folder cannot be written.
    """
    people = labelled_spans(data, lambda share, what: progress(0.3 * share, what))
    rows = stress_rows(people)
    refuse_drift(rows)
    progress(0.3, "leaving each person out")
    results = all_scored(rows)
    progress(0.7, "measuring")
    tables = result_tables(people, rows, results)
    progress(0.95, "fitting everybody")
    models = {
        (reference, inputs): trained(
            columns(rows, reference, inputs),
            rows.stress,
            rows.person,
            results[reference, inputs],
        )
        for reference in REFERENCES
        for inputs in INPUTS
    }
    contract = _contract(data / FOLDER, rows, tables)
    return save_model(out, model_tensors(models), contract)


def _contract(folder: Path, rows: StressRows, tables: tuple[ResultTable, ...]) -> ModelContract:
    return ModelContract(
        name=NAME,
        kind="stress likelihood",
        summary="How likely acute laboratory stress is rather than rest, from heart rate and EDA.",
        population="people",
        sources=(_source(folder, rows),),
        configuration={
            "span": SPAN,
            "step": STEP,
            "baseline": BASELINE,
            "least_session": LEAST_SESSION,
            "edges": EDGES.tolist(),
            "features": {name: list(names) for name, names in FEATURES.items()},
            "interval": INTERVAL,
        },
        training={
            "contexts_tried": {name: list(reach) for name, reach in REACHES.items()},
            "ridge": RIDGE,
            "coverage": COVERAGE,
            "farthest": FARTHEST,
            "rows": len(rows.stress),
            "rows_without_heart_or_skin": rows.dropped,
            "weights": "people alike, and within them stress and rest",
            "calibration": "Platt, on people whom the fit had not seen, people alike",
        },
        results=tables,
        limits=_limits(tables[0]),
        licence="Apache-2.0",
    )


def _source(folder: Path, rows: StressRows) -> DataSource:
    """Everybody's files that were read; people without labels were read and taught nothing."""
    files = ["labels.csv"] + [
        f"{name}/{kind}.csv"
        for name in stress_predict_people(folder)
        for kind in ("EDA", "HR", "IBI")
    ]
    return DataSource(
        name=FOLDER,
        citation=_CITATION,
        licence="MIT",
        people=tuple(f"{FOLDER}/{name}" for name in rows.people),
        hashes={name: sha256(folder / name) for name in files},
    )


def _limits(systems: ResultTable) -> tuple[str, ...]:
    time = next(row[1] for row in systems.rows if row[0].startswith("elapsed"))
    return (
        "It learnt from a wrist device; an ECG and EDA of other sensors give the same features, "
        "but how well it does with them was not measured.",
        "Acute stress tasks in a laboratory against sitting still: speaking and moving come with "
        "the tasks, and it cannot tell them from stress.",
        "24 healthy adults of one study; how it does with an illness, a medicine for the heart, or "
        "an irregular heartbeat is not known.",
        f"The tasks came in one order for everybody: elapsed time alone does better ({time}). No "
        "feature is a time or a count; the tables show what is left without a trend.",
        "A likelihood of acute stress is never arousal or valence, and says nothing about how "
        "somebody feels.",
        "With the first minutes, what came between them and a span is compared with as well; "
        "beside the first five minutes alone it does worse (see the table).",
        "Compared with the whole session, the likelihood is relative: a session without stress "
        "still has its own highest minutes.",
        "How often stress is at all was 35 % of the spans there; elsewhere the likelihood is off "
        "by what is different.",
        "Not a medical device; not a diagnosis.",
    )
