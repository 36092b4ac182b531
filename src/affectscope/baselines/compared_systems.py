"""Every system that we compare with, by name, in the order of the tables."""

from __future__ import annotations

from affectscope.baselines.amigos_own import AMIGOS_ECG, AMIGOS_EDA, AMIGOS_EEG, AMIGOS_FUSED
from affectscope.baselines.compared import Compared
from affectscope.baselines.gjoreski import GJORESKI, GJORESKI_EACH
from affectscope.baselines.kollias import KOLLIAS
from affectscope.baselines.modern_floor import MODERN_FLOOR, MODERN_FLOOR_INDUCTIVE
from affectscope.baselines.santamaria import SANTAMARIA
from affectscope.baselines.siddharth import SIDDHARTH_ELM, SIDDHARTH_LSTM
from affectscope.baselines.tang import TANG
from affectscope.baselines.yang_lee import YANG_LEE
from affectscope.baselines.yildirim import YILDIRIM
from affectscope.errors import EvaluationError

COMPARED_SYSTEMS: dict[str, Compared] = {
    system.name: system
    for system in (
        KOLLIAS,
        GJORESKI,
        *GJORESKI_EACH,
        YANG_LEE,
        SANTAMARIA,
        SIDDHARTH_ELM,
        SIDDHARTH_LSTM,
        TANG,
        YILDIRIM,
        AMIGOS_ECG,
        AMIGOS_EDA,
        AMIGOS_EEG,
        AMIGOS_FUSED,
        MODERN_FLOOR,
        MODERN_FLOOR_INDUCTIVE,
    )
}


def compared_system(name: str) -> Compared:
    """A system by its name.

    Raises:
        EvaluationError: E_CONFIG for a name that is not in ``COMPARED_SYSTEMS``.
    """
    if name not in COMPARED_SYSTEMS:
        raise EvaluationError(
            "E_CONFIG",
            f"There is no compared system called {name[:80]!a}.",
            f"Choose one of {', '.join(COMPARED_SYSTEMS)}.",
        )
    return COMPARED_SYSTEMS[name]
