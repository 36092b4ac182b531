"""Do the intervals of ``affectscope calibrate`` hold for simulated people whom nothing has seen?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/conformal_coverage.py PEOPLE demo/checkpoint

PEOPLE is what ``conformal_coverage_people.py`` wrote: sessions with a good quarter, one with a
noisy ECG, one with a blurred face and one with both. All windows are scored once, ``RATE`` per
second; then the people are split ``SPLITS`` times at random into half to calibrate on and half to
test on. Coverage is the mean over test people of each one's own share of windows whose truth lies
in the interval. Written to ``results/conformal_coverage.json``:

* by target and set of modalities: coverage, its range over splits, and the 95 % interval over
  people of the first split; width;
* by quarter: coverage and width, with the widths that follow quality and with constant ones;
* fusion: by modality what the calibrations chose, and the error of everybody with the shares
  weighed at each quality of ``GOOD``, by quarter, against those left whole, paired by person;
* temperature and risk-coverage.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectscope.evaluation.calibration import people_needed
from affectscope.evaluation.cluster_bootstrap import draw_people, interval
from affectscope.inference.calibration import RATINGS, Calibration, FusionRule, weighed
from affectscope.inference.predictor import Predictor, load_checkpoint
from affectscope.io.session import open_session
from affectscope.recipes.calibration import scored_rows
from affectscope.recipes.calibration_fit import (
    GOOD,
    ScoredRows,
    by_person,
    change,
    fit_calibration,
    sets_of,
)
from affectscope.records import MODALITIES, TARGETS, BoolArray, FloatArray, Modality
from conformal_coverage_people import QUARTER, SECONDS, quarters

RATE, SPLITS, COVERAGE = 2.0, 20, 0.9
COLUMNS = [TARGETS.index(name) for name in RATINGS]
KINDS = ("good", "ecg", "face", "both")
FUSED = ("face+ecg+eda", "ecg+eda")
"""Sets whose fusion is looked at: without the face, which carries most, the signals must do."""
RESULT = Path(__file__).parent / "results" / "conformal_coverage.json"


def scored(people: Path, predictor: Predictor) -> ScoredRows:
    """Every window of everybody; kept in PEOPLE, since it takes the longest."""
    kept = people / f"rows-{predictor.checkpoint_id}.npz"
    if not kept.exists():
        folders = sorted(people.glob("spoilt-*[0-9]"))
        sessions = [open_session(folder) for folder in folders]
        rows = scored_rows(predictor, sessions, rate=RATE, progress=lambda share: print(share))
        shares = {f"share_{name}": share for name, share in rows.shares.items()}
        facts = {"present": rows.present, "quality": rows.quality, "truth": rows.truth}
        np.savez(kept, person=rows.person, **facts, **shares)
    held = np.load(kept, allow_pickle=False)
    shares = {name: held[f"share_{name}"] for name in predictor.model.config.modalities}
    return ScoredRows(held["person"], shares, held["present"], held["quality"], held["truth"])


def kinds_of(person: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N,) the kind of quarter that each window lies in."""
    kinds = np.empty(len(person), dtype="U4")
    for name in np.unique(person):
        rows = np.flatnonzero(person == name)
        order, _ = quarters(int(name.rsplit("-", 1)[1]))
        at = (np.arange(len(rows)) / RATE // QUARTER).astype(int)
        kinds[rows] = np.array(order)[at]
    return kinds


def whole(rows: ScoredRows) -> ScoredRows:
    """Those of people of whom every moment was scored: of others the quarters are not known."""
    _, owner, count = np.unique(rows.person, return_inverse=True, return_counts=True)
    return taken(rows, count[owner] == SECONDS * RATE)


def taken(rows: ScoredRows, where: BoolArray) -> ScoredRows:
    """Some of the rows."""
    return ScoredRows(
        rows.person[where],
        {name: share[where] for name, share in rows.shares.items()},
        rows.present[where],
        rows.quality[where],
        rows.truth[where],
    )


def calibrated(predictor: Predictor, rows: ScoredRows) -> Calibration:
    """What ``affectscope calibrate`` would write for these rows."""
    fitted = fit_calibration(predictor, rows, coverage=COVERAGE)
    return Calibration(
        checkpoint_id=predictor.checkpoint_id,
        population="simulated people",
        coverage=COVERAGE,
        people_needed=people_needed(COVERAGE),
        modalities=predictor.model.config.modalities,
        people=tuple(np.unique(rows.person)),
        windows=len(rows.person),
        sessions={},
        intervals=fitted.intervals,
        fusion=fitted.fusion,
        temperature=fitted.temperature,
        risk=fitted.risk,
    )


def constant(learnt: Calibration, predictor: Predictor, rows: ScoredRows) -> Calibration:
    """The same with widths that know nothing of quality: as if all quality were full."""
    blind = replace(rows, quality=np.ones_like(rows.quality))
    return replace(learnt, intervals=calibrated(predictor, blind).intervals)


def outcome(
    predictor: Predictor, learnt: Calibration, rows: ScoredRows, name: str
) -> tuple[FloatArray, FloatArray]:
    """(N, 3) covered (1, 0, NaN) and width of the ratings, as if only ``name`` were there."""
    keep = [m in name.split("+") for m in MODALITIES]
    there = rows.present[:, keep].all(axis=1)
    present = rows.present & np.array(keep)
    shares = learnt.weighed(rows.shares, rows.quality)
    values = rows.estimates(predictor, shares, name)
    widths = learnt.half_widths(present, rows.quality)[:, COLUMNS]
    inside = (np.abs(values - rows.truth)[:, COLUMNS] <= widths).astype(float)
    inside[~there], widths[~there] = np.nan, np.nan
    return inside, widths


def over_people(values: FloatArray, person: np.ndarray[Any, Any]) -> dict[str, float]:
    """Mean over people and its 95 % interval."""
    own = by_person(values, person)
    low, high = interval(draw_people(len(own)).people @ own / len(own), len(own))
    return {"mean": float(own.mean()), "low": low, "high": high}


def split(person: np.ndarray[Any, Any], seed: int) -> BoolArray:
    """(N,) rows of the half of the people who calibrate."""
    names = np.unique(person)
    drawn = np.random.default_rng([7, seed]).permutation(names)[: len(names) // 2]
    return np.asarray(np.isin(person, drawn))


def coverage_of(
    predictor: Predictor, rows: ScoredRows, kinds: np.ndarray[Any, Any], seed: int
) -> dict[str, Any]:
    """One split: by set and target, and by quarter for everything that is there."""
    calibrating = split(rows.person, seed)
    taught, test, kind = taken(rows, calibrating), taken(rows, ~calibrating), kinds[~calibrating]
    learnt = calibrated(predictor, taught)
    blind = constant(learnt, predictor, taught)
    modalities = predictor.model.config.modalities
    sets = {}
    for name in sets_of(modalities):
        inside, widths = outcome(predictor, learnt, test, name)
        sets[name] = {
            target: {
                "coverage": over_people(inside[:, column], test.person),
                "half_width": over_people(widths[:, column], test.person)["mean"],
            }
            for column, target in enumerate(RATINGS)
        }
    whole = sets_of(modalities)[0]
    quarter = {
        way: {
            each: {
                target: {
                    "coverage": over_people(
                        inside[kind == each, column], test.person[kind == each]
                    ),
                    "half_width": over_people(
                        widths[kind == each, column], test.person[kind == each]
                    )["mean"],
                }
                for column, target in enumerate(RATINGS)
            }
            for each in KINDS
        }
        for way, (inside, widths) in {
            "by quality": outcome(predictor, learnt, test, whole),
            "constant": outcome(predictor, blind, test, whole),
        }.items()
    }
    return {
        "sets": sets,
        "quarters": quarter,
        "fusion": {name: rule.good for name, rule in learnt.fusion.items()},
        "temperature": learnt.temperature.value,
        "area": {t: [risk.area, risk.error[-1]] for t, risk in learnt.risk.items()},
    }


def summed_up(splits: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and ranges over splits."""

    def at(path: tuple[str, ...]) -> dict[str, float]:
        cells = []
        for each in splits:
            for key in path:
                each = each[key]
            cells.append(each)
        shares = [cell["coverage"]["mean"] for cell in cells]
        return {
            "coverage": float(np.mean(shares)),
            "lowest": float(np.min(shares)),
            "highest": float(np.max(shares)),
            "first_split": [cells[0]["coverage"]["low"], cells[0]["coverage"]["high"]],
            "half_width": float(np.mean([cell["half_width"] for cell in cells])),
        }

    first = splits[0]
    return {
        "sets": {n: {t: at(("sets", n, t)) for t in RATINGS} for n in first["sets"]},
        "quarters": {
            way: {kind: {t: at(("quarters", way, kind, t)) for t in RATINGS} for kind in KINDS}
            for way in first["quarters"]
        },
        "fusion": {n: [each["fusion"][n] for each in splits] for n in first["fusion"]},
        "temperature": [each["temperature"] for each in splits],
        "risk_area_and_error": {
            t: np.mean([each["area"][t] for each in splits], axis=0).tolist() for t in RATINGS
        },
    }


def fusion_effect(
    predictor: Predictor, rows: ScoredRows, kinds: np.ndarray[Any, Any], name_of_set: str
) -> dict[str, Any]:
    """By modality, ``good`` and quarter: how weighing its share changes the error, by person."""

    def error(shares: Mapping[Modality, Any]) -> FloatArray:
        values = rows.estimates(predictor, dict(shares), name_of_set)
        return np.asarray(np.abs(values - rows.truth)[:, COLUMNS].mean(axis=1))

    plain, found = error(rows.shares), {}
    for name in name_of_set.split("+"):
        there = rows.present[:, MODALITIES.index(name)]
        reference = tuple(rows.shares[name][there].mean(axis=0).tolist())
        found[name] = {}
        for good in GOOD:
            rule = FusionRule(good, reference, change(plain, plain, rows.person))
            share = weighed(rows.shares[name], rule, rows.quality[:, MODALITIES.index(name)])
            drawn = error({**rows.shares, name: share})
            found[name][str(good)] = {
                kind: vars(
                    change(plain[kinds == kind], drawn[kinds == kind], rows.person[kinds == kind])
                )
                for kind in KINDS
            }
    return found


def qualities(rows: ScoredRows, kinds: np.ndarray[Any, Any]) -> dict[str, dict[str, float]]:
    """Mean quality by quarter and modality, where it is there, and the share that is there."""
    found: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        found[kind] = {}
        for column, name in enumerate(MODALITIES):
            there = rows.present[:, column] & (kinds == kind)
            found[kind][name] = float(rows.quality[there, column].mean())
            found[kind][f"{name}_there"] = float(there.sum() / (kinds == kind).sum())
    return found


def print_tables(content: Mapping[str, Any]) -> None:
    """The tables of docs/calibration.md."""
    print(f"\n| modalities | {' | '.join(RATINGS)} |\n|---|---|---|---|")
    for name, of_each in content["sets"].items():
        print(f"| {name} | {' | '.join(_cell(of_each[t]) for t in RATINGS)} |")
    print(f"\n| quarter, width | {' | '.join(RATINGS)} |\n|---|---|---|---|")
    for kind in KINDS:
        for way, of_kind in content["quarters"].items():
            cells = " | ".join(_cell(of_kind[kind][t]) for t in RATINGS)
            print(f"| {kind}, {way} | {cells} |")
    print(f"\n| modalities | weighed | good | {' | '.join(KINDS)} |\n|---|---|---|---|---|---|---|")
    for name, of_set in content["fusion_effect"].items():
        for modality, of_good in of_set.items():
            for good, of_kind in list(of_good.items())[1::2]:
                cells = " | ".join(_moved(of_kind[kind]) for kind in KINDS)
                print(f"| {name} | {modality} | {good} | {cells} |")


def _cell(found: Mapping[str, Any]) -> str:
    share, lowest, highest = (100 * found[key] for key in ("coverage", "lowest", "highest"))
    return f"{share:.1f} % ({lowest:.1f} to {highest:.1f}), ±{found['half_width']:.2f}"


def _moved(found: Mapping[str, float]) -> str:
    by = found["after"] - found["before"]
    return f"{found['before']:.3f} {by:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of conformal intervals.")
    parser.add_argument("people", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--show", action="store_true", help="only print what was written")
    asked = parser.parse_args()
    if asked.show:
        print_tables(json.loads(asked.out.read_text()))
        return
    torch.set_num_threads(1)
    predictor = load_checkpoint(asked.checkpoint, calibrated=False)
    rows = whole(scored(asked.people, predictor))
    kinds = kinds_of(rows.person)
    splits = []
    for seed in range(SPLITS):
        splits.append(coverage_of(predictor, rows, kinds, seed))
        cell = splits[-1]["sets"][sets_of(predictor.model.config.modalities)[0]]
        print(seed, {t: round(cell[t]["coverage"]["mean"], 3) for t in RATINGS}, flush=True)
    content = {
        "checkpoint_id": predictor.checkpoint_id,
        "people": len(np.unique(rows.person)),
        "windows": len(rows.person),
        "asked_coverage": COVERAGE,
        "splits": SPLITS,
        "quality": qualities(rows, kinds),
        **summed_up(splits),
        "fusion_effect": {
            name: fusion_effect(predictor, rows, kinds, name)
            for name in sets_of(predictor.model.config.modalities)
            if name in FUSED
        },
    }
    asked.out.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Written: {asked.out}")
    print_tables(content)


if __name__ == "__main__":
    main()
