"""Every HTTP operation, asked what its schema allows and forbids: a small part of
``benchmarks/fuzz_operations.py``, which asks each operation 300 times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi.routing import APIRoute

from fuzz_operations import Found, fuzz
from page_world import World

CASES = 8
"""Of each operation."""


@dataclass(frozen=True)
class Fuzzed:
    world: World
    found: list[Found]

    @property
    def faults(self) -> list[str]:
        return [f"{found.operation} {fault}" for found in self.found for fault in found.faults]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    world = World(tmp_path_factory.mktemp("world"))
    yield Fuzzed(world, list(fuzz(world, cases=CASES)))
    world.store.close()


def test_W18_no_operation_fails_or_leaves_its_schema_whatever_it_is_asked(fuzzed: Fuzzed) -> None:
    assert fuzzed.faults == []
    statuses = {status for found in fuzzed.found for status in found.statuses}
    assert max(statuses) < 500
    assert {200, 201, 202, 400, 401, 404, 409, 422} <= statuses, "each way to end was gone"


def test_W18_all_operations_were_asked(fuzzed: Fuzzed) -> None:
    routes = {
        f"{method} {route.path}"
        for route in fuzzed.world.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert {found.operation for found in fuzzed.found} == routes
    assert min(found.statuses.total() for found in fuzzed.found) == CASES


def test_W17_what_was_sent_is_never_SQL(fuzzed: Fuzzed) -> None:
    """Nothing is gone that was not erased, nobody else's project was told, the trail is whole."""
    from affectscope.store.audit_check import check

    assert [fault for fault in fuzzed.faults if "tells what it must not" in fault] == []
    with fuzzed.world.client() as client:
        for path in ("/", "/users", "/audit"):
            assert client.get(path, headers=fuzzed.world.headers).status_code == 200
    state = check(fuzzed.world.store)
    assert (state.first_bad, state.head_ok) == (None, True)


def test_a_fault_behind_an_operation_is_found(
    fuzzed: Fuzzed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search itself is tested, with an operation that fails."""
    from affectscope.web import routes_members

    def fail(*_: object) -> None:
        raise ValueError("of no account")

    monkeypatch.setattr(routes_members, "members_of", fail)
    told = list(fuzz(fuzzed.world, cases=CASES, only="GET /projects/{project_id}/members"))
    assert len(told) == 1
    assert any("500" in fault for fault in told[0].faults)
