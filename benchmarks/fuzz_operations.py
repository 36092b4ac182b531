"""Every HTTP operation of the page, asked whatever its schema allows and forbids (W17, W18).

    .venv/bin/python benchmarks/fuzz_operations.py [--cases 300] [--seed 0] [--only WORD]

Schemathesis draws requests from the application's own OpenAPI schema, fitting ones and ones that
break it; identities, versions, file names and passwords that exist are put in for many of them, and
SQL, odd numbers, odd letters and broken JSON for others. Who asks is logged in, administrates and
owns the project, so that each request comes as far as it can. No answer may be of 500 to 599; a
refusal says what is wrong in the one shape that all refusals have; any other answer has the status,
the media type and the shape that the schema states. After each change the pages that show it are
loaded. What was changed, erased or ended is put right before the next request.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core import NotSet
from schemathesis.core.failures import Failure, FailureGroup

from affectscope.errors import CODES
from fuzz_values import BODIES, BROKEN, HOSTILE, PAGES, VALUES
from page_world import HIDDEN, IDENTITIES, World

OCTETS = "application/octet-stream"
REFUSAL = {
    "description": "What is wrong, and what to do",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["code", "sentence", "remedy"],
                "properties": {
                    "code": {"enum": sorted(CODES)},
                    "sentence": {"type": "string", "minLength": 1},
                    "remedy": {"type": "string"},
                },
            }
        }
    },
}
_MANNERS = ("fitting", "model", "hostile", "model", "drawn", "broken")
"""A model is a body that is taken as it is, with little of it changed."""


@dataclass(frozen=True)
class Asked:
    """A request as it is sent."""

    method: str
    url: str
    content: bytes
    media_type: str | None


@dataclass
class Found:
    """What came of an operation's requests. ``faults``: what was asked, and what is wrong."""

    operation: str
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def fuzz(world: World, *, cases: int, only: str = "", start: int = 0) -> Iterator[Found]:
    """Ask each operation so often, the same each time for the same ``start``.

    Args:
        only: operations whose method and path hold this; all by default.
    """
    load_all_checks()
    schema = schemathesis.openapi.from_dict(stated(world))
    with world.client() as client:
        for found in schema.get_all_operations():
            operation = found.ok()
            told = Found(f"{operation.method.upper()} {operation.path}")
            if only in told.operation:
                _ask_often(_Asking(world, client, operation, told), cases, start)
                yield told


def stated(world: World) -> dict[str, Any]:
    """The application's schema; with it stand what every operation answers when it refuses, and
    the bytes of an upload, which the application reads itself."""
    told: dict[str, Any] = json.loads(json.dumps(world.app.openapi()))
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = REFUSAL
            if (method, path) == ("put", "/api/uploads/{upload_id}"):
                octets = {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
                operation["requestBody"] = {"content": octets}
    return told


def _ask_often(asking: _Asking, cases: int, start: int) -> None:
    drawn = [asking.operation.as_strategy(mode) for mode in _modes(asking.operation)]

    @seed(start)
    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(drawn), draws=st.data())
    def ask(case: Any, draws: st.DataObject) -> None:
        asking.once(case, draws.draw)

    ask()


