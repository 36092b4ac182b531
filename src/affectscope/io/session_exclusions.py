"""The table [excluded]: the parts of a session that the user leaves out, each with a reason.

[excluded]                                   # of session.toml
spans = [                                    # modality or "all", start and end in seconds, reason
    ["all", 12.5, 30.0, "sensor moved"],
    ["face", 40, 55, "therapist in front of the camera"],
]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from affectscope.errors import SessionError
from affectscope.io.toml_table import TomlTable, is_number, unusable
from affectscope.records import ExcludedSpan, Modality, Recording

KEYS = ("spans",)
ALL = "all"
"""What session.toml writes for every modality."""

_MODALITIES: dict[str, Modality | None] = {ALL: None, **{name: name for name in get_args(Modality)}}
_EXAMPLE = '[modality, start, end, reason], such as ["face", 40, 55, "hand before the face"]'


def excluded_spans(table: TomlTable | None) -> tuple[ExcludedSpan, ...]:
    """Read the table; spans may overlap, and there may be none.

    Raises:
        SessionError: E_SESSION; the sentence names the key, its value and what is allowed.
    """
    if table is None:
        return ()
    stated = table.values.get("spans")
    if not isinstance(stated, list):
        raise table.wrong("spans", f"a list of {_EXAMPLE}")
    return tuple(_span(table, item) for item in stated)


def _span(table: TomlTable, item: object) -> ExcludedSpan:
    if not isinstance(item, list) or len(item) != 4:
        raise _wrong(table, item, f"each must be {_EXAMPLE}")
    modality, start, end, reason = item
    if not isinstance(modality, str) or modality not in _MODALITIES:
        raise _wrong(table, item, f"the modality must be one of {', '.join(_MODALITIES)}")
    if not is_number(start) or not is_number(end) or not float(start) < float(end):
        raise _wrong(table, item, "start and end must be finite seconds, the start before the end")
    if not isinstance(reason, str) or not reason.strip():
        raise _wrong(table, item, "the reason must be a text that is not empty")
    return ExcludedSpan(_MODALITIES[modality], float(start), float(end), reason.strip())


def _wrong(table: TomlTable, item: object, allowed: str) -> SessionError:
    return table.unusable(f"spans in [{table.name}] holds {ascii(item)[:80]}; {allowed}")


def check_excluded(spans: Sequence[ExcludedSpan], recording: Recording, document: str) -> None:
    """Raises SessionError E_SESSION for a span that shares nothing with the session.

    Where nobody knows the session's end (a video that states none), any end will do.
    """
    start, end = recording.span
    ends = recording.video is None or recording.video.duration > 0
    for span in spans:
        if span.end <= start or (ends and span.start >= end):
            name = ALL if span.modality is None else span.modality
            raise unusable(
                document,
                f"spans in [excluded] holds {[name, span.start, span.end]}, which lies outside the"
                f" session; it must share some of {start:.1f} s to {end:.1f} s",
            )
