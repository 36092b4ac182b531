"""The sync certificate in words: for the report's section "Time and alignment" and result.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from affectscope.io.clock_alignment import USUAL_DRIFT
from affectscope.records import MODALITY_NAMES, AlignmentMethod, ClockAlignment
from affectscope.therapy.certificate import SHIFT, Certificate, Moved

_METHODS: dict[AlignmentMethod, str] = {
    "own axis": "it is the time axis",
    "stated": "as stated",
    "clock": "shared clock",
    "offsets": "measured clock offsets",
    "events": "shared events",
    "content": "heartbeat in face and ECG",
    "none": "not aligned",
}


def alignment_content(certificate: Certificate) -> dict[str, Any]:
    """What the template ``alignment.html.jinja`` fills in."""
    moved = certificate.moved or {}
    return {
        "rows": [_row(each) for each in certificate.alignments],
        "by_the_end": _by_the_end(certificate),
        "shift": f"{1000 * SHIFT:.0f} ms",
        "moved": [_moved(name, each) for name, each in moved.items()],
        "rows_scored": certificate.rows,
        "not_moved": certificate.not_moved,
    }


def alignment_result(certificate: Certificate) -> dict[str, Any]:
    """The certificate as plain values for result.json."""
    modalities = {each.modality: asdict(each) for each in certificate.alignments}
    for fields in modalities.values():
        del fields["modality"]
    return {
        "modalities": modalities,
        "usual_drift_ppm": USUAL_DRIFT,
        "usual_drift_by_the_end": certificate.drift_by_the_end,
        "shift": SHIFT,
        "rows": certificate.rows,
        "moved": {name: asdict(each) for name, each in (certificate.moved or {}).items()} or None,
        "not_moved": certificate.not_moved or None,
    }


def _row(alignment: ClockAlignment) -> dict[str, str]:
    not_known = "not known"
    return {
        "name": MODALITY_NAMES[alignment.modality],
        "method": _METHODS[alignment.method],
        "offset": f"{alignment.offset:+.3f} s",
        "uncertainty": not_known
        if alignment.uncertainty is None
        else "exact"
        if alignment.uncertainty == 0
        else f"±{1000 * alignment.uncertainty:.0f} ms",
        "drift": not_known if alignment.drift is None else f"{alignment.drift:+.1f} ppm",
        "residual": "–" if alignment.residual is None else f"{alignment.residual:.1f} ms",
        "sentence": alignment.sentence,
    }


def _by_the_end(certificate: Certificate) -> str:
    """P18: what an unknown drift may amount to; nothing where every drift is known."""
    unknown = [
        MODALITY_NAMES[each.modality] for each in certificate.alignments if each.drift is None
    ]
    if not unknown:
        return ""
    names = " and ".join(unknown)
    return (
        f"The drift of {names} is not known. Quartz clocks differ by up to {USUAL_DRIFT:.0f} ppm:"
        f" over this session the alignment may move by ±{certificate.drift_by_the_end:.2f} s."
    )


def _moved(name: str, moved: Moved) -> dict[str, str]:
    return {
        "name": name,
        "mean": f"{moved.mean:.3f}",
        "change": "not known" if moved.change is None else f"{moved.change:.3f}",
        "row": f"{moved.row:.3f}",
        "furthest": f"{moved.furthest:.3f}",
    }
