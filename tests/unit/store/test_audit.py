"""The audit trail: its order, and that what is done to it from outside is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from affectscope.store.audit import row_hash
from affectscope.store.audit_check import check
from affectscope.store.database import Store
from affectscope.store.tables import AuditRow

Opened = Callable[..., Store]

ROWS = 6


def do(store: Store, count: int = 1) -> None:
    for _ in range(count):
        with store.writing(None) as change:
            change.audit("project.added", "project", uuid4().hex, {"purpose": "therapy"})


def attack(tmp_path: Path, *commands: str) -> None:
    """By somebody with the database's file and nothing else."""
    connection = sqlite3.connect(tmp_path / "data" / "affectscope.sqlite")
    with connection:
        for command in commands:
            connection.execute(command)
    connection.close()


def write_anew(tmp_path: Path, first: int, last: int = ROWS) -> None:
    """The hashes of some rows, so that each fits its row and the one before."""
    connection = sqlite3.connect(tmp_path / "data" / "affectscope.sqlite")
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM audit ORDER BY sequence")]
    for place, row in enumerate(rows):
        if first <= row["sequence"] <= last:
            row["previous"] = rows[place - 1]["hash"] if place else "0" * 64
            row["hash"] = row_hash(AuditRow(**{**row, "at": _time(row["at"])}))
            with connection:
                connection.execute(
                    "UPDATE audit SET previous = :previous, hash = :hash"
                    " WHERE sequence = :sequence",
                    row,
                )
    connection.close()


def _time(kept: str) -> Any:
    return datetime.fromisoformat(kept).replace(tzinfo=UTC)


@pytest.fixture
def store(opened: Opened) -> Store:
    made = opened()
    do(made, ROWS)
    return made


def test_W22_the_number_is_the_order_whatever_the_clock_says(opened: Opened, clock: Any) -> None:
    store = opened()
    do(store)
    clock.turn(days=-30)
    do(store)
    store.close()
    clock.turn(days=-30)
    store = opened()
    do(store)
    with store.reading() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.sequence)).all()
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert rows[0].at > rows[1].at > rows[2].at
    assert check(store).first_bad is None


def test_W23_a_trail_that_nobody_touched_is_whole_also_after_a_restart(
    opened: Opened, store: Store
) -> None:
    state = check(store)
    assert (state.rows, state.first_bad, state.head_ok) == (ROWS, None, True)
    assert state.sentence == f"The audit trail is whole: {ROWS} rows."
    store.close()
    assert check(opened()) == state


@pytest.mark.parametrize(
    ("commands", "first_bad"),
    [
        (["UPDATE audit SET action = 'project.read' WHERE sequence = 3"], 3),
        (["UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE sequence = 1"], 1),
        (["UPDATE audit SET actor_id = 'somebody' WHERE sequence = 6"], 6),
        (["DELETE FROM audit WHERE sequence = 4"], 4),
        (["DELETE FROM audit WHERE sequence = 1"], 1),
        (["DELETE FROM audit WHERE sequence = 4",
          "UPDATE audit SET sequence = sequence - 1 WHERE sequence > 4"], 4),
        (["UPDATE audit SET sequence = 99 WHERE sequence = 2",
          "UPDATE audit SET sequence = 2 WHERE sequence = 3",
          "UPDATE audit SET sequence = 3 WHERE sequence = 99"], 2),
        (["DELETE FROM audit WHERE sequence = 6"], 6),
        (["DELETE FROM audit WHERE sequence > 2"], 3),
        (["DELETE FROM audit"], 1),
    ],
    ids=["edited", "time", "last", "removed", "first", "closed up", "swapped", "cut", "cut more",
         "emptied"],
)  # fmt: skip
def test_W23_the_first_row_that_is_not_as_it_was_is_named(
    tmp_path: Path, opened: Opened, store: Store, commands: list[str], first_bad: int
) -> None:
    attack(tmp_path, *commands)
    state = check(store)
    assert (state.first_bad, state.head_ok) == (first_bad, False)
    assert f"row {first_bad} is" in state.sentence
    store.close()
    again = check(opened())
    assert (again.first_bad, again.head_ok) == (first_bad, False)


def test_W23_who_writes_the_whole_chain_anew_is_found_by_the_signed_head(
    tmp_path: Path, store: Store
) -> None:
    attack(tmp_path, "UPDATE audit SET action = 'project.read' WHERE sequence = 3")
    assert check(store).first_bad == 3
    write_anew(tmp_path, first=3)
    state = check(store)
    assert (state.first_bad, state.head_ok) == (ROWS, False)
    assert "signed" in state.sentence


