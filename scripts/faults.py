"""Every fault of docs/faults.md with the tests that bear its id, its reason, or "uncovered".

    .venv/bin/python scripts/faults.py        (make faults)

A test covers a fault whose id stands in its name: ``test_V05_variable_frame_rate``. The exit status
is 1 where a fault of gate P has neither a test nor a reason.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "faults.md"
_ROW = re.compile(r"\| ([VPFBWG]\d\d) \| ([PNR]) \| ([^|]+) \|([^|]*)\|")
_ID = re.compile(r"_([A-Z]\d\d)(?=_|$)")


@dataclass
class Fault:
    """One row of the table, and the tests that bear its id as "path::name"."""

    id: str
    gate: str
    name: str
    reason: str
    tests: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return not self.tests and not self.reason


def faults() -> list[Fault]:
    """The table's faults in its order, with their tests."""
    rows = (_ROW.match(line) for line in TABLE.read_text().splitlines())
    found = [Fault(*(cell.strip() for cell in row.groups())) for row in rows if row]
    known = {fault.id: fault for fault in found}
    for test in test_names():
        for fault_id in dict.fromkeys(_ID.findall(test.split("::")[1])):
            if fault_id in known:
                known[fault_id].tests.append(test)
    return found


def test_names() -> Iterator[str]:
    """ "path::name" of every test function under tests/."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(ROOT)}::{node.name}"


def main() -> int:
    found = faults()
    for fault in found:
        answer = f"no test: {fault.reason}" if fault.reason else "uncovered"
        sys.stdout.write(f"{fault.id} {fault.gate}  {fault.name}\n")
        sys.stdout.writelines(f"      {line}\n" for line in fault.tests or [answer])
    tested = sum(bool(fault.tests) for fault in found)
    still_open = [fault for fault in found if fault.is_open]
    owed = [fault.id for fault in still_open if fault.gate == "P"]
    reasons = len(found) - tested - len(still_open)
    sys.stdout.write(
        f"{len(found)} faults: {tested} with tests, {reasons} with a reason,"
        f" {len(still_open)} uncovered; of gate P: {' '.join(owed) or 'none'}\n"
    )
    return 1 if owed else 0


if __name__ == "__main__":
    sys.exit(main())
