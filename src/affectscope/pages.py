"""What all HTML pages share: how templates are filled, their style, and the intended use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

INTENDED_USE = "Research use, not a medical device."


def environment() -> Environment:
    """The package's templates, "room/name.html.jinja"; all include ``style.html.jinja``.

    Everything that is filled in is escaped; a name that a template does not get is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("affectscope", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
