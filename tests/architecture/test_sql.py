"""No question to the database is put together from strings (W17); SQL stands in the store only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "affectscope"
STORE = sorted((SOURCE / "store").rglob("*.py"))

ASKING = {
    "text", "execute", "executemany", "executescript", "exec_driver_sql", "scalar", "scalars",
    "stream", "stream_scalars", "literal_column", "column", "TextClause", "DDL",
}  # fmt: skip
"""Calls whose argument SQLAlchemy, or a driver, may read as SQL."""

SPEAKS = re.compile(r"^\s*(import|from) (sqlalchemy|alembic|sqlite3|psycopg)\b", re.MULTILINE)


def built(node: ast.expr, names: dict[str, ast.expr]) -> bool:
    """Whether an expression is a string made from parts that no constant fixes."""
    if isinstance(node, ast.JoinedStr):
        return not is_setting(node)
    if isinstance(node, ast.BinOp):
        return any(is_string(side) or built(side, names) for side in (node.left, node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join", "replace", "format_map")
    if isinstance(node, ast.Name) and node.id in names:
        return built(names[node.id], {key: names[key] for key in names if key != node.id})
    return False


def is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def is_setting(node: ast.JoinedStr) -> bool:
    """A PRAGMA, which takes no parameters, with numbers of the program: ``int(...)``."""
    if not ast.unparse(node).startswith(("f'PRAGMA ", 'f"PRAGMA ')):
        return False
    filled = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    return all(ast.unparse(value).startswith("int(") for value in filled)


def faults(tree: ast.Module) -> Iterator[int]:
    """Lines with a question that is built from strings."""
    names = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if name in ASKING and any(built(argument, names) for argument in given):
                yield node.lineno


@pytest.mark.parametrize("path", STORE, ids=lambda path: path.stem)
def test_W17_no_question_to_the_database_is_built_from_strings(path: Path) -> None:
    assert list(faults(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        "session.execute(text(f'SELECT * FROM audit WHERE id = {asked}'))",
        "session.execute(text('SELECT * FROM audit WHERE id = ' + asked))",
        "session.execute(text('SELECT %s' % asked))",
        "connection.exec_driver_sql('SELECT {}'.format(asked))",
        "connection.execute(f'PRAGMA user_version = {asked}')",
        "connection.execute(' '.join(parts))",
        "question = f'SELECT {asked}'\ncursor.execute(question)",
        "select(literal_column(f'{asked}'))",
        "session.scalars(text(statement='SELECT ' + asked))",
    ],
)
def test_W17_the_check_sees_what_is_built(code: str) -> None:
    assert list(faults(ast.parse(code)))


def test_W17_the_check_lets_through_what_is_bound() -> None:
    fine = (
        "session.execute(select(AuditRow).where(AuditRow.sequence < before))\n"
        "connection.execute('SELECT name FROM project WHERE id = ?', (asked,))\n"
        "connection.execute(f'PRAGMA busy_timeout = {int(1000 * SECONDS)}')\n"
        "connection.execute(text('VACUUM FULL'))\n"
    )
    assert list(faults(ast.parse(fine))) == []


def test_W17_nobody_outside_the_store_speaks_to_a_database() -> None:
    outside = [path for path in SOURCE.rglob("*.py") if not path.is_relative_to(SOURCE / "store")]
    assert len(outside) > 100
    assert [path.name for path in outside if SPEAKS.search(path.read_text())] == []
