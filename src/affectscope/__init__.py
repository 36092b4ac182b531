"""affectscope: what a person feels over time, from face video, ECG and EDA together.

Research use, not a medical device. Importing this package loads no heavy library; each name is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affectscope.inference.predictor import load_checkpoint
    from affectscope.io.session import open_session
    from affectscope.therapy.assessment import assess
    from affectscope.therapy.figures import plot
    from affectscope.therapy.measures import summarise

__all__ = ["assess", "load_checkpoint", "open_session", "plot", "summarise"]

_HOMES = {
    "assess": "affectscope.therapy.assessment",
    "load_checkpoint": "affectscope.inference.predictor",
    "open_session": "affectscope.io.session",
    "plot": "affectscope.therapy.figures",
    "summarise": "affectscope.therapy.measures",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'affectscope' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
