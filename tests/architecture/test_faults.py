"""Every fault of gate P has a test that bears its id, or a reason in docs/faults.md."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "faults.py"


def test_no_fault_of_gate_p_is_uncovered() -> None:
    found = runpy.run_path(str(SCRIPT))["faults"]()
    assert [fault.id for fault in found if fault.is_open and fault.gate == "P"] == []


def test_the_table_is_whole_and_a_reason_stands_only_where_no_test_does() -> None:
    found = runpy.run_path(str(SCRIPT))["faults"]()
    counts = {"V": 30, "P": 34, "F": 28, "B": 10, "W": 34, "G": 12}
    whole = [f"{kind}{n:02d}" for kind in counts for n in range(1, counts[kind] + 1)]
    assert [fault.id for fault in found] == whole
    assert [fault.id for fault in found if fault.tests and fault.reason] == []
