"""Speed, in one command: prints tables and keeps everything in benchmarks/results/speed.json.

    .venv/bin/python benchmarks/speed.py                  every part, one after the other
    .venv/bin/python benchmarks/speed.py --only stages    some parts; the others' figures stay
    .venv/bin/python benchmarks/speed.py --list           the parts' names
    .venv/bin/python benchmarks/speed.py --quick          all parts, small; nothing is kept
    .venv/bin/python benchmarks/speed.py --markdown       what is kept, as tables in docs/speed.md

Needs ``make demo``. A part takes less than ten minutes on two quiet cores, but for what is made
once: the sessions and the trained checkpoint (minutes). A part is kept as soon as it
ends, with the machine's load when it began. Every ratio is taken within one part.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from affectscope.io.files import write_text
from measured_command import ROOT
from speed_assess import ASSESS_RUNS, AssessRun, assess_figures
from speed_checkpoint import checkpoint
from speed_machine import machine, start_figures
from speed_others import OTHERS
from speed_pipeline import pipeline_figures
from speed_sessions import SpeedSession
from speed_stages import encoder_figures, stage_figures
from speed_tables import tables

RESULT = ROOT / "benchmarks" / "results" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
QUICK_MINUTES = 0.2
Part = Callable[[], Any]


def parts(quick: bool) -> dict[str, Part]:
    """Every part by its name."""
    session = SpeedSession(QUICK_MINUTES if quick else 10.0)
    minute = SpeedSession(QUICK_MINUTES if quick else 1.0)
    # Checkpoint and sessions are made when a part needs them, not when it is only named.
    found: dict[str, Part] = {
        "start": partial(start_figures, 1 if quick else 9),
        "stages": lambda: stage_figures(checkpoint(quick), session, 30 if quick else 200),
        "encoders": lambda: encoder_figures(checkpoint(quick), 1.0 if quick else 20.0),
        "pipeline": lambda: pipeline_figures(checkpoint(quick), minute.folder),
    }
    found |= {name: partial(_assess, run, quick) for name, run in ASSESS_RUNS.items()}
    return found | {name: partial(other.figures, quick=quick) for name, other in OTHERS.items()}


def _assess(run: AssessRun, quick: bool) -> Any:
    if quick:
        return assess_figures(run.shortened(QUICK_MINUTES), checkpoint(quick), plain_seconds=0.4)
    return assess_figures(run, checkpoint(quick))


def measure(names: list[str], quick: bool) -> dict[str, Any]:
    """Carry out parts and keep each; what all parts gave, the kept ones included."""
    known: dict[str, Any] = {} if quick else kept()
    every = parts(quick)
    for name in names:
        print(f"{name} ...", flush=True)
        facts = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "load": round(os.getloadavg()[0], 2),
        }
        began = time.monotonic()
        figures = _tried(every[name])
        facts["took"] = round(time.monotonic() - began)
        known = _ordered({**known, "machine": machine(), name: {**facts, "figures": figures}})
        if not quick:
            write_text(RESULT, json.dumps(known, indent=1) + "\n")
        print(f"{name}: {facts['took']} s{_failure(figures)}", flush=True)
    return known


def _tried(part: Part) -> Any:
    """A part that fails says so in its place and does not take the others with it."""
    try:
        return part()
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def _failure(figures: Any) -> str:
    return f", FAILED: {figures['failed']}" if "failed" in figures else ""


def _ordered(found: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of the parts, whenever they were measured."""
    order = ["machine", *parts(quick=False)]
    return {name: found[name] for name in order if name in found}


def kept() -> dict[str, Any]:
    """What was measured before."""
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    return found


def main() -> None:
    names = list(parts(quick=False))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", default=names)
    parser.add_argument("--quick", action="store_true")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--list", action="store_true")
    task.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(names))
        return
    if asked.markdown:
        write_text(PAGE, page())
        print(f"Written: {PAGE.relative_to(ROOT)}")
        return
    print(tables(measure(asked.only, asked.quick), []))


def page() -> str:
    """docs/speed.md with the tables of what is kept."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    figures = tables(kept(), _long_sessions())
    return f"{before}{_BEGIN}\n\n{figures}\n\n{_END}{after}"


def _long_sessions() -> list[dict[str, Any]]:
    """What benchmarks/long_session.py kept."""
    path = RESULT.with_name("long_session.json")
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return rows


if __name__ == "__main__":
    main()