def _modes(operation: Any) -> list[GenerationMode]:
    """Breaking the schema is possible only where it asks for something."""
    try:
        operation.as_strategy(GenerationMode.NEGATIVE).validate()
    except Unsatisfiable:
        return [GenerationMode.POSITIVE]
    return [GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


@dataclass
class _Asking:
    """One operation, and where its requests go."""

    world: World
    client: Any
    operation: Any
    told: Found

    def once(self, case: Any, draw: Callable[[Any], Any]) -> None:
        asked = self._asked(case, draw)
        headers = dict(self.world.headers)
        if asked.media_type is not None:
            headers["Content-Type"] = asked.media_type
        answer = self.client.request(
            asked.method, asked.url, content=asked.content, headers=headers, follow_redirects=False
        )
        self.client.cookies.clear()
        self.told.statuses[answer.status_code] += 1
        for fault in self._faults(case, answer):
            self.told.faults.append(f"{asked!r}: {fault}")
        if asked.method != "GET" and answer.is_success:
            self._look(asked)
        if asked.method != "GET" and answer.status_code not in (400, 404):
            self.world.mend()

    def _faults(self, case: Any, answer: Any) -> Iterator[str]:
        if answer.status_code >= 500:
            yield f"{answer.status_code} {answer.text[:300]}"
        if (
            HIDDEN in answer.text
            or "Traceback" in answer.text
            or str(self.world.data) in answer.text
        ):
            yield "it tells what it must not"
        if answer.is_redirect and answer.headers["location"] in ("/", "/start"):
            return
        names = ["status_code_conformance", "response_schema_conformance"]
        if answer.content:
            names.append("content_type_conformance")
        try:
            case.validate_response(answer, checks=CHECKS.get_by_names(names))
        except (Failure, FailureGroup) as failed:
            yield str(failed)[:600]

    def _look(self, asked: Asked) -> None:
        """Load what shows the change, before it is put right."""
        for begin, pages in PAGES.items():
            if not asked.url.startswith(begin):
                continue
            for page in pages:
                path = page.format(**IDENTITIES)
                answer = self.client.get(
                    path, headers={**self.world.headers, "Accept": "text/html"}
                )
                if answer.status_code >= 500:
                    self.told.faults.append(f"{path} {answer.status_code} after {asked!r}")

    def _asked(self, case: Any, draw: Callable[[Any], Any]) -> Asked:
        """The drawn request, with things that exist, or with what is odd, put in."""
        manner = draw(st.sampled_from(_MANNERS))
        fit = _Fitting(draw, self.world.first_token, manner)
        path = self.operation.path
        for name, value in (case.path_parameters or {}).items():
            path = path.replace(
                f"{{{name}}}", _in_path(fit.parameter(name, value, self.told.operation))
            )
        parameters = dict(_given(case.query) or {})
        query = {name: fit.value(name, value) for name, value in parameters.items()}
        query["unknown"] = draw(st.text(max_size=4))  # so that no two requests are alike
        url = f"{path}?{urlencode(_sendable(query), doseq=True)}"
        content, media_type = self._content(case, fit, draw)
        return Asked(self.operation.method.upper(), url, content, media_type)

    def _content(
        self, case: Any, fit: _Fitting, draw: Callable[[Any], Any]
    ) -> tuple[bytes, str | None]:
        body, media_type = _given(case.body), case.media_type
        if media_type is None:
            return b"", None
        if media_type == OCTETS:
            return draw(st.binary(max_size=8)), OCTETS
        if fit.manner == "broken":
            return draw(st.sampled_from(BROKEN)), media_type
        if fit.manner == "model":
            ends = [end for end in BODIES if self.operation.path.endswith(end)]
            body = draw(st.sampled_from(BODIES[ends[0]])) if ends else body
        if not isinstance(body, bytes):
            body = json.dumps(fit.body(body)).encode()
        return body, media_type


@dataclass(frozen=True)
class _Fitting:
    """Puts into a request what exists, or what is odd."""

    draw: Callable[[Any], Any]
    first_token: str
    manner: str

    def parameter(self, name: str, value: Any, operation: str) -> Any:
        """Of a path. Mostly something that exists, else every request ends at the gate."""
        known = (*VALUES.get(name, ()), *_identities(name, operation))
        if known and self._mostly():
            return self.draw(st.sampled_from(known))
        return self._odd(value)

    def value(self, name: str, value: Any) -> Any:
        known = (self.first_token,) if name == "token" else VALUES.get(name)
        if known and self.manner == "fitting" and self._mostly():
            return self.draw(st.sampled_from(known))
        return self._odd(value)

    def body(self, value: Any, name: str = "") -> Any:
        """Leaf by leaf."""
        if isinstance(value, dict):
            return {key: self.body(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.body(inner, name) for inner in value]
        return self.value(name, value)

    def _odd(self, value: Any) -> Any:
        odd = {"hostile": self.draw(st.booleans()), "model": not self._mostly()}
        return self.draw(st.sampled_from(HOSTILE)) if odd.get(self.manner) else value

    def _mostly(self) -> bool:
        return self.draw(st.integers(0, 11)) != 5  # the ends of the range are drawn more often


def _identities(name: str, operation: str) -> tuple[str, ...]:
    kind = name.removesuffix("_id")
    if kind == "user":
        return IDENTITIES["other"], IDENTITIES["user"]
    if kind == "product":
        return (IDENTITIES["product" if "export" in operation else "study"],)
    return (IDENTITIES[kind],) if kind in IDENTITIES else ()


def _given(part: Any) -> Any:
    return None if isinstance(part, NotSet) else part


def _in_path(value: Any) -> str:
    """An empty part, or one of dots, would be another path."""
    text = str(value).encode(errors="replace").decode()
    return quote(text, safe="") if text.strip("./") else "%00"


def _sendable(query: dict[str, Any]) -> dict[str, Any]:
    def text(value: Any) -> Any:
        if isinstance(value, list):
            return [text(inner) for inner in value]
        return str(value).encode(errors="replace")

    return {name: text(value) for name, value in query.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    everything: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for found in fuzz(world, cases=asked.cases, only=asked.only, start=asked.seed):
            everything.append(found)
            statuses = ", ".join(
                f"{count} x {code}" for code, count in sorted(found.statuses.items())
            )
            print(f"{found.statuses.total():4} {found.operation}: {statuses}", flush=True)
            for fault in found.faults[:5]:
                print(f"     FAULT {' '.join(fault.split())[:400]!a}", flush=True)
        world.store.close()
    cases = sum(found.statuses.total() for found in everything)
    faults = sum(len(found.faults) for found in everything)
    worst = max((code for found in everything for code in found.statuses), default=0)
    print(f"{len(everything)} operations, {cases} cases, {faults} faults, highest status {worst}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
