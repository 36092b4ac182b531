"""What the two signals of a recording gave: cleaned, or a notice that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from affectscope.errors import AffectScopeError, InputError
from affectscope.preprocessing.channel_identity import swap_notices
from affectscope.preprocessing.ecg import EcgAnalysis, analyse_ecg
from affectscope.preprocessing.eda import EdaAnalysis, analyse_eda
from affectscope.preprocessing.excluded import excluded_samples, without_samples
from affectscope.preprocessing.repeated_blocks import repeat_notices
from affectscope.records import BoolArray, ExcludedSpan, Modality, Notice, Recording, Signal


@dataclass(frozen=True, eq=False)
class BodyAnalysis:
    """What the two signals gave: an analysis where usable, a notice for whatever was not."""

    ecg: EcgAnalysis | None
    eda: EdaAnalysis | None
    notices: tuple[Notice, ...]


def analyse_body(recording: Recording, excluded: Sequence[ExcludedSpan] = ()) -> BodyAnalysis:
    """Clean both signals; a signal that holds nothing usable becomes a notice, not an error.

    Nothing is made of signals that look exchanged (P09), and repeated stretches are told (P15).
    Nothing looks at samples in ``excluded`` spans; a signal that is left out whole is absent.
    """
    ecg = _Kept.of(recording.ecg, "ecg", excluded)
    eda = _Kept.of(recording.eda, "eda", excluded)
    notices = list(swap_notices(ecg.signal, eda.signal))
    swapped = {notice.modality for notice in notices}
    ecg, eda = (
        replace(each, signal=None) if each.modality in swapped else each for each in (ecg, eda)
    )
    for each in (ecg, eda):
        notices += repeat_notices(each.signal, each.modality) if each.signal is not None else ()
    analysed = _analysed(analyse_ecg, ecg, notices), _analysed(analyse_eda, eda, notices)
    return BodyAnalysis(*analysed, tuple(notices))


@dataclass(frozen=True, eq=False)
class _Kept:
    """What may be looked at of a signal: NaN where ``excluded`` (S,) is True; None for nothing."""

    modality: Modality
    signal: Signal | None
    excluded: BoolArray | None

    @classmethod
    def of(cls, signal: Signal | None, modality: Modality, spans: Sequence[ExcludedSpan]) -> _Kept:
        mask = None if signal is None else excluded_samples(spans, modality, signal)
        if signal is None or (mask is not None and mask.all()):
            return cls(modality, None, None)
        return cls(modality, without_samples(signal, mask), mask)


Analysis = TypeVar("Analysis", EcgAnalysis, EdaAnalysis)


def _analysed(
    analyse: Callable[[Signal, BoolArray | None], Analysis], kept: _Kept, notices: list[Notice]
) -> Analysis | None:
    if kept.signal is None:
        return None
    try:
        analysis = analyse(kept.signal, kept.excluded)
    except InputError as error:
        notices.append(lost(kept.modality, error))
        return None
    notices.extend(analysis.notices)
    return analysis


def lost(modality: Modality, error: AffectScopeError) -> Notice:
    """What is told of a modality that cannot be used."""
    return Notice(error.code, f"{error.sentence} {error.remedy}".strip(), modality)
