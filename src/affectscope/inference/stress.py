"""The stress likelihood over a session: what a person's heart and skin look like beside how the
same person began, or beside the whole session.

It is the axis that open recordings can teach (acute laboratory stress against rest), and it is
never arousal or valence.

Legend: N spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from affectscope.models.shipped import ModelContract
from affectscope.records import FloatArray, Notice

Reference = Literal["first minutes", "whole session"]
"""What a person's features are compared with: the session's own first minutes, which is usable
live, or all of it."""


@dataclass(frozen=True, eq=False)
class StressCourse:
    """The stress likelihood of spans of a session.

    Attributes:
        times: (N,) seconds on the session's axis, the middle of each span.
        probability: (N,) in [0, 1]; NaN where the model abstains.
        low, high: (N,) the interval of ``probability``; NaN as there. ``interval`` says what it is.
        reasons: (N,) why the model abstains, "" where it does not.
        reference: what the features were compared with.
        baseline: start and end of what they were compared with, seconds; None where there is none.
        span: seconds of a span.
        interval: one sentence about ``low`` and ``high``.
        contract, model_id: of the model.
        notices: what must be known of this session's course.
    """

    times: FloatArray
    probability: FloatArray
    low: FloatArray
    high: FloatArray
    reasons: tuple[str, ...]
    reference: Reference
    baseline: tuple[float, float] | None
    span: float
    interval: str
    contract: ModelContract
    model_id: str
    notices: Sequence[Notice] = ()
