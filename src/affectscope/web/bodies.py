"""What the bodies of requests are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST_NUMBER = 2**31 - 1
"""Of a version, or a row: every database keeps it."""

Version = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
"""The version that who saves has seen (W20)."""
Second = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
"""A time, or a difference of times, in s; a third of a year at most."""


class Body(BaseModel):
    """Of a request, or a part of one: a field that it does not know is refused."""

    model_config = ConfigDict(extra="forbid")