def test_W23_a_row_with_a_hash_of_its_own_does_not_fit_the_next(
    tmp_path: Path, store: Store
) -> None:
    attack(tmp_path, "UPDATE audit SET action = 'project.read' WHERE sequence = 3")
    write_anew(tmp_path, first=3, last=3)
    assert check(store).first_bad == 4


def test_W23_a_gap_in_the_numbers_is_named_though_the_hashes_fit(
    tmp_path: Path, store: Store
) -> None:
    attack(tmp_path, "DELETE FROM audit WHERE sequence = 4")
    write_anew(tmp_path, first=5)
    assert check(store).first_bad == 4


def test_W23_an_altered_trail_is_not_signed_again_by_what_comes_after(
    tmp_path: Path, opened: Opened, store: Store
) -> None:
    attack(tmp_path, "DELETE FROM audit WHERE sequence > 4")
    do(store, 3)  # while the server runs
    assert not check(store).head_ok
    store.close()
    store = opened()
    do(store, 3)
    store.close()
    state = check(opened())
    assert (state.first_bad, state.head_ok) == (ROWS, False)


def head_file(tmp_path: Path) -> Path:
    return next((tmp_path / "keys").glob("*.head.json"))


def test_W23_a_head_without_the_key_cannot_be_signed(
    tmp_path: Path, opened: Opened, store: Store
) -> None:
    attack(tmp_path, "DELETE FROM audit WHERE sequence > 4")
    with store.reading() as session:
        last = session.scalars(select(AuditRow).order_by(AuditRow.sequence.desc())).first()
    assert last is not None
    forged = {**json.loads(head_file(tmp_path).read_text()), "sequence": 4, "hash": last.hash}
    head_file(tmp_path).write_text(json.dumps(forged))
    store.close()
    state = check(opened())
    assert (state.first_bad, state.head_ok) == (None, False)
    assert "signature" in state.sentence


@pytest.mark.parametrize("lost", ["*.key", "*.head.json"])
def test_W23_a_key_or_head_that_is_missing_is_told_and_not_made_anew(
    tmp_path: Path, opened: Opened, store: Store, lost: str
) -> None:
    store.close()
    gone = next((tmp_path / "keys").glob(lost))
    kept = gone.read_bytes()
    gone.unlink()
    store = opened()
    do(store)
    state = check(store)
    assert (state.rows, state.first_bad, state.head_ok) == (ROWS + 1, None, False)
    assert "missing" in state.sentence
    assert not gone.exists()
    store.close()
    gone.write_bytes(kept)  # from a copy of the folder
    assert check(opened()).head_ok


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"sequence": 1}', b"\xff", b"null"])
def test_W23_a_damaged_head_is_told(
    tmp_path: Path, opened: Opened, store: Store, damage: bytes
) -> None:
    store.close()
    head_file(tmp_path).write_bytes(damage)
    state = check(opened())
    assert (state.rows, state.head_ok) == (ROWS, False)
    assert "head" in state.sentence


def test_W23_rows_of_a_change_after_which_the_server_was_killed_are_signed_and_told(
    tmp_path: Path, opened: Opened, store: Store
) -> None:
    before = head_file(tmp_path).read_bytes()
    do(store, 2)
    store.close()
    head_file(tmp_path).write_bytes(before)  # as killed between the database and the head
    store = opened()
    state = check(store)
    assert (state.rows, state.first_bad, state.head_ok) == (ROWS + 3, None, True)
    assert f"Rows {ROWS + 1} to {ROWS + 2} were signed at the next start only" in state.sentence
    store.close()
    assert check(opened()) == state


def test_the_key_is_for_its_owner_alone_and_stays_the_same(tmp_path: Path, opened: Opened) -> None:
    store = opened()
    key = next((tmp_path / "keys").glob("*.key"))
    kept = key.read_bytes()
    assert len(kept) == 32
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    do(store)
    store.close()
    opened()
    assert key.read_bytes() == kept


def test_a_change_that_is_not_kept_moves_no_head(tmp_path: Path, store: Store) -> None:
    before = head_file(tmp_path).read_bytes()

    def fail() -> None:
        with store.writing(None) as change:
            change.audit("project.added", "project", "p2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert head_file(tmp_path).read_bytes() == before
    assert check(store).rows == ROWS
