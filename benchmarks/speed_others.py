"""Benchmarks that stand on their own and whose main figures belong in the table of speed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measured_command import ROOT


@dataclass(frozen=True)
class OtherBenchmark:
    """A script that keeps its result in results/, under its own name.

    Attributes:
        quick: its options for a small run.
        threads: of numeric libraries, where the script says so; None: as many as they take.
    """

    script: str
    quick: tuple[str, ...] = ()
    threads: int | None = None

    def figures(self, *, quick: bool) -> Any:
        """Run it; what it kept. A quick run is one of a copy elsewhere, so that nothing is kept."""
        with tempfile.TemporaryDirectory() as folder:
            place = (Path(folder) if quick else ROOT) / "benchmarks"
            (place / "results").mkdir(parents=True, exist_ok=True)
            if quick:
                shutil.copyfile(ROOT / "benchmarks" / self.script, place / self.script)
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}
            if self.threads is not None:
                environment["OMP_NUM_THREADS"] = str(self.threads)
            command = [sys.executable, str(place / self.script), *(self.quick if quick else ())]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            kept = place / "results" / Path(self.script).with_suffix(".json").name
            return json.loads(kept.read_text())


OTHERS = {
    "dense encoders": OtherBenchmark("dense_encoders.py", ("--minutes", "0.2")),
    "training": OtherBenchmark("training_throughput.py", ("--seconds", "1")),
    "features beside NeuroKit2": OtherBenchmark(
        "feature_extraction.py", ("--minutes", "2"), threads=1
    ),
}
