"""A process that is killed while it writes: what it acknowledged is there (W02)."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from affectscope.errors import AffectScopeError
from affectscope.store.audit_check import check
from affectscope.store.opening import open_store
from affectscope.store.tables import Project, new_id

WRITER = """
import sys
from pathlib import Path
from affectscope.store.opening import open_store
from affectscope.store.tables import Project
store = open_store(Path(sys.argv[1]), Path(sys.argv[2]))
print("open", flush=True)
while True:
    with store.writing(None) as change:
        project = Project(name="x" * 500, purpose="research", created_at=change.at)
        change.session.add(project)
        change.session.flush()
        change.audit("project.added", "project", project.id)
    print(project.id, flush=True)
"""


def test_W02_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    data, keys = tmp_path / "data", tmp_path / "keys"
    for wanted in (30, 68):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, data, keys], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(AffectScopeError, match="E_RUN_LOCKED"):
            open_store(data, keys)
        acknowledged |= {writer.stdout.readline().strip() for _ in range(wanted)}
        writer.kill()
        rest, _ = writer.communicate()
        acknowledged |= {line.strip() for line in rest.splitlines(keepends=True) if "\n" in line}
    store = open_store(data, keys)
    with store.reading() as session:
        kept = set(session.scalars(select(Project.id)))
    assert acknowledged <= kept
    assert len(acknowledged) >= 98
    assert len(next(iter(acknowledged))) == len(new_id())
    state = check(store)
    assert (state.first_bad, state.head_ok) == (None, True)
    store.close()
    with closing(sqlite3.connect(data / "affectscope.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
