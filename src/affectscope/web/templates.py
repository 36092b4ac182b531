"""Pages: ``pages/NAME.html.jinja`` filled in, everything escaped; an unknown name is an error.

``TEXT | plain`` is the text without the command line's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from affectscope.pages import INTENDED_USE, environment
from affectscope.web.plain_words import plain

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    made = environment()
    made.filters["plain"] = plain
    return made


def page(
    request: Request,
    name: str,
    content: Mapping[str, Any],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page. Beside ``content`` every template gets ``visitor`` (None where nobody is logged in)
    and ``intended_use``."""
    template = _environment().get_template(f"web/pages/{name}.html.jinja")
    visitor = getattr(request.state, "visitor", None)
    text = template.render({**content, "visitor": visitor, "intended_use": INTENDED_USE})
    return HTMLResponse(text, status, {**(headers or {}), "Cache-Control": "no-store"})
